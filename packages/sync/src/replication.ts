import {
  assert,
  HeddleErrorCode,
  type DocumentEntry,
  type DocumentId,
  type Envelope,
  type LaneDescriptor,
  type LaneId,
  type StoreId,
} from "@heddle/core";

import type { Side } from "./handshake.ts";
import { OpenDocuments } from "./open-documents.ts";
import type { PeerStanding } from "./link-lag.ts";
import { LiveSessions } from "./live-sessions.ts";
import { MachineContext } from "./machine-context.ts";
import type { Outbox, ReplicatedBy } from "./outbox.ts";
import type { OutboxSize } from "./own-envelopes.ts";
import { PeerFeeds } from "./peer-feeds.ts";
import type { ReplicationOptions } from "./sync-context.ts";
import { newSyncCounters } from "./sync-counters.ts";
import type {
  FeedCursor,
  HeldCheckpoint,
  KeptOutbox,
  KeptRefusal,
  PeerChoice,
  PeerKey,
  RequestId,
  RequestName,
  SyncEffect,
  SyncRequests,
} from "./sync-effects.ts";
import { SessionGate } from "./session-gate.ts";
import { UnwantedDocuments } from "./unwanted-documents.ts";
import { wireLimits } from "./wire-limits.ts";

/**
 * All that a replica does on the wire, for all peers and documents, without doing any of it: calls are
 * inputs, {@link takeEffects} is the output. No clock, no randomness but the port, no I/O; the same
 * inputs give the same outputs.
 *
 * - Contiguous accept per lane, across all sessions; nothing is acknowledged that is not on disk (I3).
 * - Peers are pushed what they lack, in the order in which it arrived here (I10).
 * - What a peer makes this replica hold is bounded by the credit it was given.
 *
 * The host carries effects out, answers requests with {@link complete}, and calls {@link tick} a few
 * times a second. After a failed `store` it makes a new one from the log.
 */
export class Replication {
  readonly counters = newSyncCounters();
  readonly #options: ReplicationOptions;
  readonly #context: MachineContext;
  readonly #documents: OpenDocuments;
  readonly #unwanted: UnwantedDocuments;
  readonly #feeds: PeerFeeds;
  readonly #outbox: Outbox;
  readonly #sessions: LiveSessions;
  readonly #awaited = new Set<DocumentId>();
  readonly #wanted = new Map<DocumentId, DocumentEntry>();
  readonly #gate: SessionGate;
  #connections = 0;
  #hasFailed = false;

