import {
  concatBytes,
  decodeCheckpoint,
  decodeCheckpointVector,
  isHeddleError,
  toHex,
  type CheckpointHeader,
  type DocumentId,
  type Environment,
  type LogStore,
  type StoredCheckpoint,
  Turns,
} from "@heddle/core";
import { reachesFloors, type LoadedDocument, type SyncRequests } from "@heddle/sync";

import type { DocumentAccess } from "../document-access.ts";
import { isBuiltUnder, verifyCheckpoint, type Ground } from "../read-checkpoint.ts";
import { recallsInForce } from "../recalls-in-force.ts";

export interface CheckpointServing {
  readonly store: LogStore;
  readonly environment: Environment;
  readonly access: DocumentAccess;
  /** Of the checkpoints that are kept at hand while peers ask for pieces of them. */
  readonly bytesMax?: number;
}

/** What a peer may be given instead of the log. */
export type Offerable = Required<Pick<LoadedDocument, "floors">> &
  Pick<LoadedDocument, "checkpoint">;

type PieceAsk = SyncRequests["readCheckpoint"]["ask"];
type PieceAnswer = SyncRequests["readCheckpoint"]["answer"];

/** A checkpoint as it goes over the wire: vector and state, one after the other. */
interface Served {
  readonly vector: Uint8Array;
  readonly state: Uint8Array;
}

const bytesMaxDefault = 32 * 1024 * 1024;

/**
 * Reads checkpoints for peers. Those that were asked for last stay in memory, proved once, within a
 * bound of bytes; one that is larger than the bound stays as long as nobody asks for another.
 */
export class ServedCheckpoints {
  readonly #serving: CheckpointServing;
  readonly #bytesMax: number;
  /** By id in hex, least recently used first. */
  readonly #served = new Map<string, Served>();
  #bytes = 0;
  /** Readings come one at a time, as each may take a cap of bytes. */
  readonly #turns = new Turns();

  constructor(serving: CheckpointServing) {
    this.#serving = serving;
    this.#bytesMax = serving.bytesMax ?? bytesMaxDefault;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * The floors of a document, and its newest checkpoint that stands for all below them. One that was
   * built under recalls is not given away: what it leaves out would be nowhere over there, and come to
   * nobody again when somebody releases it.
   *
   * @throws HeddleError `HEDDLE_STORAGE_*` when the floors cannot be read, or nothing stands for them.
   */
  held(document: DocumentId): Promise<Offerable> {
    const { store, environment, access } = this.#serving;
    return access.reading(document, async () => {
      const floors = await store.readFloors(document);
      try {
        const all = await store.readCheckpoints(document);
        if (all.length === 0) return { floors };
        const recalls = await recallsInForce(store, document);
        for (const stored of all) {
          const checkpoint = this.#offerable(stored, { floors, recalls });
          if (checkpoint) return { floors, checkpoint };
        }
      } catch (error) {
        if (!isHeddleError(error) || floors.size > 0) throw error;
        const fields = { document, code: error.code, error: error.message };
        environment.logger.warn("peer.checkpoint_unreadable", fields);
      }
      return { floors };
    });
  }

  /** Answers `readCheckpoint`. */
  async read({ document, checkpoint, offset, bytesMax }: PieceAsk): Promise<PieceAnswer> {
    const served = await this.#get(document, toHex(checkpoint));
    if (served === undefined) return { outcome: "gone" };
    const { vector, state } = served;
    const fromVector = vector.subarray(offset, offset + bytesMax);
    const start = Math.max(0, offset - vector.length);
    const fromState = state.subarray(start, start + bytesMax - fromVector.length);
    return { outcome: "read", bytes: concatBytes([fromVector, fromState]) };
  }

  /** Nobody asks any more. */
  clear(): void {
    this.#served.clear();
    this.#bytes = 0;
  }

  #offerable(stored: StoredCheckpoint, ground: Ground): LoadedDocument["checkpoint"] {
    const header = this.#headerOf(stored);
    if (header === undefined || header.recallsHash || header.held) return undefined;
    const { vector } = decodeCheckpointVector(stored.vector);
    if (!reachesFloors(vector, ground.floors)) return undefined;
    if (!isBuiltUnder(this.#serving, { vector, header }, ground)) return undefined;
    const vectorBytes = stored.vector.reduce((sum, { length }) => sum + length, 0);
    // Without lanes there is nothing to bring, and the wire has no such vector.
    return vectorBytes > 0 ? { header, vector, vectorBytes } : undefined;
  }

  /** `undefined` when it cannot be read: an older one may do. */
  #headerOf({ document, number, header }: StoredCheckpoint): CheckpointHeader | undefined {
    const { environment } = this.#serving;
    try {
      return decodeCheckpoint(environment.hash, header);
    } catch (error) {
      if (!isHeddleError(error)) throw error;
      const fields = { document, number, code: error.code, error: error.message };
      environment.logger.warn("peer.checkpoint_unreadable", fields);
      return undefined;
    }
  }

  #get(document: DocumentId, id: string): Promise<Served | undefined> {
    const known = this.#served.get(id);
    if (known) {
      this.#served.delete(id);
      this.#served.set(id, known);
      return Promise.resolve(known);
    }
    return this.#turns.run(async () => this.#served.get(id) ?? this.#readWhole(document, id));
  }

  async #readWhole(document: DocumentId, id: string): Promise<Served | undefined> {
    const { store, environment, access } = this.#serving;
    try {
      return await access.reading(document, async () => {
        const all = await store.readCheckpoints(document);
        const stored = all.find((one) => {
          const header = this.#headerOf(one);
          return header && toHex(header.id) === id;
        });
        if (stored === undefined) return undefined;
        const { state } = await verifyCheckpoint({ store, environment }, stored);
        const served = { vector: concatBytes([...stored.vector]), state };
        this.#keep(id, served);
        return served;
      });
    } catch (error) {
      if (!isHeddleError(error)) throw error;
      const fields = { document, code: error.code, error: error.message };
      environment.logger.warn("peer.checkpoint_unreadable", fields);
      return undefined;
    }
  }

  #keep(id: string, served: Served): void {
    this.#served.set(id, served);
    this.#bytes += sizeOf(served);
    for (const [oldest, other] of this.#served) {
      if (this.#bytes <= this.#bytesMax || oldest === id) return;
      this.#served.delete(oldest);
      this.#bytes -= sizeOf(other);
    }
  }
}

function sizeOf({ vector, state }: Served): number {
  return vector.length + state.length;
}
