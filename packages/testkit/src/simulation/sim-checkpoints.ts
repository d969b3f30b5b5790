import {
  decodeCheckpointVector,
  encodeCheckpointVector,
  equalBytes,
  concatBytes,
  hashCheckpointVector,
  HybridClock,
  isCheckpointWhole,
  openSpaceId,
  PayloadCodec,
  signCheckpoint,
  type DocumentEntry,
  type DocumentId,
  type LaneId,
  type VersionVector,
} from "@heddle/core";
import {
  reachesFloors,
  type AdoptAnswer,
  type HeldCheckpoint,
  type OfferedCheckpoint,
} from "@heddle/sync";
import { encodeUtf8 } from "lib0/string";

import { testHash } from "../test-environment.ts";
import type { SimEngine, SimEngineFactory } from "./sim-engine.ts";
import type { SimProcess } from "./sim-process.ts";
import type { SimCheckpoint } from "./sim-batch.ts";
import { logAboveCheckpoint, type SimDocument } from "./sim-store.ts";

/**
 * Checkpoints of one process: built from its log, pruned to, and taken from peers. One thing at a time
 * per document, as floors and checkpoints have to move together (I6).
 */
export class SimCheckpoints {
  readonly #process: SimProcess;
  readonly #engine: SimEngineFactory;
  readonly #clock: HybridClock;
  readonly #busy = new Map<DocumentId, Promise<unknown>>();
  #working = 0;

  constructor(process: SimProcess, engine: SimEngineFactory) {
    this.#process = process;
    this.#engine = engine;
    this.#clock = new HybridClock(process.clock);
  }

  get isBusy(): boolean {
    return this.#working > 0;
  }

