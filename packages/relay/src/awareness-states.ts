import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";

import { HeddleError, HeddleErrorCode } from "@heddle/core";

/** One client's presence: cursor, name, colour. JSON as it came, never interpreted here. */
interface AwarenessEntry {
  clock: number;
  /** `undefined` once the client has left; the clock is kept for a while against stragglers. */
  state: string | undefined;
  owner: object;
  updatedAtMs: number;
}

export interface AwarenessItem {
  readonly client: number;
  readonly clock: number;
  /** JSON; `undefined` where the client says goodbye. */
  readonly state: string | undefined;
}

export interface AwarenessChange {
  /** Clients whose presence others must hear about. */
  readonly changed: readonly number[];
  /**
   * Clients that were declared gone at the clock with which they come back: telling them so makes
   * them speak up at once instead of at their next renewal, up to 15 s later.
   */
  readonly returning: readonly number[];
}

/** As in y-protocols: a client that is silent for so long is gone. It renews every 15 s. */
export const awarenessTimeoutMs = 30_000;
export const awarenessStateLengthMax = 64 * 1024;
export const awarenessClientsMax = 4_096;

/**
 * Who is here, for one document: the table of y-protocols' awareness without a Y.Doc and without a
 * timer of its own. Never stored, never acknowledged.
 */
export class AwarenessStates {
  readonly #entries = new Map<number, AwarenessEntry>();

  get clients(): number[] {
    return [...this.#entries].filter(([, entry]) => entry.state !== undefined).map(([id]) => id);
  }

  /** Takes in what {@link decodeAwareness} read from a message of `owner`. */
  apply(items: readonly AwarenessItem[], owner: object, nowMs: number): AwarenessChange {
    const changed: number[] = [];
    const returning: number[] = [];
    for (const { client, clock, state } of items) {
      const entry = this.#entries.get(client);
      if (entry && clock === entry.clock && entry.state === undefined && state !== undefined) {
        returning.push(client);
      }
      if (!isNews(entry, clock, state, owner)) continue;
      if (!entry && this.#entries.size >= awarenessClientsMax) continue;
      this.#entries.set(client, { clock, state, owner, updatedAtMs: nowMs });
      changed.push(client);
    }
    return { changed, returning };
  }

  /** Marks the clients of a connection that closed as gone; returns them. */
  leave(owner: object, nowMs: number): number[] {
    return this.#markGone(nowMs, (entry) => entry.owner === owner);
  }

  /** Marks clients as gone that have not renewed; forgets those that are gone for long. */
  expire(nowMs: number): number[] {
    for (const [client, entry] of this.#entries) {
      const isForgotten = nowMs - entry.updatedAtMs > 2 * awarenessTimeoutMs;
      if (entry.state === undefined && isForgotten) this.#entries.delete(client);
    }
    return this.#markGone(nowMs, (entry) => nowMs - entry.updatedAtMs > awarenessTimeoutMs);
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

  #markGone(nowMs: number, isGone: (entry: AwarenessEntry) => boolean): number[] {
    const gone: number[] = [];
    for (const [client, entry] of this.#entries) {
      if (entry.state === undefined || !isGone(entry)) continue;
      entry.state = undefined;
      entry.updatedAtMs = nowMs;
      gone.push(client);
    }
    return gone;
  }
}

/** The rule of y-protocols, and one more: only the connection that speaks for a client ends it. */
function isNews(
  entry: AwarenessEntry | undefined,
  clock: number,
  state: string | undefined,
  owner: object,
): boolean {
  if (entry === undefined) return state !== undefined;
  if (state === undefined && entry.state !== undefined && entry.owner !== owner) return false;
  return clock > entry.clock || (clock === entry.clock && state === undefined && entry.state !== undefined);
}

/**
 * Reads an awareness update: varUint count • (varUint client • varUint clock • varString JSON)*.
 *
 * @throws HeddleError `HEDDLE_FRAME_MALFORMED`.
 */
export function decodeAwareness(bytes: Uint8Array): AwarenessItem[] {
  const items: AwarenessItem[] = [];
  try {
    const decoder = decoding.createDecoder(bytes);
    const count = decoding.readVarUint(decoder);
    if (count > bytes.length) throw new RangeError("more clients than bytes");
    for (let index = 0; index < count; index++) {
      const client = decoding.readVarUint(decoder);
      const clock = decoding.readVarUint(decoder);
      const json = decoding.readVarString(decoder);
      if (json.length > awarenessStateLengthMax) throw new RangeError("a state is too long");
      const state: unknown = JSON.parse(json);
      items.push({ client, clock, state: state === null ? undefined : json });
    }
    if (decoding.hasContent(decoder)) throw new RangeError("bytes after the last client");
  } catch (cause) {
    const message = "an awareness update cannot be read";
    throw new HeddleError(HeddleErrorCode.frameMalformed, message, { cause });
  }
  return items;
}
