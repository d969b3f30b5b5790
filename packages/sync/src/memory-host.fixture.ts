import {
  concatBytes,
  decodeCheckpointVector,
  equalBytes,
  encodeCheckpointVector,
  hashCheckpointVector,
  isCheckpointWhole,
  openSpaceId,
  PayloadCodec,
  signCheckpoint,
  storeId,
  verifyLane,
  verifyRun,
  type CheckpointHeader,
  type DocumentEntry,
  type DocumentId,
  type Envelope,
  type LaneDescriptor,
  type LaneId,
  type LanePosition,
  type VersionVector,
} from "@heddle/core";
import { encodeUtf8 } from "lib0/string";

import { seededSigner, testHash, testVerifier, type FixtureLane } from "./environment.fixture.ts";
import { countingBytes } from "./frames.fixture.ts";
import { Replication } from "./replication.ts";
import { PeerRole, type ReplicationOptions } from "./sync-context.ts";
import type {
  AdoptAnswer,
  DigestAnswer,
  FeedCursor,
  Incarnation,
  KeptAck,
  KeptOutbox,
  KeptRefusal,
  OfferedCheckpoint,
  SyncEffect,
  SyncEvent,
  SyncRequests,
} from "./sync-effects.ts";

interface MemoryCheckpoint {
  readonly header: CheckpointHeader;
  readonly vector: VersionVector;
  readonly vectorBytes: Uint8Array;
  readonly payload: Uint8Array;
}

export interface MemoryDocument {
  readonly entry: DocumentEntry;
  readonly vector: Map<LaneId, LanePosition>;
  log: Envelope[];
  floors: ReadonlyMap<LaneId, number>;
  checkpoint?: MemoryCheckpoint;
  lastArrival: number;
}

/** What survives a restart of a {@link MemoryHost}. */
export class MemoryDisk {
  readonly documents = new Map<DocumentId, MemoryDocument>();
  readonly lanes = new Map<LaneId, LaneDescriptor>();
  readonly cursors = new Map<string, FeedCursor>();
  readonly incarnations: Incarnation[] = [];
  /** Lanes that this replica wrote. */
  readonly own = new Set<LaneId>();
  readonly acks = new Map<string, KeptAck>();
  readonly refusals = new Map<string, KeptRefusal>();
  arrivals = 0;

  /** A copy, as of now. */
  clone(): MemoryDisk {
    const copy = new MemoryDisk();
    for (const [id, document] of this.documents) {
      copy.documents.set(id, {
        ...document,
        vector: new Map(document.vector),
        log: [...document.log],
      });
    }
    for (const [id, lane] of this.lanes) copy.lanes.set(id, lane);
    for (const [id, cursor] of this.cursors) copy.cursors.set(id, cursor);
    copy.incarnations.push(...this.incarnations);
    for (const lane of this.own) copy.own.add(lane);
    for (const [key, ack] of this.acks) copy.acks.set(key, ack);
    for (const [key, refusal] of this.refusals) copy.refusals.set(key, refusal);
    copy.arrivals = this.arrivals;
    return copy;
  }

  keptOutbox(): KeptOutbox {
    const logs = [...this.documents.values()].flatMap(({ log }) => log);
    const own = logs
      .filter(({ lane }) => this.own.has(lane))
      .map(({ document, lane, seq, bytes, hlc }) => {
        const [fromSeq, toSeq] = [seq, seq];
        return { document, lane, fromSeq, toSeq, bytes: bytes.length, writtenMs: hlc.wallMs };
      });
    return { own, acks: [...this.acks.values()], refusals: [...this.refusals.values()] };
  }

  documentOf(entry: DocumentEntry): MemoryDocument {
    const known = this.documents.get(entry.id);
    const document = known ?? {
      entry,
      vector: new Map(),
      log: [],
      floors: new Map(),
      lastArrival: 0,
    };
    this.documents.set(entry.id, document);
    return document;
  }

