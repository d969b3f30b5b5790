import { documentId, type DocumentId } from "@heddle/core";

import { Prefix, QuarantineKind } from "./record-keys.ts";
import { viewOf } from "./uint32.ts";

/** Takes keys of the log apart; see record-keys.ts. */

/** Tells the two keys of kind Q apart. */
export function isQuarantineUpdateKey(key: Uint8Array): boolean {
  return key[17] === QuarantineKind.update;
}

/** The id in a key of kind Q. */
export function refusedIdOfKey(key: Uint8Array): Uint8Array {
  return key.subarray(18);
}

/** The document in a key of kind D, d, V, E, p, Q, C, c, f, a, F or N. */
export function documentOfKey(key: Uint8Array): DocumentId {
  return documentId(key.subarray(1, 17));
}

/** The lane in a key of kind l. */
export function laneBytesOfKey(key: Uint8Array): Uint8Array {
  return key.subarray(1, 17);
}

/** The alias in a key of kind L, V, E, f or a. */
export function laneIxOfKey(key: Uint8Array): number {
  return viewOf(key).getUint32(key[0] === Prefix.lane ? 1 : 17);
}

/** Tells the two keys of kind V apart. */
export function isVectorDigestKey(key: Uint8Array): boolean {
  return key.length === 17;
}

export function isArrivalKey(key: Uint8Array): boolean {
  return key.length === 9 && key[0] === Prefix.arrival;
}

/** The last part of a key of kind E, A, X, j or a. */
export function numberOfKey(key: Uint8Array): number {
  const view = viewOf(key);
  return view.getUint32(key.length - 8) * 2 ** 32 + view.getUint32(key.length - 4);
}

/** The number in a key of kind C or c. */
export function checkpointNumberOfKey(key: Uint8Array): number {
  return viewOf(key).getUint32(17);
}

/** The kind in a key of kind c. */
export function chunkKindOfKey(key: Uint8Array): number | undefined {
  return key[21];
}

/** The index in a key of kind c. */
export function chunkIndexOfKey(key: Uint8Array): number {
  return viewOf(key).getUint32(22);
}

/** The update in a key of kind p. */
export function updateBytesOfKey(key: Uint8Array): Uint8Array {
  return key.subarray(17, 33);
}

/** The damage in a key of kind R. */
export function damageOfKey(key: Uint8Array): Uint8Array {
  return key.subarray(1, 17);
}

/** The number in a key of kind i. */
export function openingOfKey(key: Uint8Array): number {
  return viewOf(key).getUint32(1);
}
