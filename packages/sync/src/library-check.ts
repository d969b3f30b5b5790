import { equalBytes, type Hash } from "@heddle/core";

import { encodeFrame, type FrameOf } from "./frame.ts";
import type { LibraryWords } from "./library-comparison.ts";

const checkBytes = 8;

/**
 * The frame for these words, with a hash of itself. What is said of a library is believed as it stands: one
 * flipped bit, and whole places would be taken for missing, or not be looked at.
 */
export function libraryFrame(hash: Hash, words: LibraryWords): FrameOf<"library"> {
  return { name: "library", ...words, check: checkOf(hash, words) };
}

/** Whether a frame is what its check says. */
export function isWhole(hash: Hash, { check, ...frame }: FrameOf<"library">): boolean {
  return check !== undefined && equalBytes(check, checkOf(hash, frame));
}

function checkOf(hash: Hash, words: LibraryWords): Uint8Array {
  const bytes = encodeFrame({ ...words, name: "library", check: undefined });
  return hash.sha256(bytes).slice(0, checkBytes);
}
