import {
  assertState,
  depthOf,
  encodeAwarenessItems,
  type AwarenessItem,
} from "./awareness-codec.ts";
import type { RelayLimits } from "./relay-limits.ts";

/** Somebody who speaks for clients: a connection of a stock client, or a peer. */
export interface AwarenessOwner {
  /** Set for a peer, which brings many: how many, in all documents. */
  readonly peer?: { clients: number };
}

/** One client's presence: cursor, name, colour. JSON as it came. */
interface AwarenessEntry {
  clock: number;
  /** `undefined` once the client has left; the clock is kept for a while against stragglers. */
  state: string | undefined;
  owner: AwarenessOwner;
  updatedAtMs: number;
}

export interface AwarenessChange {
  /** Clients whose presence others must hear about. */
  readonly changed: readonly number[];
  /**
   * Clients that were declared gone at the clock with which they come back: telling them so makes
   * them speak up at once instead of at their next renewal, up to 15 s later.
   */
  readonly returning: readonly number[];
  /** News about clients that another connection speaks for. */
  readonly contested: readonly AwarenessItem[];
  /** Clients that a peer takes for gone, and that another speaks for. */
  readonly doubted: readonly number[];
  /** How many entries were dropped because a limit, or somebody else's id, forbade them. */
  readonly ignored: number;
  /** The limits among the reasons, one for each such entry. */
  readonly limited: readonly AwarenessLimit[];
}

export type AwarenessLimit =
  | "awarenessStateBytesMax"
  | "awarenessDepthMax"
  | "awarenessClientsPerConnectionMax"
  | "awarenessClientsPerPeerMax"
  | "awarenessClientsPerDocumentMax"
  | "awarenessBytesPerDocumentMax";
export type AwarenessLimits = Pick<RelayLimits, AwarenessLimit>;

/** As in y-protocols: a client that is silent for so long is gone. It renews every 15 s. */
export const awarenessTimeoutMs = 30_000;

/** A client counts up by one per change; near the end of integers nothing newer could follow. */
const clockMax = 2 ** 32;

type Verdict = "news" | "known" | "returning" | "contested" | "doubted" | "ignored";

/**
 * Who is here, for one document: the table of y-protocols' awareness without a Y.Doc and without a
 * timer of its own. A client id belongs to the connection that brought it. Never stored.
 */
export class AwarenessStates {
  readonly #limits: AwarenessLimits;
  readonly #entries = new Map<number, AwarenessEntry>();
  readonly #ownedBy = new Map<AwarenessOwner, Set<number>>();
  #bytes = 0;

  constructor(limits: AwarenessLimits) {
    this.#limits = limits;
  }

