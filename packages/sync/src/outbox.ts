import {
  equalBytes,
  type DocumentId,
  type Envelope,
  type EnvelopeId,
  type LaneId,
  type StoreId,
} from "@heddle/core";

import type { FrameOf } from "./frame.ts";
import { emptyOutbox, OwnEnvelopes, type OutboxSize, type OwnTops } from "./own-envelopes.ts";
import { PeerRole, type SyncContext } from "./sync-context.ts";
import type { KeptAck, KeptOutbox } from "./sync-effects.ts";

type Acks = Map<LaneId, { readonly seq: number; readonly head: EnvelopeId | undefined }>;

interface PeerStore {
  incarnation: Uint8Array;
  /** Of the session that began last; none yet since the start. */
  greeting: FrameOf<"hello"> | undefined;
  isRelay: boolean;
  readonly acks: Map<DocumentId, Acks>;
  /** Acks of an incarnation that may not be this one's past; they do not count. */
  readonly unsure: Map<DocumentId, Acks>;
}

/** A position of a peer in a lane; the id there, where it is at hand. */
export type ProvenPosition = Pick<KeptAck, "document" | "lane" | "seq" | "head">;

/** Who holds an envelope beside this replica. */
export interface ReplicatedBy {
  /** Distinct stores that have it on disk, each of which proved it. */
  readonly stores: number;
  readonly isRelayed: boolean;
}

/**
 * What of this replica's own envelopes is on which peer's disk, over sessions and restarts. The outbox is
 * what is not: a view, there is no queue. A connection whose other end is gone may still deliver for a
 * while: only the session that began last can take an acknowledgement back, and only sessions of that
 * incarnation can give one.
 *
 *   confirmed ──kept, a second later──► on our disk ──next session──► same incarnation: counts
 *                                                          └ another: unsure, until the peer's CURSOR shows
 *                                                            what it holds, or a HAVE says it
 */
export class Outbox {
  readonly own = new OwnEnvelopes();
  readonly #context: SyncContext;
  readonly #stores = new Map<StoreId, PeerStore>();
  /** Lanes of ours that somebody has acknowledged: of what all have, {@link own} is not told at a start. */
  readonly #ackedLanes = new Set<LaneId>();
  /** What is to be kept, by document; and when it was kept last. */
  readonly #dirty = new Map<DocumentId, Map<StoreId, Set<LaneId>>>();
  readonly #keptMs = new Map<DocumentId, number>();

  constructor(context: SyncContext, kept: KeptOutbox) {
    this.#context = context;
    for (const { document, lane, ...run } of kept.own ?? []) this.own.add(document, lane, run);
    for (const { store, incarnation, isRelay, document, lane, seq, head } of kept.acks ?? []) {
      const peer = this.#storeOf(store, incarnation, isRelay);
      acksIn(peer.acks, document).set(lane, { seq, head });
      this.#ackedLanes.add(lane);
    }
  }

  get storeCount(): number {
    return this.#stores.size;
  }

  /** Envelopes of ours are on our disk. */
  written(envelopes: readonly Envelope[]): void {
    this.own.written(envelopes);
  }

  /** A session with this peer begins; no other session with it is on a later connection. */
  began(hello: FrameOf<"hello">): void {
    const { store, incarnation, role } = hello;
    if (role === PeerRole.tab) return;
    const isRelay = role === PeerRole.relay;
    const peer = this.#storeOf(store, incarnation, isRelay);
    peer.greeting = hello;
    peer.isRelay = isRelay;
    if (equalBytes(peer.incarnation, incarnation)) return;
    peer.incarnation = incarnation.slice();
    for (const [document, acks] of peer.acks) peer.unsure.set(document, acks);
    peer.acks.clear();
  }

  /** There is no session with this store any more. Of a stranger that holds nothing nothing is kept. */
  ended(store: StoreId): void {
    this.keepAll();
    const peer = this.#stores.get(store);
    if (peer && peer.acks.size + peer.unsure.size === 0) this.#stores.delete(store);
  }

