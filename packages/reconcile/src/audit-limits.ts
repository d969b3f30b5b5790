import { limits } from "@heddle/core";

/** Bounds of one audit entry; bytes of UTF-8 for text. */
export const auditLimits = {
  /** The encoding of a whole entry. */
  entryBytesMax: limits.auditEntryBytesMax,
  /** What is kept of a value, before and after; its length and digest are those of the whole. */
  valueBytesMax: 1024,
  /** Who did it. */
  byBytesMax: 128,
  /** Projection, partition and key of a row; each as long as a projection may have it. */
  namePartBytesMax: 512,
  /** What was found, for people. */
  detailBytesMax: 512,
  /** Cause, action, result and kind: lower-case words with hyphens. */
  wordBytesMax: 32,
} as const;