  get clients(): number[] {
    return [...this.#entries].filter(([, entry]) => entry.state !== undefined).map(([id]) => id);
  }

  /** Nobody is here, and nobody was lately. */
  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  isPresent(client: number): boolean {
    return this.#entries.get(client)?.state !== undefined;
  }

  ownerOf(client: number): AwarenessOwner | undefined {
    return this.#entries.get(client)?.owner;
  }

  /** When the client was last heard of. */
  updatedAtMs(client: number): number {
    return this.#entries.get(client)?.updatedAtMs ?? -Infinity;
  }

  clockOf(client: number): number | undefined {
    return this.#entries.get(client)?.clock;
  }

  /**
   * Takes in what a message of `owner` says.
   *
   * @throws HeddleError `HEDDLE_FRAME_MALFORMED` for a state of its own that is no JSON.
   */
  apply(items: readonly AwarenessItem[], owner: AwarenessOwner, nowMs: number): AwarenessChange {
    const changed: number[] = [];
    const returning: number[] = [];
    const contested: AwarenessItem[] = [];
    const doubted: number[] = [];
    const limited: AwarenessLimit[] = [];
    let ignored = 0;
    for (const item of items) {
      const verdict = this.#judge(item, owner);
      if (verdict === "returning") returning.push(item.client);
      else if (verdict === "contested") contested.push(item);
      else if (verdict === "doubted") doubted.push(item.client);
      else if (verdict === "ignored") ignored++;
      else if (verdict === "news") {
        const limit = this.#put(item, owner, nowMs);
        if (limit === undefined) changed.push(item.client);
        else limited.push(limit);
      }
    }
    return { changed, returning, contested, doubted, ignored: ignored + limited.length, limited };
  }

  /** Gives the client to `owner`, whose claim proved right; false when it came to nothing. */
  take(item: AwarenessItem, owner: AwarenessOwner, nowMs: number): boolean {
    const entry = this.#entries.get(item.client);
    if (entry && item.clock <= entry.clock) return false;
    return this.#put(item, owner, nowMs) === undefined;
  }

  /** Marks the clients of a connection that closed as gone; returns them. */
  leave(owner: AwarenessOwner, nowMs: number): number[] {
    const owned = [...(this.#ownedBy.get(owner) ?? [])];
    const gone = owned.filter((client) => this.#markGone(client, nowMs));
    for (const client of owned) this.#disown(client, owner);
    return gone;
  }

  /** Marks clients as gone that have not renewed; forgets those that are gone for long. */
  expire(nowMs: number): number[] {
    const gone: number[] = [];
    for (const [client, { state, updatedAtMs }] of this.#entries) {
      const silentMs = nowMs - updatedAtMs;
      if (state === undefined && silentMs > 2 * awarenessTimeoutMs) this.#forget(client);
      if (state !== undefined && silentMs > awarenessTimeoutMs && this.#markGone(client, nowMs)) {
        gone.push(client);
      }
    }
    return gone;
  }

  /** Awareness update with the present entry of each of `clients`; "null" for those who left. */
  encode(clients: readonly number[]): Uint8Array {
    return encodeAwarenessItems(this.#itemsOf(clients));
  }

  /** The same in several updates, each of `bytesMax` or little more than one state. */
  encodePieces(clients: readonly number[], bytesMax: number): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    let piece: AwarenessItem[] = [];
    let bytes = 0;
    for (const item of this.#itemsOf(clients)) {
      // A unit of UTF-16 has at most three bytes in UTF-8; then client and clock.
      const itemBytes = 3 * (item.state?.length ?? 4) + 20;
      if (piece.length > 0 && bytes + itemBytes > bytesMax) {
        pieces.push(encodeAwarenessItems(piece));
        piece = [];
        bytes = 0;
      }
      piece.push(item);
      bytes += itemBytes;
    }
    if (piece.length > 0) pieces.push(encodeAwarenessItems(piece));
    return pieces;
  }

  #itemsOf(clients: readonly number[]): AwarenessItem[] {
    return clients.flatMap((client) => {
      const entry = this.#entries.get(client);
      return entry ? [{ client, clock: entry.clock, state: entry.state }] : [];
    });
  }

  /**
   * The rule of y-protocols, and one more: only the connection that speaks for a client changes it. What
   * comes from a peer by another way than the one it came first is no news, and no offence either.
   */
  #judge({ client, clock, state }: AwarenessItem, owner: AwarenessOwner): Verdict {
    if (clock > clockMax) return "ignored";
    const entry = this.#entries.get(client);
    const isPresent = entry?.state !== undefined;
    const isElsewhere = isPresent && entry.owner !== owner;
    // Stock clients say goodbye for others whom they no longer hear.
    if (state === undefined) {
      if (!isPresent) return "known";
      if (isElsewhere && owner.peer) return clock === entry.clock ? "doubted" : "known";
      return !isElsewhere && clock >= entry.clock ? "news" : "ignored";
    }
    if (entry === undefined || clock > entry.clock) {
      if (!isElsewhere) return "news";
      return owner.peer && entry?.owner.peer ? "known" : "contested";
    }
    return clock === entry.clock && !isPresent ? "returning" : "known";
  }

  /** Returns the limit that forbids it. */
  #put(
    { client, clock, state }: AwarenessItem,
    owner: AwarenessOwner,
    nowMs: number,
  ): AwarenessLimit | undefined {
    const entry = this.#entries.get(client);
    const limit = state === undefined ? undefined : this.#limitAgainst(client, state, owner);
    if (limit) return limit;
    if (state !== undefined) assertState(state);
    this.#bytes += (state?.length ?? 0) - (entry?.state?.length ?? 0);
    if (entry && entry.owner !== owner) this.#disown(client, entry.owner);
    this.#own(client, owner);
    this.#entries.set(client, { clock, state, owner, updatedAtMs: nowMs });
    return undefined;
  }

  #own(client: number, owner: AwarenessOwner): void {
    const owned = this.#ownedBy.get(owner) ?? new Set<number>();
    this.#ownedBy.set(owner, owned);
    if (owned.has(client)) return;
    owned.add(client);
    if (owner.peer) owner.peer.clients++;
  }

  #disown(client: number, owner: AwarenessOwner): void {
    const owned = this.#ownedBy.get(owner);
    if (!owned?.delete(client)) return;
    if (owned.size === 0) this.#ownedBy.delete(owner);
    if (owner.peer) owner.peer.clients--;
  }

  #limitAgainst(client: number, state: string, owner: AwarenessOwner): AwarenessLimit | undefined {
    const limits = this.#limits;
    const owned = this.#ownedBy.get(owner);
    // Those who left count too: otherwise one connection could go through any number of ids.
    const isOneMore = !owned?.has(client);
    if (isOneMore && (owner.peer?.clients ?? 0) >= limits.awarenessClientsPerPeerMax) {
      return "awarenessClientsPerPeerMax";
    }
    const ownedMax = owner.peer ? Infinity : limits.awarenessClientsPerConnectionMax;
    if (isOneMore && (owned?.size ?? 0) >= ownedMax) {
      return "awarenessClientsPerConnectionMax";
    }
    if (state.length > limits.awarenessStateBytesMax) return "awarenessStateBytesMax";
    if (depthOf(state) > limits.awarenessDepthMax) return "awarenessDepthMax";
    const before = this.#entries.get(client);
    const bytes = this.#bytes + state.length - (before?.state?.length ?? 0);
    if (bytes > limits.awarenessBytesPerDocumentMax) return "awarenessBytesPerDocumentMax";
    if (before || this.#entries.size < limits.awarenessClientsPerDocumentMax) return undefined;
    return this.#forgetSomebodyGone() ? undefined : "awarenessClientsPerDocumentMax";
  }

  #forgetSomebodyGone(): boolean {
    for (const [client, { state }] of this.#entries) {
      if (state !== undefined) continue;
      this.#forget(client);
      return true;
    }
    return false;
  }

  #forget(client: number): void {
    const entry = this.#entries.get(client);
    if (entry) this.#disown(client, entry.owner);
    this.#entries.delete(client);
  }

  #markGone(client: number, nowMs: number): boolean {
    const entry = this.#entries.get(client);
    if (entry?.state === undefined) return false;
    this.#bytes -= entry.state.length;
    entry.state = undefined;
    entry.updatedAtMs = nowMs;
    return true;
  }
}
