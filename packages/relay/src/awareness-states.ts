import * as encoding from "lib0/encoding";

import { assertState, depthOf, type AwarenessItem } from "./awareness-codec.ts";
import type { RelayLimits } from "./relay-limits.ts";

/** One client's presence: cursor, name, colour. JSON as it came. */
interface AwarenessEntry {
  clock: number;
  /** `undefined` once the client has left; the clock is kept for a while against stragglers. */
  state: string | undefined;
  owner: object;
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
  /** How many entries were dropped because a limit, or somebody else's id, forbade them. */
  readonly ignored: number;
  /** The limits among the reasons, one for each such entry. */
  readonly limited: readonly AwarenessLimit[];
}

export type AwarenessLimit =
  | "awarenessStateBytesMax"
  | "awarenessDepthMax"
  | "awarenessClientsPerConnectionMax"
  | "awarenessClientsPerDocumentMax"
  | "awarenessBytesPerDocumentMax";
export type AwarenessLimits = Pick<RelayLimits, AwarenessLimit>;

/** As in y-protocols: a client that is silent for so long is gone. It renews every 15 s. */
export const awarenessTimeoutMs = 30_000;

/** A client counts up by one per change; near the end of integers nothing newer could follow. */
const clockMax = 2 ** 32;

type Verdict = "news" | "known" | "returning" | "contested" | "ignored";

/**
 * Who is here, for one document: the table of y-protocols' awareness without a Y.Doc and without a
 * timer of its own. A client id belongs to the connection that brought it. Never stored.
 */
export class AwarenessStates {
  readonly #limits: AwarenessLimits;
  readonly #entries = new Map<number, AwarenessEntry>();
  readonly #ownedBy = new Map<object, Set<number>>();
  #bytes = 0;

  constructor(limits: AwarenessLimits) {
    this.#limits = limits;
  }

  get clients(): number[] {
    return [...this.#entries].filter(([, entry]) => entry.state !== undefined).map(([id]) => id);
  }

  isPresent(client: number): boolean {
    return this.#entries.get(client)?.state !== undefined;
  }

  ownerOf(client: number): object | undefined {
    return this.#entries.get(client)?.owner;
  }

  /**
   * Takes in what a message of `owner` says.
   *
   * @throws HeddleError `HEDDLE_FRAME_MALFORMED` for a state of its own that is no JSON.
   */
  apply(items: readonly AwarenessItem[], owner: object, nowMs: number): AwarenessChange {
    const changed: number[] = [];
    const returning: number[] = [];
    const contested: AwarenessItem[] = [];
    const limited: AwarenessLimit[] = [];
    let ignored = 0;
    for (const item of items) {
      const verdict = this.#judge(item, owner);
      if (verdict === "returning") returning.push(item.client);
      else if (verdict === "contested") contested.push(item);
      else if (verdict === "ignored") ignored++;
      else if (verdict === "news") {
        const limit = this.#put(item, owner, nowMs);
        if (limit === undefined) changed.push(item.client);
        else limited.push(limit);
      }
    }
    return { changed, returning, contested, ignored: ignored + limited.length, limited };
  }

  /** Gives the client to `owner`, whose claim proved right; false when it came to nothing. */
  take(item: AwarenessItem, owner: object, nowMs: number): boolean {
    const entry = this.#entries.get(item.client);
    if (entry && item.clock <= entry.clock) return false;
    return this.#put(item, owner, nowMs) === undefined;
  }

  /** Marks the clients of a connection that closed as gone; returns them. */
  leave(owner: object, nowMs: number): number[] {
    const owned = [...(this.#ownedBy.get(owner) ?? [])];
    const gone = owned.filter((client) => this.#markGone(client, nowMs));
    this.#ownedBy.delete(owner);
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
    const known = clients.filter((client) => this.#entries.has(client));
    const encoder = encoding.createEncoder();
    encoding.writeVarUint(encoder, known.length);
    for (const client of known) {
      const { clock, state } = this.#entries.get(client)!;
      encoding.writeVarUint(encoder, client);
      encoding.writeVarUint(encoder, clock);
      encoding.writeVarString(encoder, state ?? "null");
    }
    return encoding.toUint8Array(encoder);
  }

  /** The rule of y-protocols, and one more: only the connection that speaks for a client changes it. */
  #judge({ client, clock, state }: AwarenessItem, owner: object): Verdict {
    if (clock > clockMax) return "ignored";
    const entry = this.#entries.get(client);
    const isPresent = entry?.state !== undefined;
    // Stock clients say goodbye for others whom they no longer hear.
    if (state === undefined) {
      if (!isPresent) return "known";
      return entry.owner === owner && clock >= entry.clock ? "news" : "ignored";
    }
    if (entry === undefined || clock > entry.clock) {
      return isPresent && entry?.owner !== owner ? "contested" : "news";
    }
    return clock === entry.clock && !isPresent ? "returning" : "known";
  }

  /** Returns the limit that forbids it. */
  #put(
    { client, clock, state }: AwarenessItem,
    owner: object,
    nowMs: number,
  ): AwarenessLimit | undefined {
    const entry = this.#entries.get(client);
    const limit = state === undefined ? undefined : this.#limitAgainst(client, state, owner);
    if (limit) return limit;
    if (state !== undefined) assertState(state);
    this.#bytes += (state?.length ?? 0) - (entry?.state?.length ?? 0);
    if (entry && entry.owner !== owner) this.#ownedBy.get(entry.owner)?.delete(client);
    this.#ownedBy.set(owner, (this.#ownedBy.get(owner) ?? new Set()).add(client));
    this.#entries.set(client, { clock, state, owner, updatedAtMs: nowMs });
    return undefined;
  }

  #limitAgainst(client: number, state: string, owner: object): AwarenessLimit | undefined {
    const limits = this.#limits;
    const owned = this.#ownedBy.get(owner);
    // Those who left count too: otherwise one connection could go through any number of ids.
    const isOneMore = !owned?.has(client);
    if (isOneMore && (owned?.size ?? 0) >= limits.awarenessClientsPerConnectionMax) {
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
    if (entry) this.#ownedBy.get(entry.owner)?.delete(client);
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
