import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";

import { HeddleError, HeddleErrorCode } from "@heddle/core";

/**
 * The messages of y-websocket (y-protocols PROTOCOL.md), one per WebSocket message:
 *
 *   0 sync • (0 step 1 • state vector | 1 step 2 • update | 2 update • update)
 *   1 awareness • awareness update       2 auth • …       3 query awareness
 */
const MessageType = { sync: 0, awareness: 1, auth: 2, queryAwareness: 3 } as const;
const SyncType = { step1: 0, step2: 1, update: 2 } as const;

export type ClientMessage =
  | { readonly type: "step-1"; readonly stateVector: Uint8Array }
  /** A step 2 answers the relay's step 1. */
  | { readonly type: "step-2" | "update"; readonly update: Uint8Array }
  | { readonly type: "awareness"; readonly update: Uint8Array }
  | { readonly type: "query-awareness" }
  /** A type of somebody's own; y-websocket servers have always ignored those. */
  | { readonly type: "unknown" };

/**
 * Reads one message of a client. The returned bytes are views into `bytes`.
 *
 * @throws HeddleError `HEDDLE_FRAME_MALFORMED`.
 */
export function decodeClientMessage(bytes: Uint8Array): ClientMessage {
  try {
    const decoder = decoding.createDecoder(bytes);
    const message = readMessage(decoder);
    if (message.type !== "unknown" && decoding.hasContent(decoder)) {
      throw new RangeError("bytes after the message");
    }
    return message;
  } catch (cause) {
    const message = "a message of the y-websocket protocol cannot be read";
    throw new HeddleError(HeddleErrorCode.frameMalformed, message, { cause });
  }
}

function readMessage(decoder: decoding.Decoder): ClientMessage {
  switch (decoding.readVarUint(decoder)) {
    case MessageType.sync:
      return readSync(decoder);
    case MessageType.awareness:
      return { type: "awareness", update: decoding.readVarUint8Array(decoder) };
    case MessageType.queryAwareness:
      return { type: "query-awareness" };
    default:
      return { type: "unknown" };
  }
}

function readSync(decoder: decoding.Decoder): ClientMessage {
  const syncType = decoding.readVarUint(decoder);
  switch (syncType) {
    case SyncType.step1:
      return { type: "step-1", stateVector: decoding.readVarUint8Array(decoder) };
    case SyncType.step2:
      return { type: "step-2", update: decoding.readVarUint8Array(decoder) };
    case SyncType.update:
      return { type: "update", update: decoding.readVarUint8Array(decoder) };
    default:
      throw new RangeError(`sync message ${syncType} does not exist`);
  }
}

export function encodeSyncStep1(stateVector: Uint8Array): Uint8Array {
  return encodeSync(SyncType.step1, stateVector);
}

/** A stock client calls itself synced at any step 2: it is only sent with the content in it. */
export function encodeSyncStep2(update: Uint8Array): Uint8Array {
  return encodeSync(SyncType.step2, update);
}

export function encodeUpdate(update: Uint8Array): Uint8Array {
  return encodeSync(SyncType.update, update);
}

/** Of typed letters, which are nearly all there is: made once. */
const headsOfShort = Array.from({ length: 128 }, (_, updateBytes) => {
  return Uint8Array.of(MessageType.sync, SyncType.update, updateBytes);
});

/** What stands in front of the update in {@link encodeUpdate}: the frame of a commit is built of both. */
export function encodeUpdateHead(updateBytes: number): Uint8Array {
  const known = headsOfShort[updateBytes];
  if (known) return known;
  const head: number[] = [MessageType.sync, SyncType.update];
  let rest = updateBytes;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) head.push(0x80 | (rest % 128));
  return Uint8Array.from([...head, rest]);
}

export function encodeAwareness(awarenessUpdate: Uint8Array): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, MessageType.awareness);
  encoding.writeVarUint8Array(encoder, awarenessUpdate);
  return encoding.toUint8Array(encoder);
}

function encodeSync(syncType: number, body: Uint8Array): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, MessageType.sync);
  encoding.writeVarUint(encoder, syncType);
  encoding.writeVarUint8Array(encoder, body);
  return encoding.toUint8Array(encoder);
}
