import {
  documentId,
  laneId,
  storeId,
  type DocumentId,
  type LaneId,
  type RefusedPlace,
  type StoreId,
} from "@heddle/core";

import { keysUnder, KeyWriter, type KeyRange } from "./key-writer.ts";
import { numberOfKey } from "./parts-of-key.ts";
import { Prefix } from "./record-keys.ts";
import { viewOf } from "./uint32.ts";

/** Keys of what is kept about other stores; see record-keys.ts. */

export function cursorKey(store: StoreId): Uint8Array {
  return new KeyWriter(Prefix.cursor, 16).id(store).key;
}

export function ackKey(store: StoreId, document: DocumentId, laneIx: number): Uint8Array {
  return new KeyWriter(Prefix.ack, 36).id(store).id(document).uint32(laneIx).key;
}

export function forkKey(document: DocumentId, lane: LaneId, seq: number): Uint8Array {
  return new KeyWriter(Prefix.fork, 40).id(document).id(lane).uint64(seq).key;
}

export function refusedKey({ document, lane, seq, store }: RefusedPlace): Uint8Array {
  return new KeyWriter(Prefix.refused, 56).id(document).id(lane).uint64(seq).id(store).key;
}

export const cursorKeys = keysUnder(Uint8Array.of(Prefix.cursor));
export const ackKeys = keysUnder(Uint8Array.of(Prefix.ack));
export const forkKeys = keysUnder(Uint8Array.of(Prefix.fork));
export const refusedKeys = keysUnder(Uint8Array.of(Prefix.refused));
/** All that hangs on what this store said and heard, and ends when it is rolled back. */
export const peerKeys = [cursorKeys, ackKeys] as const;

export function ackKeysOf(store: StoreId): KeyRange {
  return keysUnder(new KeyWriter(Prefix.ack, 16).id(store).key);
}

export function forkKeysOf(document: DocumentId): KeyRange {
  return keysUnder(new KeyWriter(Prefix.fork, 16).id(document).key);
}

export function refusedKeysOf(document: DocumentId): KeyRange {
  return keysUnder(new KeyWriter(Prefix.refused, 16).id(document).key);
}

/** The store in a key of kind P or O. */
export function peerOfKey(key: Uint8Array): StoreId {
  return storeId(key.subarray(1, 17));
}

/** The document in a key of kind O. */
export function documentOfAckKey(key: Uint8Array): DocumentId {
  return documentId(key.subarray(17, 33));
}

/** The alias in a key of kind O. */
export function laneIxOfAckKey(key: Uint8Array): number {
  return viewOf(key).getUint32(33);
}

/** The lane in a key of kind F or N. */
export function laneIdOfKey(key: Uint8Array): LaneId {
  return laneId(key.subarray(17, 33));
}

/** The seq in a key of kind F or N. */
export function envelopeSeqOfKey(key: Uint8Array): number {
  return numberOfKey(key.subarray(0, 41));
}

/** The store in a key of kind N. */
export function refuserOfKey(key: Uint8Array): StoreId {
  return storeId(key.subarray(41, 57));
}