  /** The greeting is of the incarnation that the outbox knows as the store's latest. */
  isPresent(hello: FrameOf<"hello">): boolean {
    return this.#presentOf(hello) !== undefined;
  }

  /**
   * The peer followed our feed to where it says it did, or said what it has: of these documents it has
   * everything. What was kept of its earlier incarnations ends here.
   *
   * @param tops what we had when that was asked for.
   * @param hasAllOf `undefined` when its word is not believed, or nobody knows.
   */
  followed(
    hello: FrameOf<"hello">,
    tops: OwnTops,
    hasAllOf: ((document: DocumentId) => boolean) | undefined,
  ): void {
    const { store } = hello;
    const peer = this.#presentOf(hello);
    if (!peer) return;
    for (const [document, acks] of peer.unsure) {
      for (const lane of acks.keys()) this.#mark(store, document, lane);
    }
    peer.unsure.clear();
    if (hasAllOf === undefined) return;
    for (const [document, lanes] of tops) {
      if (!hasAllOf(document)) continue;
      for (const [lane, seq] of lanes) {
        this.#reached(store, peer, { document, lane, seq, head: undefined });
      }
    }
  }

  /** Proven to be on the peer's disk. */
  confirmed(hello: FrameOf<"hello">, proven: ProvenPosition): void {
    const peer = this.#presentOf(hello);
    const isOurs = this.own.isOwn(proven.lane) || this.#ackedLanes.has(proven.lane);
    if (peer && isOurs) this.#reached(hello.store, peer, proven);
  }

  /** The first word of a peer in a session about a document: what it says is all that it has. */
  restated(hello: FrameOf<"hello">, document: DocumentId, heldSeq: (lane: LaneId) => number): void {
    const { store } = hello;
    const peer = this.#presentOf(hello);
    // Whatever of these is not proven now is not to be believed after a restart either.
    for (const lane of peer?.unsure.get(document)?.keys() ?? []) this.#mark(store, document, lane);
    peer?.unsure.delete(document);
    if (peer?.greeting !== hello) return;
    const acks: Acks = peer.acks.get(document) ?? new Map();
    for (const [lane, { seq }] of acks) {
      const said = heldSeq(lane);
      if (said >= seq) continue;
      // It was restored from a backup, or its disk was replaced.
      this.#context.counters.acksForgotten++;
      if (said === 0) acks.delete(lane);
      else acks.set(lane, { seq: said, head: undefined });
      this.#mark(store, document, lane);
    }
  }

  /**
   * The last seq of each of our lanes in a document. Of what all stores that are known have, only their
   * acknowledgements tell after a restart.
   */
  topsOf(document: DocumentId): ReadonlyMap<LaneId, number> {
    const tops = new Map(this.own.topsOf(document));
    for (const { acks, unsure } of this.#stores.values()) {
      for (const [lane, { seq }] of [
        ...(acks.get(document) ?? []),
        ...(unsure.get(document) ?? []),
      ]) {
        tops.set(lane, Math.max(seq, tops.get(lane) ?? 0));
      }
    }
    return tops;
  }

  /** What a store does not have yet, by document; documents that need not be open. */
  sizesTo(store: StoreId): ReadonlyMap<DocumentId, OutboxSize> {
    const acks = this.#stores.get(store)?.acks;
    return this.#sizesAbove((document, lane) => acks?.get(document)?.get(lane)?.seq ?? 0);
  }