  add(entry: DocumentEntry, run: readonly Envelope[]): void {
    const document = this.documentOf(entry);
    const { vector, log } = document;
    document.lastArrival = ++this.arrivals;
    for (const envelope of run) {
      const have = vector.get(envelope.lane)?.seq ?? 0;
      if (envelope.seq !== have + 1) throw new Error(`I1: ${have} then ${envelope.seq}`);
      vector.set(envelope.lane, { seq: envelope.seq, head: envelope.id });
      log.push(envelope);
    }
  }
}

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
  nowMs = 0;
  /** What the host answers when it is asked for digests. */
  digest: (log: Uint8Array) => DigestAnswer = () => ({ outcome: "unavailable" });
  /** Documents that cannot be read now. */
  readonly unreadable = new Set<DocumentId>();
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

  /** Writes envelopes of a lane as a local writer does. */
  async write(lane: FixtureLane, count: number): Promise<void> {
    const run = await lane.run(count);
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
        return answer(this.#load(effect.document));
      case "read":
        return answer(this.#read(effect));
      case "readCheckpoint":
        return answer(this.#readCheckpoint(effect));
      case "adoptCheckpoint":
        return answer(this.#adopt(effect));
      case "store":
        if (this.#heldStores) this.#heldStores.push(() => answer(this.#store(effect)));
        else answer(this.#store(effect));
        return;
      case "changes":
        return answer(this.#changes(effect.after));
      case "digest":
        return answer(this.digest(effect.log));
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

  #store({ entry, runs }: SyncRequests["store"]["ask"]): SyncRequests["store"]["answer"] {
    const verdicts = runs.map(({ lane, run }) => {
      if (this.refuses.has(lane.id)) return "refused" as const;
      this.disk.lanes.set(lane.id, lane);
      this.disk.add(entry, run);
      return "stored" as const;
    });
    return { outcome: "stored", verdicts, arrival: this.disk.arrivals };
  }

  #changes(after: number): DocumentEntry[] {
    return [...this.disk.documents.values()]
      .filter((document) => document.lastArrival > after)
      .map(({ entry }) => entry);
  }

  #load(id: DocumentId): SyncRequests["load"]["answer"] {
    if (this.unreadable.has(id)) return "unreadable";
    const document = this.disk.documents.get(id);
    if (!document) return undefined;
    const { entry, vector, floors, checkpoint } = document;
    const held = checkpoint && { ...checkpoint, vectorBytes: checkpoint.vectorBytes.length };
    return { entry, vector: new Map(vector), forks: [], floors, checkpoint: held };
  }

  #read({ document, above, lane }: SyncRequests["read"]["ask"]): SyncRequests["read"]["answer"] {
    const log = this.disk.documents.get(document)?.log ?? [];
    const envelopes = log.filter((envelope) => {
      const isWanted = lane === undefined || envelope.lane === lane;
      return isWanted && envelope.seq > (above.get(envelope.lane) ?? 0);
    });
    return { envelopes, lanes: this.disk.lanes };
  }

  #readCheckpoint(
    ask: SyncRequests["readCheckpoint"]["ask"],
  ): SyncRequests["readCheckpoint"]["answer"] {
    const checkpoint = this.disk.documents.get(ask.document)?.checkpoint;
    if (!checkpoint || !equalBytes(checkpoint.header.id, ask.checkpoint))
      return { outcome: "gone" };
    const whole = concatBytes([checkpoint.vectorBytes, checkpoint.payload]);
    return { outcome: "read", bytes: whole.slice(ask.offset, ask.offset + ask.bytesMax) };
  }

  #adopt({ entry, header, vector: vectorBytes, payload }: OfferedCheckpoint): AdoptAnswer {
    if (!isCheckpointWhole(testHash, header, { vector: [vectorBytes], payload })) {
      return { outcome: "refused", reason: "damaged" };
    }
    if (!equalBytes(header.digestS, testHash.sha256(payload))) {
      return { outcome: "refused", reason: "content" };
    }
    const { vector } = decodeCheckpointVector([vectorBytes]);
    const document = this.disk.documentOf(entry);
    const floors = new Map(document.floors);
    for (const [lane, position] of vector) {
      if (position.seq <= (document.vector.get(lane)?.seq ?? 0)) continue;
      document.vector.set(lane, position);
      floors.set(lane, position.seq);
    }
    document.floors = floors;
    document.log = document.log.filter(({ lane, seq }) => seq > (floors.get(lane) ?? 0));
    document.checkpoint = { header, vector, vectorBytes, payload };
    const checkpoint = { header, vector, vectorBytes: vectorBytes.length };
    const arrival = ++this.disk.arrivals;
    document.lastArrival = arrival;
    return { outcome: "adopted", vector: document.vector, floors, checkpoint, arrival };
  }
}

/** Bytes that look random and are the same each time; 32 at most. */
function drawnBytes(length: number, label: string): Uint8Array {
  return testHash.sha256(encodeUtf8(label)).slice(0, length);
}

/** Both ends of one connection; a frame for which `passes` is false is lost. */
export async function exchange(
  a: MemoryHost,
  b: MemoryHost,
  passes: (bytes: Uint8Array, from: MemoryHost) => boolean = () => true,
): Promise<void> {
  for (let round = 0; round < 400; round++) {
    await a.drain();
    await b.drain();
    const [fromA, fromB] = [a.sent.splice(0), b.sent.splice(0)];
    if (fromA.length + fromB.length === 0) return;
    for (const { peer, bytes } of fromA) {
      if (passes(bytes, a)) b.replication.receive(peer, bytes, b.nowMs);
    }
    for (const { peer, bytes } of fromB) {
      if (passes(bytes, b)) a.replication.receive(peer, bytes, a.nowMs);
    }
  }
  throw new Error("the wire does not become quiet");
}

/** Opens connection `key` between two hosts. */
export function connect(a: MemoryHost, b: MemoryHost, key: number): void {
  a.replication.connect(key, "initiator", a.nowMs);
  b.replication.connect(key, "acceptor", b.nowMs);
}

/** The connection is gone, for both, and what is on its way with it. */
export function disconnect(a: MemoryHost, b: MemoryHost, key: number): void {
  for (const host of [a, b]) {
    host.sent.splice(0);
    host.replication.disconnected(key, host.nowMs);
  }
}

/** Lets time pass at both, in steps of `stepMs`, with everything exchanged. */
export async function pass(
  a: MemoryHost,
  b: MemoryHost,
  ms: number,
  passes?: (bytes: Uint8Array, from: MemoryHost) => boolean,
  stepMs = 500,
): Promise<void> {
  for (let passed = 0; passed < ms; passed += stepMs) {
    for (const host of [a, b]) {
      host.nowMs += stepMs;
      host.replication.tick(host.nowMs);
    }
    await exchange(a, b, passes);
  }
}
