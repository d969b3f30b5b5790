import {
  concatBytes,
  decodeCheckpointVector,
  documentIdOf,
  encodeCheckpointVector,
  hashCheckpointVector,
  logDigest,
  MemoryDisk,
  openSpaceId,
  signCheckpoint,
  type CheckpointContent,
  type CheckpointVector,
  type MemoryLogStore,
} from "@heddle/core";
import type { OfferedCheckpoint } from "@heddle/sync";
import * as Y from "yjs";

import { builderOn, folder } from "../checkpoint.fixture.ts";
import { checkpointDocument, pruneDocument } from "../checkpointer.ts";
import { environment, notes, openReplica, signer } from "../replica.fixture.ts";
import type { Replica } from "../replica.ts";
import type { ReplicaDocument } from "../replica-document.ts";
import type { ReplicaOptions } from "../replica-options.ts";
import { KnownLanes } from "./known-lanes.ts";
import { readForPeer } from "./read-for-peer.ts";
import { ServedCheckpoints } from "./serve-checkpoint.ts";

const { hash } = environment;
export const notesId = documentIdOf(hash, openSpaceId(hash), notes);

/** A replica with one document in use, whose checkpoints are made when the test says so. */
export class Holder {
  readonly disk: MemoryDisk;
  readonly store: MemoryLogStore;
  readonly replica: Replica;
  readonly document: ReplicaDocument;
  readonly served: ServedCheckpoints;
  /** A stock client that was here from the start: it has what commits brought it. */
  readonly screen = new Y.Doc();
  resets = 0;

  private constructor(
    disk: MemoryDisk,
    { store, replica, document }: Pick<Holder, "store" | "replica" | "document">,
  ) {
    this.disk = disk;
    this.store = store;
    this.replica = replica;
    this.document = document;
    this.served = new ServedCheckpoints({ store, environment, access: replica.access });
    Y.applyUpdate(this.screen, document.encodeSince());
    document.subscribe({
      onCommit: ({ update }) => Y.applyUpdate(this.screen, update),
      onReset: () => this.resets++,
    });
  }

  static async open(disk = new MemoryDisk(), options: Partial<ReplicaOptions> = {}) {
    const { store, replica } = await openReplica(disk, { folder, idleMs: 60_000, ...options });
    const document = await replica.acquire(notes);
    return new Holder(disk, { store, replica, document });
  }

  async write(...updates: readonly Uint8Array[]): Promise<void> {
    for (const update of updates) {
      this.document.submit(update, { principal: new TextEncoder().encode("ann") });
      await this.document.whenSettled();
    }
  }

  async checkpoint(prune = true): Promise<void> {
    const outcome = await checkpointDocument(builderOn(this.store), notesId);
    if (outcome.outcome !== "built") throw new Error(`no checkpoint: ${outcome.outcome}`);
    if (prune) await pruneDocument(builderOn(this.store), outcome.checkpoint);
  }

  /** Its checkpoint, as a peer gets it piece by piece. */
  async offer(pieceBytes = 1_000): Promise<OfferedCheckpoint> {
    const { checkpoint } = await this.served.held(notesId);
    if (checkpoint === undefined) throw new Error("there is nothing to offer");
    const { header, vectorBytes } = checkpoint;
    const pieces: Uint8Array[] = [];
    for (let offset = 0; ; offset += pieceBytes) {
      const place = { document: notesId, checkpoint: header.id, offset };
      const answer = await this.served.read({ ...place, bytesMax: pieceBytes });
      if (answer.outcome === "gone") throw new Error("it is gone");
      pieces.push(answer.bytes);
      if (answer.bytes.length < pieceBytes) break;
    }
    const whole = concatBytes(pieces);
    const [vector, payload] = [whole.subarray(0, vectorBytes), whole.subarray(vectorBytes)];
    const { entry } = this.document;
    return { entry, header, vector, payload };
  }

  /** Gives `to` what the log here holds above what it has. */
  async push(to: Holder): Promise<readonly string[]> {
    const reading = { store: this.store, hash, signer, lanes: new KnownLanes(this.store) };
    const positions = await to.document.whenDurable();
    const above = new Map([...positions].map(([lane, { seq }]) => [lane, seq]));
    const range = { document: notesId, above, bytesMax: 1_000_000 };
    const { envelopes, lanes } = await readForPeer(reading, range);
    const runs = [...lanes].map(([id, lane]) => {
      return { lane, run: envelopes.filter((envelope) => envelope.lane === id) };
    });
    return (await to.replica.takeRuns(notes, runs)).verdicts;
  }

  async close(): Promise<void> {
    this.replica.release(this.document);
    await this.replica.close();
    await this.store.close();
  }

  /** As after a restart of the process. */
  async reopened(): Promise<Holder> {
    await this.close();
    return Holder.open(this.disk);
  }
}

/** The same checkpoint, saying something else of itself, and signed for it. */
export async function forged(
  offered: OfferedCheckpoint,
  content: Partial<CheckpointContent>,
): Promise<OfferedCheckpoint> {
  const header = await signCheckpoint(hash, signer, { ...offered.header, ...content });
  return { ...offered, header };
}

/** The same state, said to stand for something else. */
export function covering(
  offered: OfferedCheckpoint,
  change: (covered: CheckpointVector) => CheckpointVector,
): Promise<OfferedCheckpoint> {
  const covered = change(decodeCheckpointVector([offered.vector]));
  const chunks = encodeCheckpointVector(covered);
  const { vector } = covered;
  return forged(
    { ...offered, vector: concatBytes(chunks) },
    {
      lanes: vector.size,
      digestL: logDigest(hash, vector),
      vectorHash: hashCheckpointVector(hash, chunks),
    },
  );
}

/** The same cover over another state, deflated. */
export function holding(
  offered: OfferedCheckpoint,
  payload: Uint8Array,
  stateBytes: number,
): Promise<OfferedCheckpoint> {
  const payloadHash = hash.sha256(payload);
  const sizes = { payloadBytes: payload.length, stateBytes };
  return forged({ ...offered, payload }, { payloadHash, ...sizes });
}
