import { compareBytes, type DocumentId, type Hash } from "@heddle/core";
import { encodeUtf8 } from "lib0/string";

/**
 * What a job looks at. Everything of its projection, unless said otherwise; each part narrows it, and
 * the report says which were given.
 */
export interface JobScope {
  /** Only these partitions. */
  readonly partitions?: NameRange | undefined;
  /** Only these documents, with the totals of their keys. */
  readonly documents?: readonly DocumentId[] | undefined;
  /** Only totals of these keys, and documents that differ in one of them. */
  readonly keys?: NameRange | undefined;
  /**
   * Only so many of all partitions, chosen by `seed`: each is in or out as a whole. What was not looked
   * at is counted in the report. Off unless it is given.
   */
  readonly sample?: { readonly ratio: number; readonly seed: string } | undefined;
}

/** Names in the order of their UTF-8 bytes. */
export interface NameRange {
  /** Inclusive. */
  readonly from?: string | undefined;
  /** Exclusive. */
  readonly to?: string | undefined;
}

/** Exactly one name. */
export function only(name: string): NameRange {
  // Nothing lies between a name and the same name with the lowest character that a name may hold.
  return { from: name, to: `${name}\u0001` };
}

/** All names that begin so: partitions of a tenant whose names begin with its own, say. */
export function beginningWith(prefix: string): NameRange {
  return { from: prefix, to: `${prefix}\u{10FFFF}` };
}

export function isInRange(name: string, range: NameRange | undefined): boolean {
  if (range === undefined) return true;
  const { from, to } = range;
  if (from !== undefined && compareNames(name, from) < 0) return false;
  return to === undefined || compareNames(name, to) < 0;
}

export function isEverything({ partitions, documents, keys, sample }: JobScope): boolean {
  return [partitions, documents, keys, sample].every((part) => part === undefined);
}

/** Order of UTF-8 bytes, which is that of paths in a store. */
export function compareNames(a: string, b: string): number {
  if (a === b) return 0;
  return compareBytes(encodeUtf8(a), encodeUtf8(b));
}

/** Whether a partition is in the sample; always, when there is none. */
export function isSampled(hash: Hash, partition: string, sample: JobScope["sample"]): boolean {
  if (sample === undefined) return true;
  const digest = hash.sha256(encodeUtf8(`heddle/sample/1\0${sample.seed}\0${partition}`));
  const place = new DataView(digest.buffer, digest.byteOffset).getUint32(0) / 2 ** 32;
  return place < sample.ratio;
}
