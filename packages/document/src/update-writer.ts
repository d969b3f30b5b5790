import { ByteWriter } from "./byte-writer.ts";
import { writeDeletes } from "./delete-set.ts";
import type { ClientDeletes, ParsedUpdate } from "./parsed-update.ts";
import { StructKind } from "./struct-reader.ts";
import { cutBefore, pieceOf, type StructPiece, writePiece } from "./struct-piece.ts";

/**
 * Encodes a V1 update. Pieces are grouped by client, clients descending, clocks ascending; what
 * overlaps is written once (the earlier piece wins), and a hole becomes a Skip.
 */
export function encodeUpdate(
  pieces: readonly StructPiece[],
  deletes: readonly ClientDeletes[],
): Uint8Array {
  let size = 64;
  for (const piece of pieces) size += piece.end - piece.start + 24;
  for (const { ranges } of deletes) size += 16 + ranges.length * 4;
  const writer = new ByteWriter(size);
  const blocks = blocksOf(pieces);
  writer.uint(blocks.length);
  for (const block of blocks) writeBlock(writer, block);
  writeDeletes(writer, deletes);
  return writer.finish();
}

/** Clients descending, clocks ascending: the order {@link encodeUpdate} asks for. */
export function comparePieces(a: StructPiece, b: StructPiece): number {
  return b.client - a.client || a.clock - b.clock;
}

/** All structs of an update in that order. */
export function piecesOf(update: ParsedUpdate): StructPiece[] {
  return update.runs.map((run) => pieceOf(update, run)).toSorted(comparePieces);
}

function blocksOf(pieces: readonly StructPiece[]): StructPiece[][] {
  const blocks: StructPiece[][] = [];
  let block: StructPiece[] = [];
  let client = -1;
  let clock = 0;
  for (const piece of pieces) {
    if (piece.client !== client) {
      client = piece.client;
      clock = piece.clock;
      blocks.push((block = []));
    }
    const rest = cutBefore(piece, clock);
    if (rest === undefined) continue;
    block.push(rest);
    clock = rest.endClock;
  }
  return blocks;
}

function writeBlock(writer: ByteWriter, block: readonly StructPiece[]): void {
  const first = block[0]!;
  let structCount = 0;
  let clock = first.clock;
  for (const piece of block) {
    structCount += piece.structCount + (piece.clock > clock ? 1 : 0);
    clock = piece.endClock;
  }
  writer.uint(structCount);
  writer.uint(first.client);
  writer.uint(first.clock);
  clock = first.clock;
  for (const piece of block) {
    if (piece.clock > clock) {
      writer.byte(StructKind.skip);
      writer.uint(piece.clock - clock);
    }
    writePiece(writer, piece);
    clock = piece.endClock;
  }
}
