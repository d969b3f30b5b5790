import { ByteCursor } from "./byte-cursor.ts";
import type { ByteWriter } from "./byte-writer.ts";
import type { ParsedUpdate, StructRun } from "./parsed-update.ts";
import {
  keyedBit,
  noClient,
  originBit,
  rightOriginBit,
  StructKind,
  StructReader,
} from "./struct-reader.ts";
import { offsetOfUnit } from "./utf8.ts";

/**
 * Structs of one client without a hole, as a stretch of validated bytes. V1 structs do not say where
 * they stand, so stretches can be cut between structs and put behind each other.
 */
export interface StructPiece {
  readonly client: number;
  /** First clock that counts, and the clock behind the last. */
  readonly clock: number;
  readonly endClock: number;
  readonly structCount: number;
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** Units of the first struct that lie before `clock` and are left out when it is written. */
  readonly trim: number;
}

export function pieceOf(update: ParsedUpdate, run: StructRun): StructPiece {
  const { client, clock, endClock, structCount, start, end } = run;
  return { client, clock, endClock, structCount, start, end, bytes: update.bytes, trim: 0 };
}

/** A reader in front of the first struct, untrimmed. */
export function readerOf(piece: StructPiece): StructReader {
  const reader = new StructReader(new ByteCursor(piece.bytes));
  reader.seek(piece.client, piece.clock - piece.trim, piece.start);
  return reader;
}

/** What of the piece lies at or behind `clock`; `undefined` when nothing does. */
export function cutBefore(piece: StructPiece, clock: number): StructPiece | undefined {
  if (clock <= piece.clock) return piece;
  if (clock >= piece.endClock) return undefined;
  const reader = readerOf(piece);
  let dropped = -1;
  do {
    reader.next();
    dropped++;
  } while (reader.endClock <= clock);
  return {
    ...piece,
    clock,
    structCount: piece.structCount - dropped,
    start: reader.start,
    trim: clock - reader.clock,
  };
}

/** Writes the structs of a piece, the first one trimmed. */
export function writePiece(writer: ByteWriter, piece: StructPiece): void {
  let { start } = piece;
  if (piece.trim > 0) {
    const reader = readerOf(piece);
    reader.next();
    writeTrimmed(writer, reader, piece.trim);
    start = reader.end;
  }
  writer.slice(piece.bytes, start, piece.end);
}

/**
 * Writes the current struct without its first `trim` units, byte for byte as Yjs' `Item.write` with
 * an offset: the right part has the unit before it as origin and keeps the right origin.
 */
export function writeTrimmed(writer: ByteWriter, reader: StructReader, trim: number): void {
  const { kind, cursor } = reader;
  if (kind === StructKind.gc) {
    writer.byte(kind);
    writer.uint(reader.length - trim);
    return;
  }
  const hasRight = reader.rightClient !== noClient;
  writer.byte(kind | originBit | (hasRight ? rightOriginBit : 0) | (reader.info & keyedBit));
  writer.uint(reader.client);
  writer.uint(reader.clock + trim - 1);
  if (hasRight) {
    writer.uint(reader.rightClient);
    writer.uint(reader.rightClock);
  }
  if (kind === StructKind.deleted) {
    writer.uint(reader.length - trim);
    return;
  }
  const end = cursor.offset;
  if (kind === StructKind.string) {
    writeTextFrom(writer, reader, trim);
  } else {
    // Only content of several elements is longer than 1: JSON or Any.
    cursor.offset = reader.contentStart;
    cursor.uint();
    for (let index = 0; index < trim; index++) reader.skipElement();
    writer.uint(reader.length - trim);
    writer.slice(cursor.bytes, cursor.offset, end);
  }
  cursor.offset = end;
}

function writeTextFrom(writer: ByteWriter, reader: StructReader, trim: number): void {
  const { cursor } = reader;
  const end = cursor.offset;
  cursor.offset = reader.contentStart;
  cursor.uint();
  const { offset, splits } = offsetOfUnit(cursor.bytes, cursor.offset, trim);
  writer.uint(end - offset + (splits ? 3 : 0));
  if (splits) {
    // Half a surrogate pair becomes U+FFFD, as in Yjs.
    for (const byte of [0xef, 0xbf, 0xbd]) writer.byte(byte);
  }
  writer.slice(cursor.bytes, offset, end);
}
