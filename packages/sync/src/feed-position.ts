import { equalBytes, type Hash } from "@heddle/core";
import * as encoding from "lib0/encoding";

import type { FrameOf } from "./frame.ts";
import type { FeedCursor } from "./sync-effects.ts";

const checkBytes = 8;

/**
 * A position in a change feed as CURSOR and MARK say it. Nothing else that is said on the wire would be
 * believed as it stands, with no id to prove it: one flipped bit, and documents are never asked about
 * again. So it carries a hash of itself.
 */
export function checkOf(hash: Hash, { incarnation, arrival }: FeedCursor): Uint8Array {
  const bytes = encoding.encode((encoder) => {
    encoding.writeUint8Array(encoder, incarnation);
    encoding.writeVarUint(encoder, arrival);
  });
  return hash.sha256(bytes).slice(0, checkBytes);
}

/** The position that a frame says; `undefined` when it says none, or was damaged on the way. */
export function positionIn(
  hash: Hash,
  { incarnation, arrival, check }: FrameOf<"cursor"> | FrameOf<"mark">,
): FeedCursor | undefined {
  if (incarnation === undefined || check === undefined) return undefined;
  const position = { incarnation: incarnation.slice(), arrival };
  return equalBytes(checkOf(hash, position), check) ? position : undefined;
}
