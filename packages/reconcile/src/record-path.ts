import { assert } from "@heddle/core";
import { decodeUtf8, encodeUtf8 } from "lib0/string";

import { projectionLimits } from "./projection-limits.ts";
import { isWellFormed } from "./row-value.ts";

/**
 * Where a record lies: parts without U+0000 and without half surrogates, the first of which names its
 * kind. Paths are ordered part by part, each by its UTF-8 bytes, and one comes before those that begin
 * with it; so all records under a path lie side by side.
 */
export type RecordPath = readonly string[];

/** path := (utf-8 • 0x00)*; the order of bytes is the order of paths. */
export function encodePath(path: RecordPath): Uint8Array {
  for (const part of path)
    assert(isPathPart(part), "a part of a path is text without an end in it");
  const bytes = encodeUtf8(path.map((part) => `${part}\0`).join(""));
  assert(bytes.length <= projectionLimits.pathBytesMax, "a path keeps its cap");
  return bytes;
}

/** Reads what {@link encodePath} wrote; `undefined` for anything else. */
export function decodePath(bytes: Uint8Array): RecordPath | undefined {
  if (bytes.length === 0 || bytes.at(-1) !== 0) return undefined;
  try {
    const path = decodeUtf8(bytes).split("\0").slice(0, -1);
    const again = encodePath(path);
    const isSame = again.length === bytes.length && again.every((byte, at) => byte === bytes[at]);
    return isSame ? path : undefined;
  } catch {
    return undefined; // Not text: some other key, or a damaged one.
  }
}

/** Bytes from which on, and below which, all paths under `prefix` lie. */
export function rangeUnder(prefix: RecordPath): {
  readonly gte: Uint8Array;
  readonly lt: Uint8Array;
} {
  assert(prefix.length > 0, "nobody reads all kinds of records at once");
  const gte = encodePath(prefix);
  const lt = gte.slice();
  lt[lt.length - 1] = 1;
  return { gte, lt };
}

/** Whether `path` is `prefix` or begins with it. */
export function isUnder(path: RecordPath, prefix: RecordPath): boolean {
  return prefix.every((part, index) => path[index] === part);
}

export function isPathPart(text: string): boolean {
  return !text.includes("\0") && isWellFormed(text);
}