  /** `cursors` are those of `keepCursor`, by store id; `kept` is what `keepAcks` and `keepRefusal` kept. */
  constructor(
    options: ReplicationOptions,
    cursors: ReadonlyMap<string, FeedCursor> = new Map(),
    kept: KeptOutbox = {},
  ) {
    this.#options = options;
    this.#context = new MachineContext(options, this.counters, kept, {
      emit: (effect) => this.#emit(effect),
      isAwaited: (document) => this.#awaited.has(document),
      linksOf: (document) => this.#documents.linksOf(document),
    });
    this.#outbox = this.#context.outbox;
    this.#documents = new OpenDocuments(this.#context, {
      onFailure: () => this.#fail(),
      onLeaving: (document) => this.#feeds.library.leaving(document),
    });
    this.#unwanted = new UnwantedDocuments(this.#documents, options);
    this.#gate = new SessionGate(this.#context, this.#documents);
    const isWanted = (id: DocumentId) => this.#wanted.has(id) || this.#gate.isFirst(id);
    this.#feeds = new PeerFeeds(this.#context, this.#documents, { cursors, isWanted });
    this.#sessions = new LiveSessions(this.#context, {
      documents: this.#documents,
      gate: this.#gate,
      feeds: this.#feeds,
      wanted: this.#wanted,
    });
  }

  /** True after the store failed: nothing more comes of this machine. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /** Documents in memory: those that some session exchanges, and what they left on its way to disk. */
  get documentCount(): number {
    return this.#documents.count;
  }

  /** Stores that are known: they hold something of ours, or there is a session with them. */
  get storeCount(): number {
    return this.#outbox.storeCount;
  }

  /** What all peers together make this replica hold. */
  get heldBytes(): number {
    return this.#context.heldBytes + this.#sessions.heldBytes;
  }

  /** Every live session has all that this replica has, and the other way round. */
  get isSettled(): boolean {
    return this.#documents.areIdle && this.#sessions.areSettled;
  }

  /** Nothing that came in is on its way to disk. */
  get isIdle(): boolean {
    return this.#documents.areIdle;
  }

  connect(peer: PeerKey, side: Side, nowMs: number): void {
    this.#input(nowMs, () => {
      assert(!this.#sessions.get(peer), "a connection has a key of its own");
      this.#sessions.begin({ key: peer, connection: ++this.#connections, side });
    });
  }

  receive(peer: PeerKey, bytes: Uint8Array, nowMs: number): void {
    this.#input(nowMs, () => {
      const session = this.#sessions.get(peer);
      if (session === undefined) return;
      session.receive(bytes);
      this.#gate.review(session);
      this.#feeds.followers.heard(session);
    });
  }

  /** The transport of a session is gone. */
  disconnected(peer: PeerKey, nowMs: number): void {
    this.#input(nowMs, () => this.#sessions.get(peer)?.closed(HeddleErrorCode.sessionClosed));
  }

  /** Nobody here wants it any more; see {@link UnwantedDocuments}. */
  unwant(document: DocumentId): void {
    this.#wanted.delete(document);
    this.#unwanted.add(document);
  }

  /** Exchange this document with every peer, now and later. */
  want(entry: DocumentEntry, nowMs: number): void {
    this.#input(nowMs, () => {
      this.#wanted.set(entry.id, entry);
      this.#unwanted.delete(entry.id);
      for (const session of this.#sessions.all) {
        if (this.#gate.isOpen(session)) this.#documents.link(session, entry);
      }
    });
  }

  /** Whether somebody waits for peers to have the document: they are asked to say so at once. */
  setAwaited(document: DocumentId, isAwaited: boolean, nowMs: number): void {
    this.#input(nowMs, () => {
      if (!isAwaited) return void this.#awaited.delete(document);
      this.#awaited.add(document);
      for (const link of this.#context.linksOf(document)) link.askAck();
    });
  }

  /**
   * The lane that this process seals envelopes into, or none any more. Envelopes of it that come from
   * elsewhere are reported (`lane.taken`) and not taken.
   */
  writes(lane: LaneId | undefined): void {
    this.#context.writtenLane = lane;
  }

  /** A commit group is on disk, and no peer has a document of it open. */
  storedUnseen(arrival: number, documents: Iterable<DocumentId>): void {
    this.#context.arrived(arrival);
    for (const document of documents) this.#feeds.library.changed(document);
  }

  /** Envelopes that this replica wrote are on disk, under this arrival number. */
  storedHere(
    entry: DocumentEntry,
    run: readonly Envelope[],
    lane: LaneDescriptor,
    arrival: number,
    nowMs: number,
  ): void {
    this.#input(nowMs, () => {
      this.#context.lanes.add(lane);
      if (this.#options.hasOutbox !== false) this.#outbox.written(run);
      this.#context.arrived(arrival);
      // What is being loaded may have been read before this was on disk.
      this.#documents.whenLoaded(entry.id, (exchange) => exchange.storedHere(run));
      this.#feeds.changed(entry);
    });
  }

  /** A checkpoint that this replica built is on disk, and the log up to `floors` is gone. */
  checkpointed(
    document: DocumentId,
    checkpoint: HeldCheckpoint,
    floors: ReadonlyMap<LaneId, number>,
    nowMs: number,
  ): void {
    this.#input(nowMs, () => {
      this.#documents.whenLoaded(document, ({ ledger }) => ledger.checkpointed(checkpoint, floors));
    });
  }

  /** Compares a document with all peers that have it open; `document.agreed` or `document.drifted` tells. */
  compare(document: DocumentId, nowMs: number): void {
    this.#input(nowMs, () => {
      for (const link of this.#context.linksOf(document)) link.askDigest();
    });
  }

  /** How the log here stands to the one of a store that has the document open; see {@link PeerStanding}. */
  standing(document: DocumentId, store: StoreId): PeerStanding | undefined {
    const links = this.#context.linksOf(document);
    return links.find(({ session }) => session.peer.store === store)?.lag.standing;
  }

  /** What is on disk of a document is other than it was told: its sessions end, and begin anew. */
  reload(document: DocumentId, nowMs: number): void {
    this.#input(nowMs, () => this.#documents.reload(document));
  }

  complete<Name extends RequestName>(
    id: RequestId,
    answer: SyncRequests[Name]["answer"],
    nowMs: number,
  ): void {
    this.#input(nowMs, () => {
      this.#context.answer(id, answer);
    });
  }

  tick(nowMs: number): void {
    this.#input(nowMs, () => {
      for (const session of this.#sessions.all) session.tick();
      this.#documents.tick();
      this.#gate.tick();
      this.#unwanted.tick();
      this.#context.checkpoints.tick();
      this.#feeds.tick([...this.#sessions.all]);
      this.#outbox.tick();
      this.#documents.forgetUnused();
    });
  }

  /** Ends all sessions. */
  stop(code: HeddleErrorCode, nowMs: number): void {
    this.#input(nowMs, () => this.#sessions.stop(code));
  }

  takeEffects(): SyncEffect[] {
    return this.#context.takeEffects();
  }

  /** Highest seq of a lane of a document that is proven to be on a peer's disk; see `outbox`. */
  confirmedBy(peer: PeerKey, document: DocumentId, lane: LaneId): number {
    const link = this.#sessions.get(peer)?.documents.linkTo(document);
    return link?.positions.confirmedSeq(lane) ?? 0;
  }

  /**
   * The outbox towards a peer, as a view: per document that is exchanged with it, how many envelopes on
   * our disk are not proven to be on its. Lanes that are frozen do not count.
   */
  missingAt(peer: PeerKey): ReadonlyMap<DocumentId, number> {
    return this.#sessions.get(peer)?.missingThere ?? new Map();
  }

  /**
   * Our own envelopes that a store does not have, by document: how many, how large, how old. Of
   * documents that are not open too, from what was kept.
   */
  outboxTo(store: StoreId): ReadonlyMap<DocumentId, OutboxSize> {
    return this.#outbox.sizesTo(store);
  }

  /** How many other stores have an envelope of ours on disk; `lane.replicated` says when that grows. */
  replicatedBy(document: DocumentId, lane: LaneId, seq: number): ReplicatedBy {
    return this.#outbox.replicatedBy(document, lane, seq);
  }

  /** Our own envelopes that no other store is known to have; the last thing to lose with this disk. */
  get outbox(): ReadonlyMap<DocumentId, OutboxSize> {
    return this.#outbox.sizesHereOnly();
  }

  /** The last seq of each of our lanes in a document. */
  ownTops(document: DocumentId): ReadonlyMap<LaneId, number> {
    return this.#outbox.topsOf(document);
  }

  /** Lanes of ours that stores refused for good, and that are not sent to them. */
  get refusals(): readonly KeptRefusal[] {
    return this.#context.refusedLanes.all;
  }

  /** Offers a refused lane again, to one store or to all that refused it. */
  retryRefused(document: DocumentId, lane: LaneId, nowMs: number, store?: StoreId): void {
    this.#input(nowMs, () => this.#context.refusedLanes.retry(document, lane, store));
  }

  /** Who may write what may have changed for both sides: a peer is offered again what it forbade. */
  retryForbidden(peer: PeerKey, nowMs: number): void {
    this.#input(nowMs, () => this.#sessions.get(peer)?.retryForbidden());
  }

  /**
   * Presence for the peers that have the document open, behind what of it is on disk. Never stored;
   * where it finds no room it is dropped, and `presence.due` asks for all of it later.
   */
  sendEphemeral(
    document: DocumentId,
    payload: Uint8Array,
    nowMs: number,
    to: PeerChoice = {},
  ): void {
    assert(payload.length <= wireLimits.ephemeralBytesMax, "presence keeps its cap");
    this.#input(nowMs, () => {
      for (const link of this.#context.linksOf(document)) {
        const { key } = link.session;
        if (key !== to.except && key === (to.only ?? key)) link.presence.send(payload);
      }
    });
  }

  #fail(): void {
    this.#hasFailed = true;
    for (const session of this.#sessions.all) session.close(HeddleErrorCode.storageIo);
  }

  #input(nowMs: number, action: () => void): void {
    this.#context.advance(nowMs);
    if (this.#hasFailed) return;
    action();
    for (const session of this.#sessions.all) session.pump();
  }

  #emit(effect: SyncEffect): void {
    if (!this.#feeds.cursors.lets(effect)) return;
    this.#context.push(effect);
    if (effect.type !== "event") return;
    const { event } = effect;
    const { name } = event;
    if (name !== "document.received" && name !== "document.adopted" && name !== "lane.forked")
      return;
    this.#feeds.changed(event.entry);
  }
}
