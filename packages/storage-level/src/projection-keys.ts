import { decodePath, encodePath, rangeUnder, type RecordPath } from "@heddle/reconcile";
import { decodeUtf8, encodeUtf8 } from "lib0/string";

import { KeyWriter, type KeyRange } from "./key-writer.ts";
import { viewOf } from "./uint32.ts";

/**
 * Every key of the database of projections. The first byte is one that no key of a log begins with, so that
 * a record which strays from one database into the other is never taken for good.
 *
 *   key            | record
 *   ---------------|---------------------------------------------------------
 *   J r path       | record of a projection; parts of the path end with 0x00
 *   J a number8    | entry of the journal
 *   J t name       | last fencing token of a lease
 */
const prefix = 0x4a;
const kind = { record: 0x72, audit: 0x61, token: 0x74 } as const;

export function recordKey(path: RecordPath): Uint8Array {
  return under(kind.record, encodePath(path));
}

export function recordRange(path: RecordPath): KeyRange {
  const { gte, lt } = rangeUnder(path);
  return { gte: under(kind.record, gte), lt: under(kind.record, lt) };
}

/** `undefined` when the key is none that was written. */
export function pathOfKey(key: Uint8Array): RecordPath | undefined {
  return decodePath(key.subarray(2));
}

export function auditKey(number: number): Uint8Array {
  return new KeyWriter(prefix, 9).bytes(Uint8Array.of(kind.audit)).uint64(number).key;
}

/** Entries above `after`; `upTo` is inclusive. */
export function auditRange(after: number, upTo: number): KeyRange {
  return { gte: auditKey(after + 1), lt: auditKey(upTo + 1) };
}

export function numberOfAuditKey(key: Uint8Array): number {
  const view = viewOf(key);
  return view.getUint32(2) * 2 ** 32 + view.getUint32(6);
}

export function tokenKey(lease: string): Uint8Array {
  return under(kind.token, encodeUtf8(lease));
}

/** Tokens of all leases. */
export function tokenRange(): KeyRange {
  return { gte: Uint8Array.of(prefix, kind.token), lt: Uint8Array.of(prefix, kind.token + 1) };
}

/** A token is written as text: it is never ordered, and read by people when something is wrong. */
export function encodeToken(token: number): Uint8Array {
  return encodeUtf8(String(token));
}

/** `undefined` for what is no token. */
export function decodeToken(payload: Uint8Array): number | undefined {
  const token = Number(decodeUtf8(payload));
  return Number.isSafeInteger(token) && token > 0 ? token : undefined;
}

function under(of: number, rest: Uint8Array): Uint8Array {
  const key = new Uint8Array(2 + rest.length);
  key[0] = prefix;
  key[1] = of;
  key.set(rest, 2);
  return key;
}
