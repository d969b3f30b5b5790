import type { Operation } from "./level-database.ts";
import {
  closeRecord,
  damaged,
  headerBytes,
  openRecord,
  reserveRecord,
  versionOfRecord,
} from "./record-codec.ts";
import { viewOf, writeUint32 } from "./uint32.ts";

/**
 * An envelope in the log, and where it stands among all that arrived:
 *
 * record version 2 := group uint48 • index uint32 • envelope
 * record version 1 := envelope
 *
 * Version 1 is from before lanes of other replicas came in: a store wrote one lane at a time, in the
 * order of their opening, so that all of them stand before the first group and lane after lane.
 */
export interface ArrivalPlace {
  /** Number of its commit group; 0 for an envelope that was written without one. */
  readonly group: number;
  /** Its place among the envelopes of the group, from 0. */
  readonly index: number;
}

export interface EnvelopeRecord {
  /** The encoding of the envelope, signature included; it carries hash chain and version itself. */
  readonly bytes: Uint8Array;
  readonly place: ArrivalPlace;
}

/** A record whose place is not known before its commit group is put together. */
export type ReservedEnvelope = Operation & { readonly type: "put" };

const placeBytes = 10;
const recordVersion = 2;
const first: ArrivalPlace = { group: 0, index: 0 };

/** Copies `bytes` into a record that {@link placeEnvelope} completes. */
export function reserveEnvelope(key: Uint8Array, bytes: Uint8Array): ReservedEnvelope {
  return { type: "put", key, value: reserveRecord(placeBytes, bytes) };
}

/** Says where it stands; see {@link ArrivalPlace}. */
export function placeEnvelope(
  { key, value }: ReservedEnvelope,
  group: number,
  index: number,
): void {
  const high = Math.floor(group / 2 ** 32);
  value[headerBytes] = high >>> 8;
  value[headerBytes + 1] = high;
  writeUint32(value, headerBytes + 2, group % 2 ** 32);
  writeUint32(value, headerBytes + 6, index);
  closeRecord(key, value, recordVersion);
}

/** @throws HeddleError `HEDDLE_STORAGE_CORRUPT` or `HEDDLE_STORAGE_VERSION`. */
export function readEnvelope(key: Uint8Array, record: Uint8Array): EnvelopeRecord {
  const payload = openRecord(key, record);
  if (versionOfRecord(record) < recordVersion) return { bytes: payload, place: first };
  if (payload.length < placeBytes) throw damaged(key, "its place is missing");
  const view = viewOf(payload);
  const group = view.getUint16(0) * 2 ** 32 + view.getUint32(2);
  return {
    bytes: payload.subarray(placeBytes),
    place: { group, index: view.getUint32(6) },
  };
}

export function comparePlaces(a: ArrivalPlace, b: ArrivalPlace): number {
  return a.group - b.group || a.index - b.index;
}
