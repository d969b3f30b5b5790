import { DeleteSet } from "./delete-set.ts";
import type { ParsedUpdate } from "./parsed-update.ts";
import { pieceOf, type StructPiece } from "./struct-piece.ts";
import { comparePieces, encodeUpdate } from "./update-writer.ts";

/**
 * Merges updates into one V1 update by copying bytes: nothing is decoded unless clocks overlap. The
 * result is what applying all of them adds up to; clocks that none of them holds become Skips.
 * Linear in bytes, where `Y.mergeUpdates` is worse than quadratic in the number of updates.
 */
export function mergeParsed(updates: readonly ParsedUpdate[]): Uint8Array {
  if (updates.length === 1) return updates[0]!.bytes;
  const pieces: StructPiece[] = [];
  const deletes = new DeleteSet();
  for (const update of updates) {
    for (const run of update.runs) pieces.push(pieceOf(update, run));
    for (const entry of update.deletes) deletes.add(entry);
  }
  return encodeUpdate(pieces.toSorted(comparePieces), deletes.entries());
}