  /** What no store has but ours. */
  sizesHereOnly(): ReadonlyMap<DocumentId, OutboxSize> {
    const stores = [...this.#stores.values()];
    return this.#sizesAbove((document, lane) => {
      return Math.max(0, ...stores.map(({ acks }) => acks.get(document)?.get(lane)?.seq ?? 0));
    });
  }

  replicatedBy(document: DocumentId, lane: LaneId, seq: number): ReplicatedBy {
    let stores = 0;
    let isRelayed = false;
    for (const { acks, isRelay } of this.#stores.values()) {
      if ((acks.get(document)?.get(lane)?.seq ?? 0) < seq) continue;
      stores++;
      isRelayed ||= isRelay;
    }
    return { stores, isRelayed };
  }

  /** Nothing more is on its way for a document: what is known is worth keeping now. */
  settled(document: DocumentId): void {
    this.#keep(document);
  }

  /** A session is over, or all are: what is known now is worth keeping now. */
  keepAll(): void {
    for (const document of this.#dirty.keys()) this.#keep(document);
  }

  tick(): void {
    const { nowMs, limits } = this.#context;
    for (const document of this.#dirty.keys()) {
      const keptMs = this.#keptMs.get(document) ?? -Infinity;
      if (nowMs - keptMs >= limits.keepAckMs) this.#keep(document);
    }
    for (const [document, keptMs] of this.#keptMs) {
      if (nowMs - keptMs >= limits.keepAckMs && !this.#dirty.has(document)) {
        this.#keptMs.delete(document);
      }
    }
  }

  #sizesAbove(
    heldSeq: (document: DocumentId, lane: LaneId) => number,
  ): ReadonlyMap<DocumentId, OutboxSize> {
    const sizes = new Map<DocumentId, OutboxSize>();
    for (const document of this.own.documents) {
      let sum = emptyOutbox;
      for (const lane of this.own.lanesOf(document)) {
        sum = added(sum, this.own.sizeAbove(document, lane, heldSeq(document, lane)));
      }
      if (sum.count > 0) sizes.set(document, sum);
    }
    return sizes;
  }

  #keep(document: DocumentId): void {
    const dirty = this.#dirty.get(document);
    if (!dirty) return;
    this.#dirty.delete(document);
    this.#keptMs.set(document, this.#context.nowMs);
    const acks: KeptAck[] = [];
    for (const [store, lanes] of dirty) {
      const { incarnation, isRelay, acks: ofStore } = this.#stores.get(store)!;
      for (const lane of lanes) {
        const { seq = 0, head } = ofStore.get(document)?.get(lane) ?? {};
        acks.push({ store, incarnation, isRelay, document, lane, seq, head });
      }
    }
    this.#context.emit({ type: "keepAcks", acks });
  }

  #mark(store: StoreId, document: DocumentId, lane: LaneId): void {
    const stores = this.#dirty.get(document) ?? new Map<StoreId, Set<LaneId>>();
    this.#dirty.set(document, stores);
    stores.set(store, (stores.get(store) ?? new Set()).add(lane));
  }

  #reached(store: StoreId, { acks, isRelay }: PeerStore, proven: ProvenPosition): void {
    const { document, lane, seq, head } = proven;
    const ofDocument = acksIn(acks, document);
    if (seq <= (ofDocument.get(lane)?.seq ?? 0)) return;
    ofDocument.set(lane, { seq, head });
    this.#mark(store, document, lane);
    const event = { name: "lane.replicated", document, lane, seq, store, isRelay } as const;
    this.#context.emit({ type: "event", event });
  }

  /** What is known of a store, unless this session is with its past. */
  #presentOf({ store, incarnation }: FrameOf<"hello">): PeerStore | undefined {
    const peer = this.#stores.get(store);
    return peer && equalBytes(peer.incarnation, incarnation) ? peer : undefined;
  }

  #storeOf(store: StoreId, incarnation: Uint8Array, isRelay: boolean): PeerStore {
    const known = this.#stores.get(store);
    if (known) return known;
    const made: PeerStore = {
      incarnation,
      greeting: undefined,
      isRelay,
      acks: new Map(),
      unsure: new Map(),
    };
    this.#stores.set(store, made);
    return made;
  }
}

function acksIn(acks: Map<DocumentId, Acks>, document: DocumentId): Acks {
  const ofDocument: Acks = acks.get(document) ?? new Map();
  acks.set(document, ofDocument);
  return ofDocument;
}

function added(a: OutboxSize, b: OutboxSize): OutboxSize {
  if (a.count === 0 || b.count === 0) return a.count === 0 ? b : a;
  const oldestMs = Math.min(a.oldestMs, b.oldestMs);
  return { count: a.count + b.count, bytes: a.bytes + b.bytes, oldestMs };
}
