import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";

import { HeddleError, HeddleErrorCode } from "@heddle/core";

export interface AwarenessItem {
  readonly client: number;
  readonly clock: number;
  /** JSON, not looked into yet; `undefined` where the client says goodbye. */
  readonly state: string | undefined;
}

export interface AwarenessUpdate {
  readonly items: readonly AwarenessItem[];
  /** Entries behind the last one that was read. */
  readonly skipped: number;
}

/**
 * Reads an awareness update: varUint count • (varUint client • varUint clock • varString JSON)*. Stops
 * after `itemsMax`: no room has more clients, so the rest is invented.
 *
 * @throws HeddleError `HEDDLE_FRAME_MALFORMED`.
 */
export function decodeAwareness(bytes: Uint8Array, itemsMax = Infinity): AwarenessUpdate {
  const items: AwarenessItem[] = [];
  try {
    const decoder = decoding.createDecoder(bytes);
    const count = decoding.readVarUint(decoder);
    if (count * 3 > bytes.length) throw new RangeError("more clients than bytes");
    while (items.length < Math.min(count, itemsMax)) {
      const client = decoding.readVarUint(decoder);
      const clock = decoding.readVarUint(decoder);
      const json = decoding.readVarString(decoder);
      items.push({ client, clock, state: json === "null" ? undefined : json });
    }
    const skipped = count - items.length;
    if (skipped === 0 && decoding.hasContent(decoder)) throw new RangeError("bytes behind the end");
    return { items, skipped };
  } catch (cause) {
    throw malformedAwareness(cause);
  }
}

/** The opposite of {@link decodeAwareness}. */
export function encodeAwarenessItems(items: readonly AwarenessItem[]): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, items.length);
  for (const { client, clock, state } of items) {
    encoding.writeVarUint(encoder, client);
    encoding.writeVarUint(encoder, clock);
    encoding.writeVarString(encoder, state ?? "null");
  }
  return encoding.toUint8Array(encoder);
}

/**
 * Checks a state before anybody is shown it: the parser of a client may be recursive.
 *
 * @throws HeddleError `HEDDLE_FRAME_MALFORMED` when it is no JSON value, or `null` in disguise.
 */
export function assertState(json: string): void {
  try {
    if (JSON.parse(json) === null) throw new SyntaxError("a goodbye is spelled null");
  } catch (cause) {
    throw malformedAwareness(cause);
  }
}

/** How deep arrays and objects are nested in a JSON text. */
export function depthOf(json: string): number {
  let depth = 0;
  let deepest = 0;
  for (let index = 0; index < json.length; index++) {
    const char = json[index];
    if (char === '"') index = endOfString(json, index);
    else if (char === "{" || char === "[") deepest = Math.max(deepest, ++depth);
    else if (char === "}" || char === "]") depth--;
  }
  return deepest;
}

function endOfString(json: string, start: number): number {
  let index = start + 1;
  while (index < json.length && json[index] !== '"') index += json[index] === "\\" ? 2 : 1;
  return index;
}

function malformedAwareness(cause: unknown): HeddleError {
  const message = "an awareness update cannot be read";
  return new HeddleError(HeddleErrorCode.frameMalformed, message, { cause });
}
