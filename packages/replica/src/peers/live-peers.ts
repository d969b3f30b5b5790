import type { DocumentEntry, DocumentId } from "@heddle/core";
import type {
  Connection,
  KeptRefusal,
  OutboxSize,
  PeerKey,
  SyncCounters,
  SyncEvent,
} from "@heddle/sync";

import type { EventListeners } from "../live/event-listeners.ts";
import { copyDocument } from "./copy-document.ts";
import type { DialerChange, DialerState } from "./dialer-state.ts";
import { readBranch, readForkedLanes, type ForkedLane } from "./forked-lanes.ts";
import type { Replica } from "../replica.ts";
import type { PeerHost } from "./peer-host.ts";
import type { PeerPresence } from "./peer-presence.ts";
import type { PeerSet } from "./peer-set.ts";
import type { RunningPeerSource } from "./peer-source.ts";
import { readRefused, type RefusedEdit, type RefusedReading } from "./read-refused.ts";
import type { Copies } from "./replication-waits.ts";
import type { WaitOptions } from "../wait-until.ts";

/** What this device has written and nobody else is known to have: it would be lost with this disk. */
export interface OutboxView {
  readonly envelopes: number;
  readonly bytes: number;
  /** When the oldest was written, wall clock in milliseconds; `undefined` when there is nothing. */
  readonly oldestMs: number | undefined;
  /** Documents that need not be open. */
  readonly byDocument: ReadonlyMap<DocumentId, OutboxSize>;
}

/** What the peers of a replica tell, by name. */
export interface PeerEvents {
  /** Whatever the wire has to tell. */
  sync: SyncEvent;
  /** A step of the connection to the peer of that name. */
  connection: DialerChange & { readonly peer: string };
}

/** What the peers of a live replica are made of. */
export interface LivePeersParts {
  readonly host: PeerHost;
  readonly set: PeerSet;
  /** Peers that were not named. */
  readonly found: readonly RunningPeerSource[];
  readonly events: EventListeners<PeerEvents>;
  /** What was refused is read from it, and copied. */
  readonly reading: RefusedReading & { readonly replica: Replica };
}

/** The peers of an embedded replica, and what of it they have. */
export class LivePeers {
  readonly #parts: LivePeersParts;

  constructor(parts: LivePeersParts) {
    this.#parts = parts;
  }

  /** Where the connection to each peer stands, by the peer's name. */
  get states(): ReadonlyMap<string, DialerState> {
    const { set, found } = this.#parts;
    const states = new Map(set.states);
    for (const source of found) for (const [name, state] of source.states) states.set(name, state);
    return states;
  }

  /** What happened on all sessions so far. */
  get counters(): Readonly<SyncCounters> {
    return this.#parts.host.counters;
  }

  /** Who is where: live documents are shown it. */
  get presence(): PeerPresence {
    return this.#parts.host.presence;
  }

  /** The returned function stops it. */
  on<Name extends keyof PeerEvents>(
    name: Name,
    listener: (event: PeerEvents[Name]) => void,
  ): () => void {
    return this.#parts.events.on(name, listener);
  }

  get outbox(): OutboxView {
    const byDocument = this.#parts.host.machine?.outbox ?? new Map<DocumentId, OutboxSize>();
    let envelopes = 0;
    let bytes = 0;
    let oldestMs: number | undefined;
    for (const size of byDocument.values()) {
      envelopes += size.count;
      bytes += size.bytes;
      oldestMs = Math.min(oldestMs ?? Infinity, size.oldestMs);
    }
    return { envelopes, bytes, oldestMs, byDocument };
  }

  /** What peers have refused for good: kept over restarts, and not sent to them. All else goes on. */
  get refused(): readonly KeptRefusal[] {
    return this.#parts.host.machine?.refusals ?? [];
  }

  /** Offers a refused lane again, to everybody who refused it. */
  retryRefused(refusal: Pick<KeptRefusal, "document" | "lane">): void {
    this.#parts.host.retryRefused(refusal);
  }

  /**
   * What was refused, edit by edit: with its Yjs update, when it was written, and what the application
   * said of it.
   *
   * @throws HeddleError `HEDDLE_STORAGE_*`.
   */
  refusedEdits(refusal: KeptRefusal): AsyncIterable<RefusedEdit> {
    return readRefused(this.#parts.reading, refusal);
  }

  /**
   * The Yjs updates of it alone, in order.
   *
   * @throws HeddleError `HEDDLE_STORAGE_*`.
   */
  async exportRefused(refusal: KeptRefusal): Promise<readonly Uint8Array[]> {
    const updates: Uint8Array[] = [];
    for await (const { update } of this.refusedEdits(refusal)) updates.push(update);
    return updates;
  }

  /**
   * Puts the document of which something was refused, as it is shown here, into one that has nothing
   * yet: what was refused goes on there, with all that it builds on. The old document, and the refusal,
   * stay as they are.
   *
   * @throws HeddleError as {@link copyDocument}.
   */
  copyRefused({ document }: Pick<KeptRefusal, "document">, name: string): Promise<void> {
    return copyDocument(this.#parts.reading, document, name);
  }

  /** The peer of a session, as it was named or found; `undefined` for one that came by itself. */
  nameOf(peer: PeerKey): string | undefined {
    const { set, found } = this.#parts;
    for (const each of [set, ...found]) {
      const name = each.nameOf(peer);
      if (name !== undefined) return name;
    }
    return undefined;
  }

  /** Speaks with a peer that came by itself. */
  accept(connection: Connection): void {
    this.#parts.host.connect(connection, "acceptor");
  }

  /**
   * Lanes of a document that were written twice, and what is here of both histories: nothing of either
   * is thrown away.
   *
   * @throws HeddleError `HEDDLE_STORAGE_*`.
   */
  forks(document: DocumentId): Promise<readonly ForkedLane[]> {
    return readForkedLanes(this.#parts.reading, document);
  }

  /** The Yjs updates of one branch; see {@link readBranch}. */
  exportBranch(fork: ForkedLane, id: string): Promise<readonly Uint8Array[] | undefined> {
    return readBranch(this.#parts.reading, fork, id);
  }

  /** What the platform knows of the network: offline nothing is dialed, and nothing fails. */
  setOnline(isOnline: boolean): void {
    const { set, found } = this.#parts;
    for (const each of [set, ...found]) each.setOnline(isOnline);
  }

  /**
   * What the application's `mayOffer` answers has changed: sessions begin anew, so that nothing stays open that
   * a peer is not to have any more, and what it may have now is brought over.
   */
  reviewOffers(): void {
    this.#parts.host.reviewOffers();
  }

  /** Dials at once what waits, or was refused. */
  retryNow(): void {
    const { set, found } = this.#parts;
    for (const each of [set, ...found]) each.retryNow();
  }

  /** Exchanges a document with every peer from now on; the returned function takes that back. */
  want(entry: DocumentEntry): () => void {
    return this.#parts.host.want(entry);
  }

  /** @throws HeddleError as {@link PeerHost.whenReplicated}. */
  whenReplicated(document: DocumentId, copies: Copies, options?: WaitOptions): Promise<void> {
    return this.#parts.host.whenReplicated(document, copies, options);
  }

  /** Says goodbye to everybody. Resolves when nobody is listened to any more. */
  async stop(): Promise<void> {
    const { set, found, host } = this.#parts;
    set.stop();
    host.stop();
    await Promise.all(found.map((source) => source.stop()));
  }
}
