import {
  concatBytes,
  encodeCheckpointVector,
  hashCheckpointVector,
  openSpaceId,
  PayloadCodec,
  signCheckpoint,
  storeId,
  verifyLane,
  verifyRun,
  type DocumentEntry,
  type DocumentId,
  type LaneId,
} from "@heddle/core";
import { encodeUtf8 } from "lib0/string";

import { seededSigner, testHash, testVerifier, type FixtureLane } from "./environment.fixture.ts";
import { countingBytes } from "./frames.fixture.ts";
import {
  adoptOnDisk,
  changesOnDisk,
  digestOnDisk,
  libraryOnDisk,
  loadFromDisk,
  readCheckpointFromDisk,
  readFromDisk,
  storeOnDisk,
} from "./memory-answers.fixture.ts";
import { MemoryDisk } from "./memory-disk.fixture.ts";
import { Replication } from "./replication.ts";
import { PeerRole, type ReplicationOptions } from "./sync-context.ts";
import type { DigestAnswer, SyncEffect } from "./sync-effects.ts";
import type { SyncEvent } from "./sync-events.ts";

/** A host with real signatures whose disk is lists in memory; everything is answered at once. */
export class MemoryHost {
  readonly replication: Replication;
  readonly events: SyncEvent[] = [];
  /** Effects that only ask to keep something. */
  readonly kept: SyncEffect[] = [];
  /** Frames by connection, until somebody takes them. */
  readonly sent: { readonly peer: number; readonly bytes: Uint8Array }[] = [];
  readonly disk: MemoryDisk;
  readonly seed: number;
  #heldStores: (() => void)[] | undefined;
  #heldLoads: (() => void)[] | undefined;
  nowMs = 0;
  /** What the host answers when it is asked for digests. */
  digest: (log: Uint8Array, isThorough: boolean) => DigestAnswer = () => ({
    outcome: "unavailable",
  });
  /** Documents that cannot be read now. */
  readonly unreadable = new Set<DocumentId>();
  /** The change feed, or a checkpoint that is to be adopted, cannot be read or written now. */
  readonly fails = new Set<"changes" | "library" | "adoptCheckpoint">();
  /** Lanes of which nothing is complete before something of another lane is here. */
  readonly causes = new Map<LaneId, LaneId>();
  /** Lanes that the host refuses for good. */
  readonly refuses = new Set<LaneId>();

  constructor(
    seed: number,
    changes: Partial<ReplicationOptions> = {},
    disk: MemoryDisk = new MemoryDisk(),
  ) {
    this.seed = seed;
    this.disk = disk;
    const { devicePublicKey } = seededSigner(seed);
    const nonce = drawnBytes(16, `incarnation ${seed} ${disk.incarnations.length}`);
    disk.incarnations.push({ nonce, firstArrival: ++disk.arrivals });
    let draws = 0;
    const start = `${seed} ${disk.incarnations.length}`;
    const options: ReplicationOptions = {
      hash: testHash,
      random: { bytes: (length) => drawnBytes(length, `${start} ${draws++}`) },
      space: openSpaceId(testHash),
      store: storeId(countingBytes(16, seed)),
      incarnations: disk.incarnations,
      lastArrival: disk.arrivals,
      devicePublicKey,
      role: PeerRole.replica,
      engine: "test",
      adopt: true,
      follow: true,
      ...changes,
    };
    this.replication = new Replication(options, disk.cursors, disk.keptOutbox());
  }

  /** From here on the disk is slow: each write is done when its function is called. */
  holdStores(): (() => void)[] {
    this.#heldStores ??= [];
    return this.#heldStores;
  }

  /** From here on documents are read slowly: each is there when its function is called. */
  holdLoads(): (() => void)[] {
    this.#heldLoads ??= [];
    return this.#heldLoads;
  }

  /** Writes envelopes of a lane as a local writer does. */
  async write(lane: FixtureLane, count: number, payloadBytes?: number): Promise<void> {
    const run = await lane.run(count, 0, payloadBytes);
    this.disk.lanes.set(lane.descriptor.id, lane.descriptor);
    this.disk.own.add(lane.descriptor.id);
    this.disk.add(lane.entry, run);
    const { arrivals } = this.disk;
    this.replication.storedHere(lane.entry, run, lane.descriptor, arrivals, this.nowMs);
  }

