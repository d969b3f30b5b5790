import { ByteCursor } from "./byte-cursor.ts";
import { ByteWriter } from "./byte-writer.ts";
import { FoldSegment, segmentBytesMax } from "./fold-segment.ts";
import type { KeyedClocks } from "./keyed-clocks.ts";
import { cutBefore, readerOf, type StructPiece, writeTrimmed } from "./struct-piece.ts";
import { StructReader } from "./struct-reader.ts";

/**
 * A piece this long comes from a client that wrote it down as a whole, with everything joined that can
 * be. It is taken over in stretches: looking at each struct of 14 MB keeps everybody waiting.
 */
export const bulkBytesMin = 256 * 1024;

/** All structs of one client that were appended so far: a gapless part from clock 0, and what waits. */
export class ClientFold {
  readonly client: number;
  /** Everything below is there without a gap. */
  clock = 0;
  byteLength = 0;
  readonly #segments: FoldSegment[] = [];
  /** Pieces behind a gap, ascending; they may overlap each other. */
  #waiting: StructPiece[] = [];

  constructor(client: number) {
    this.client = client;
  }

  append(piece: StructPiece, keyed: KeyedClocks): void {
    if (piece.clock > this.clock) {
      this.#wait(piece);
      return;
    }
    this.#extend(piece, keyed);
    while (this.#waiting.length > 0 && this.#waiting[0]!.clock <= this.clock) {
      const next = this.#waiting.shift()!;
      this.byteLength -= next.end;
      this.#extend(next, keyed);
    }
  }

  /**
   * What lies at or behind `clock`, in ascending clocks. Views for immediate use: the next append may
   * change the bytes under them.
   */
  piecesSince(clock: number): StructPiece[] {
    const pieces: StructPiece[] = [];
    const segments = this.#segments;
    for (let index = this.#segmentAt(clock); index < segments.length; index++) {
      const piece = cutBefore(segments[index]!.piece(), clock);
      if (piece !== undefined) pieces.push(piece);
    }
    for (const waiting of this.#waiting) {
      const piece = cutBefore(waiting, clock);
      if (piece !== undefined) pieces.push(piece);
    }
    return pieces;
  }

  #extend(piece: StructPiece, keyed: KeyedClocks): void {
    const rest = cutBefore(piece, this.clock);
    if (rest === undefined) return;
    const reader = readerOf(rest);
    const isBulk = rest.end - rest.start >= bulkBytesMin;
    const single = isBulk ? Math.min(1, rest.trim) : rest.structCount;
    for (let index = 0; index < single; index++) {
      reader.next();
      const isFirst = index === 0 && rest.trim > 0;
      this.#take(isFirst ? trimmed(reader, rest) : reader, keyed);
    }
    if (isBulk) this.#takeBulk(reader, rest.structCount - single);
    this.clock = rest.endClock;
  }

  /** Takes over structs as they stand, in segments of the usual length. */
  #takeBulk(reader: StructReader, structCount: number): void {
    let left = structCount;
    this.#segments.at(-1)?.close();
    while (left > 0) {
      const start = reader.end;
      const clock = reader.endClock;
      let taken = 0;
      do {
        reader.next();
        taken++;
      } while (taken < left && reader.end - start < segmentBytesMax);
      const bytes = new Uint8Array(reader.cursor.bytes.subarray(start, reader.end));
      const { endClock } = reader;
      const segment = FoldSegment.of({
        client: this.client,
        clock,
        endClock,
        structCount: taken,
        bytes,
      });
      this.#segments.push(segment);
      this.byteLength += segment.length;
      left -= taken;
    }
  }

  #take(struct: StructReader, keyed: KeyedClocks): void {
    const isKeyed = keyed.has(struct.client, struct.clock);
    let segment = this.#segments.at(-1);
    const joins = segment !== undefined && segment.canJoin(struct);
    if (segment === undefined || (segment.isFull && !joins)) {
      segment?.close();
      segment = new FoldSegment(this.client, struct.clock);
      this.#segments.push(segment);
    }
    const before = segment.length;
    if (joins) segment.join(struct);
    else segment.put(struct, isKeyed);
    this.byteLength += segment.length - before;
  }

  #wait(piece: StructPiece): void {
    // A copy, or the piece would keep the whole frame it came in. (A Buffer's `slice` is no copy.)
    const bytes = new Uint8Array(piece.bytes.subarray(piece.start, piece.end));
    const own = { ...piece, bytes, start: 0, end: bytes.length };
    let index = this.#waiting.length;
    while (index > 0 && this.#waiting[index - 1]!.clock > piece.clock) index--;
    this.#waiting.splice(index, 0, own);
    this.byteLength += bytes.length;
  }

  /** Index of the first segment that ends behind `clock`. */
  #segmentAt(clock: number): number {
    let low = 0;
    let high = this.#segments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#segments[middle]!.endClock > clock) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** The first struct of a trimmed piece as a struct of its own. */
function trimmed(reader: StructReader, piece: StructPiece): StructReader {
  const writer = new ByteWriter(reader.end - reader.start + 24);
  writeTrimmed(writer, reader, piece.trim);
  const short = new StructReader(new ByteCursor(writer.finish()));
  short.seek(piece.client, piece.clock, 0);
  short.next();
  return short;
}