  /** Builds a checkpoint of all that is on disk, and drops the log below it when `prunes`. */
  build(entry: DocumentEntry, prunes: boolean): Promise<void> {
    return this.#alone(entry.id, async () => {
      const document = this.#process.store.documents.get(entry.id);
      if (document === undefined || document.vector.size === 0) return;
      const checkpoint = await this.#signed(entry.id, this.#fold(document), document.vector);
      const floors = prunes ? seqsOf(checkpoint.vector) : document.floors;
      const arrival = await this.#store(entry, checkpoint, floors);
      if (arrival === undefined) return;
      const { replication, nowMs } = this.#process;
      replication.checkpointed(entry.id, heldOf(checkpoint), floors, nowMs);
      this.#process.drain();
    });
  }

  /** As `adoptCheckpoint` of the state machine wants it. */
  adopt(offered: OfferedCheckpoint): Promise<AdoptAnswer | undefined> {
    return this.#alone(offered.entry.id, () => this.#adopt(offered));
  }

  async #adopt({ entry, header, vector: bytes, payload }: OfferedCheckpoint) {
    if (!isCheckpointWhole(testHash, header, { vector: [bytes], payload })) {
      return { outcome: "refused", reason: "damaged" } as const;
    }
    const { vector } = decodeCheckpointVector([bytes]);
    const given = this.#engine(this.#process.random);
    given.adopt(entry.id, payload);
    if (!equalBytes(digestOf(given, entry.id), header.digestS)) {
      return { outcome: "refused", reason: "content" } as const;
    }
    const document = this.#process.store.documents.get(entry.id);
    const covered = (document?.log ?? []).filter(({ lane, seq }) => seq <= seqIn(vector, lane));
    if (!covered.every((envelope) => given.shows(envelope))) {
      return { outcome: "refused", reason: "content" } as const;
    }
    const offeredAsItIs = { header, vector, vectorBytes: bytes, payload };
    const mayReplace = reachesFloors(vector, document?.floors ?? new Map());
    const checkpoint =
      document && !mayReplace ? await this.#merged(document, offeredAsItIs) : offeredAsItIs;
    // Read again: while the merged one was signed, more may have been written here.
    const now = this.#process.store.documents.get(entry.id);
    const floors = new Map(now?.floors);
    for (const [lane, { seq }] of vector) {
      if (seq > (now?.vector.get(lane)?.seq ?? 0)) floors.set(lane, seq);
    }
    const arrival = await this.#store(entry, checkpoint, floors);
    if (arrival === undefined) return undefined;
    this.#process.engine.adopt(entry.id, payload);
    this.#process.onAdopted(entry.id, vector);
    const after = this.#process.store.documents.get(entry.id)!;
    return {
      outcome: "adopted",
      vector: new Map(after.vector),
      floors: after.floors,
      checkpoint: heldOf(after.checkpoint!),
      arrival,
    } as const;
  }

  /** What is held here and what is offered, in one checkpoint of our own. */
  #merged(document: SimDocument, offered: SimCheckpoint): Promise<SimCheckpoint> {
    const engine = this.#fold(document);
    engine.adopt(document.entry.id, offered.payload);
    const vector = new Map(document.vector);
    for (const [lane, position] of offered.vector) {
      if (position.seq > seqIn(vector, lane)) vector.set(lane, position);
    }
    return this.#signed(document.entry.id, engine, vector);
  }

  #fold(document: SimDocument): SimEngine {
    const engine = this.#engine(this.#process.random);
    loadInto(engine, document);
    return engine;
  }

  async #signed(
    document: DocumentId,
    engine: SimEngine,
    positions: VersionVector,
  ): Promise<SimCheckpoint> {
    // Both are of this moment; what is written while it is signed lies above.
    const vector = new Map(positions);
    const chunks = encodeCheckpointVector({ vector, clients: new Map() });
    const vectorBytes = concatBytes(chunks);
    const payload = engine.checkpoint(document);
    const digest = digestOf(engine, document);
    const header = await signCheckpoint(testHash, this.#process.signer, {
      space: openSpaceId(testHash),
      document,
      builtAt: this.#clock.tick(),
      engine: "simulated",
      codec: PayloadCodec.yjsV1,
      lanes: vector.size,
      digestL: digest,
      vectorHash: hashCheckpointVector(testHash, chunks),
      digestS: digest,
      digestC: digest,
      payloadHash: testHash.sha256(payload),
      payloadBytes: payload.length,
      stateBytes: payload.length,
      heldEnvelopes: 0,
    });
    return { header, vector, vectorBytes, payload };
  }

  async #store(
    entry: DocumentEntry,
    checkpoint: SimCheckpoint,
    floors: ReadonlyMap<LaneId, number>,
  ): Promise<number | undefined> {
    if (this.#process.isOver) return undefined;
    const { store } = this.#process;
    const batch = { documents: [entry], checkpoint: { document: entry.id, checkpoint, floors } };
    return new Promise((resolve) => {
      store.append(batch, (isGood, arrival) => {
        if (this.#process.isOver) return resolve(undefined);
        if (!isGood) {
          this.#process.failed();
          return resolve(undefined);
        }
        this.#process.onCheckpointed(entry.id);
        return resolve(arrival);
      });
    });
  }

  /** After whatever is being done to the document, whether that ends well or not. */
  #alone<Result>(id: DocumentId, work: () => Promise<Result>): Promise<Result | undefined> {
    const before = this.#busy.get(id) ?? Promise.resolve();
    this.#working++;
    const done = before
      .then(() => (this.#process.isOver ? undefined : work()))
      .finally(() => this.#working--);
    this.#busy.set(id, done);
    return done;
  }
}

/** A document as its disk holds it. */
export function loadInto(engine: SimEngine, document: SimDocument): void {
  const { entry, checkpoint } = document;
  if (checkpoint) engine.adopt(entry.id, checkpoint.payload);
  for (const envelope of logAboveCheckpoint(document)) engine.apply(envelope);
}

/** A stored checkpoint as the state machine knows it. */
export function heldOf({ header, vector, vectorBytes }: SimCheckpoint): HeldCheckpoint {
  return { header, vector, vectorBytes: vectorBytes.length };
}

function digestOf(engine: SimEngine, document: DocumentId): Uint8Array {
  return testHash.sha256(encodeUtf8(engine.digest(document)));
}

function seqsOf(vector: VersionVector): Map<LaneId, number> {
  return new Map([...vector].map(([lane, { seq }]) => [lane, seq]));
}

function seqIn(vector: VersionVector, lane: LaneId): number {
  return vector.get(lane)?.seq ?? 0;
}