  /** Makes a checkpoint of all that is on disk; its state is `payload`. */
  async checkpoint(entry: DocumentEntry, payload: Uint8Array, prunes: boolean): Promise<void> {
    const document = this.disk.documentOf(entry);
    const vector = new Map(document.vector);
    const chunks = encodeCheckpointVector({ vector, clients: new Map() });
    const header = await signCheckpoint(testHash, seededSigner(this.seed), {
      space: openSpaceId(testHash),
      document: entry.id,
      builtAt: entry.createdAt,
      engine: "test",
      codec: PayloadCodec.yjsV1,
      lanes: vector.size,
      digestL: countingBytes(32),
      vectorHash: hashCheckpointVector(testHash, chunks),
      digestS: testHash.sha256(payload),
      digestC: countingBytes(32),
      payloadHash: testHash.sha256(payload),
      payloadBytes: payload.length,
      stateBytes: payload.length,
      heldEnvelopes: 0,
    });
    const vectorBytes = concatBytes(chunks);
    document.checkpoint = { header, vector, vectorBytes, payload };
    if (prunes) {
      document.floors = new Map([...vector].map(([lane, { seq }]) => [lane, seq]));
      document.log = document.log.filter(({ lane, seq }) => seq > (document.floors.get(lane) ?? 0));
    }
    const held = { header, vector, vectorBytes: vectorBytes.length };
    this.replication.checkpointed(entry.id, held, document.floors, this.nowMs);
  }

  /** Carries out all effects; frames wait in `sent`. */
  async drain(): Promise<void> {
    for (;;) {
      const effects = this.replication.takeEffects();
      if (effects.length === 0) return;
      for (const effect of effects) await this.#carryOut(effect);
    }
  }

  async #carryOut(effect: SyncEffect): Promise<void> {
    const answer = (value: unknown) => {
      if (!("id" in effect)) throw new Error("no request");
      this.replication.complete(effect.id, value as never, this.nowMs);
    };
    switch (effect.type) {
      case "send":
        this.sent.push(effect);
        return;
      case "event":
        this.events.push(effect.event);
        return;
      case "sign":
        return answer(await seededSigner(this.seed).sign(effect.bytes));
      case "verify": {
        const { devicePublicKey, bytes, signature } = effect;
        return answer(await testVerifier.verify(devicePublicKey, bytes, signature));
      }
      case "verifyLane":
        return answer(await verifyLane(effect.lane, testVerifier));
      case "verifyRun": {
        const isLane = !effect.isLaneNew || (await verifyLane(effect.lane, testVerifier));
        const { run, lane } = effect;
        return answer(isLane && (await verifyRun(run, lane.devicePublicKey, testVerifier)));
      }
      case "load":
        return later(this.#heldLoads, () => {
          const isUnreadable = this.unreadable.has(effect.document);
          answer(isUnreadable ? "unreadable" : loadFromDisk(this.disk, effect.document));
        });
      case "read":
        return answer(readFromDisk(this.disk, effect));
      case "readCheckpoint":
        return answer(readCheckpointFromDisk(this.disk, effect));
      case "adoptCheckpoint":
        if (this.fails.has(effect.type)) return answer({ outcome: "unreadable" });
        return answer(adoptOnDisk(this.disk, effect));
      case "store":
        return later(this.#heldStores, () => {
          answer(storeOnDisk(this.disk, effect, this.refuses, this.causes));
        });
      case "changes":
        if (this.fails.has(effect.type)) return answer("unreadable");
        return answer(changesOnDisk(this.disk, effect.after));
      case "library":
        if (this.fails.has(effect.type)) return answer("unreadable");
        return answer(libraryOnDisk(this.disk));
      case "digests":
        return answer(effect.documents.map((id) => digestOnDisk(this.disk, id)));
      case "digest":
        return answer(this.digest(effect.log, effect.isThorough));
      default:
        this.#keep(effect);
    }
  }

  #keep(effect: SyncEffect): void {
    switch (effect.type) {
      case "keepAcks":
        this.kept.push(effect);
        for (const ack of effect.acks) {
          const key = ack.store + ack.document + ack.lane;
          if (ack.seq === 0) this.disk.acks.delete(key);
          else this.disk.acks.set(key, ack);
        }
        return;
      case "keepRefusal":
        this.disk.refusals.set(effect.refusal.lane, effect.refusal);
        return;
      case "forgetRefusal":
        this.disk.refusals.delete(effect.refusal.lane);
        return;
      case "keepCursor":
        this.disk.cursors.set(effect.store, effect.cursor);
        return;
      default:
        this.kept.push(effect);
    }
  }
}

/** When somebody calls it, where that is kept; else now. */
function later(held: (() => void)[] | undefined, act: () => void): void {
  if (held) held.push(act);
  else act();
}

/** Bytes that look random and are the same each time; 32 at most. */
function drawnBytes(length: number, label: string): Uint8Array {
  return testHash.sha256(encodeUtf8(label)).slice(0, length);
}
