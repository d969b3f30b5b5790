import { isHeddleError, type DocumentId } from "@heddle/core";
import type { PresenceChoice, PresenceSource } from "@heddle/replica";

import { encodeAwarenessItems, type AwarenessItem } from "./awareness-codec.ts";
import type { GatewayContext } from "./gateway-context.ts";
import { Presence, type PresenceOutcome, type PresenceOwner } from "./presence.ts";
import { PresencePeer } from "./presence-peer.ts";

/** The stock clients who are shown presence. */
export interface PresenceAudience {
  /** To everybody: an awareness update. */
  showPresence(update: Uint8Array): void;
  /** To the connection that speaks for a client, if it is one of these. */
  showPresenceTo(owner: PresenceOwner, update: Uint8Array): void;
}

/** How presence leaves this process. */
export interface PresenceWay {
  send(document: DocumentId, update: Uint8Array, to: PresenceChoice): void;
}

/** What presence needs of the relay. */
export type PresenceContext = Pick<GatewayContext, "limits" | "counters" | "environment">;

/** A peer that asks again sooner is not answered again. */
const questionEveryMs = 1_000;

/** One frame of the wire, and all that is said at once; the rest comes with renewals. */
const pieceBytesMax = 48 * 1024;
const tableBytesMax = 256 * 1024;

/**
 * Who is here in one document, at this relay and behind its peers. Peers are told what was news, and
 * never who told it: with that nothing goes round in a ring of relays.
 */
export class DocumentPresence {
  audience: PresenceAudience | undefined;
  readonly #document: DocumentId;
  readonly #presence: Presence;
  readonly #context: PresenceContext;
  readonly #way: PresenceWay;
  readonly #answered = new Map<PresencePeer, number>();

  constructor(document: DocumentId, context: PresenceContext, way: PresenceWay) {
    this.#document = document;
    this.#context = context;
    this.#way = way;
    const { limits, counters, environment } = context;
    this.#presence = new Presence({ limits, counters, clock: environment.clock });
  }

  /** Nobody is here, was here lately, or looks. */
  get isUnused(): boolean {
    return this.audience === undefined && this.#presence.isEmpty;
  }

  get clients(): readonly number[] {
    return this.#presence.clients;
  }

  encode(clients: readonly number[]): Uint8Array {
    return this.#presence.encode(clients);
  }

  /** @throws HeddleError `HEDDLE_FRAME_MALFORMED`. */
  decode(update: Uint8Array): readonly AwarenessItem[] {
    return this.#presence.decode(update);
  }

  /**
   * Of a stock client.
   *
   * @throws HeddleError `HEDDLE_FRAME_MALFORMED` for a state of the sender that is no JSON.
   */
  receive(items: readonly AwarenessItem[], sender: PresenceOwner): PresenceOutcome {
    const outcome = this.#presence.receive(items, sender);
    this.#tell(outcome.changed);
    for (const item of outcome.claimed) this.#askPeer(item);
    return outcome;
  }

  receiveFromPeer(update: Uint8Array, peer: PresencePeer): void {
    try {
      const items = this.#presence.decode(update);
      if (items.length === 0) return this.#answer(peer);
      const { changed, returning, doubted } = this.#presence.receive(items, peer);
      this.#tell(changed, peer);
      if (returning.length > 0) this.#send(returning, { only: peer.source });
      for (const client of doubted) this.#askOwner(client);
    } catch (error) {
      if (!isHeddleError(error)) throw error;
      this.#context.counters.awarenessIgnored++;
    }
  }

  /** Tells a peer of everybody. */
  tellAll(to: PresenceSource): void {
    let bytes = 0;
    for (const piece of this.#presence.encodePieces(this.clients, pieceBytesMax)) {
      bytes += piece.length;
      if (bytes > tableBytesMax) break;
      this.#way.send(this.#document, piece, { only: to });
    }
  }

  leave(owner: PresenceOwner): void {
    if (owner instanceof PresencePeer) this.#answered.delete(owner);
    this.#tell(this.#presence.leave(owner));
  }

  /** What is only decided with time. */
  pulse(): void {
    this.#tell(this.#presence.expire());
    const { taken, defended } = this.#presence.settle();
    this.#tell(taken);
    // At another relay somebody claims to be them: only they can show that they are still here.
    for (const client of defended) this.#askOwner(client);
  }

  #tell(clients: readonly number[], by?: PresencePeer): void {
    if (clients.length === 0) return;
    this.audience?.showPresence(this.#presence.encode(clients));
    this.#send(clients, { except: by?.source });
  }

  #send(clients: readonly number[], to: PresenceChoice): void {
    for (const piece of this.#presence.encodePieces(clients, pieceBytesMax)) {
      this.#way.send(this.#document, piece, to);
    }
  }

  /** A client here says that it is one who was behind a peer: that peer can say whether they still are. */
  #askPeer(item: AwarenessItem): void {
    const owner = this.#presence.ownerOf(item.client);
    if (!(owner instanceof PresencePeer)) return;
    this.#way.send(this.#document, encodeAwarenessItems([item]), { only: owner.source });
  }

  #answer(peer: PresencePeer): void {
    const nowMs = this.#context.environment.clock.monotonicMs();
    if (nowMs - (this.#answered.get(peer) ?? -Infinity) < questionEveryMs) {
      this.#context.counters.awarenessIgnored++;
      return;
    }
    this.#answered.set(peer, nowMs);
    this.tellAll(peer.source);
  }

  /** Whoever hears that they are gone, and is not, speaks up at once. */
  #askOwner(client: number): void {
    const owner = this.#presence.ownerOf(client);
    const goodbye = this.#presence.goodbyeOf(client);
    if (owner === undefined || goodbye === undefined) return;
    const update = encodeAwarenessItems([goodbye]);
    if (owner instanceof PresencePeer) {
      this.#way.send(this.#document, update, { only: owner.source });
    } else this.audience?.showPresenceTo(owner, update);
  }
}
