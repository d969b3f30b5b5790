import { isWorthHolding } from "@heddle/core";

import type { StructPiece } from "./struct-piece.ts";
import { type StructReader, StructKind } from "./struct-reader.ts";

/** A segment this long is closed, so that a search never walks through much more. */
export const segmentBytesMax = 16 * 1024;

/** The last struct of a segment, while others may still be joined to it. */
interface OpenStruct {
  kind: number;
  isKeyed: boolean;
  rightClient: number;
  rightClock: number;
  /** Where the number stands that counts the payload, and the number. */
  countOffset: number;
  count: number;
  payloadOffset: number;
}

type SegmentContent = Pick<StructPiece, "client" | "clock" | "endClock" | "structCount" | "bytes">;

/**
 * Structs of one client without a hole, in a buffer that grows. Joins each struct to the one before
 * it where Yjs would: see {@link FoldSegment.canJoin}.
 */
export class FoldSegment {
  readonly client: number;
  readonly clock: number;
  endClock: number;
  structCount = 0;
  length = 0;
  #bytes: Uint8Array = noBytes;
  /** They are somebody else's too: not to be written to. */
  #isShared = false;
  readonly #open: OpenStruct = {
    kind: StructKind.skip,
    isKeyed: false,
    rightClient: 0,
    rightClock: 0,
    countOffset: 0,
    count: 0,
    payloadOffset: 0,
  };

  constructor(client: number, clock: number) {
    this.client = client;
    this.clock = clock;
    this.endClock = clock;
  }

  /** Structs as they stand, which nothing is joined to; takes over `bytes`. */
  static of({ client, clock, endClock, structCount, bytes }: SegmentContent): FoldSegment {
    const segment = new FoldSegment(client, clock);
    segment.endClock = endClock;
    segment.structCount = structCount;
    segment.length = bytes.length;
    segment.#bytes = bytes;
    return segment;
  }

  get isFull(): boolean {
    return this.length >= segmentBytesMax;
  }

  /** A view for immediate use: the next append may change the bytes under it. */
  piece(): StructPiece {
    const { client, clock, endClock, structCount, length } = this;
    return {
      client,
      clock,
      endClock,
      structCount,
      bytes: this.#bytes,
      start: 0,
      end: length,
      trim: 0,
    };
  }

  /** Gives back the spare room. */
  close(): void {
    if (!this.#isShared) this.#bytes = this.#bytes.slice(0, this.length);
  }

  /**
   * Whether the struct may become part of the last one. It may when it says nothing that the joined
   * form does not: same kind of content, its origin is the last unit of that struct, and the right
   * origins are equal. Both then name the same parent, and Yjs puts the second directly behind the
   * first whenever it integrates the two in a row, which the joined form makes it do; the order in
   * which concurrent structs arrive does not matter to the result. A split of the joined struct gives
   * back the very parts (`Item.write` with an offset, `splitItem`), so later references to its middle
   * and deletes of it mean the same.
   *
   * Values of keys are left alone: of two values the last wins and Yjs deletes the first, while a
   * joined one would be a single live value.
   */
  canJoin(struct: StructReader): boolean {
    const open = this.#open;
    if (struct.kind !== open.kind || this.structCount === 0) return false;
    if (this.length - open.countOffset >= segmentBytesMax) return false;
    if (struct.kind === StructKind.gc) return true;
    return (
      struct.originClient === this.client &&
      struct.originClock === this.endClock - 1 &&
      struct.rightClient === open.rightClient &&
      (struct.rightClient < 0 || struct.rightClock === open.rightClock) &&
      !open.isKeyed &&
      isJoinable(struct.kind)
    );
  }

  join(struct: StructReader): void {
    const open = this.#open;
    const { bytes } = struct.cursor;
    const { count, payloadOffset } = readCount(struct);
    const end = struct.end;
    const growth = sizeOfUint(open.count + count) - sizeOfUint(open.count);
    this.#reserve(growth + end - payloadOffset);
    if (growth > 0) {
      this.#bytes.copyWithin(open.payloadOffset + growth, open.payloadOffset, this.length);
      open.payloadOffset += growth;
      this.length += growth;
    }
    open.count += count;
    writeUintAt(this.#bytes, open.countOffset, open.count);
    this.#copy(bytes, payloadOffset, end);
    this.endClock = struct.endClock;
  }

  put(struct: StructReader, isKeyed: boolean): void {
    const open = this.#open;
    const { start, end } = struct;
    const base = this.length - start;
    if (this.length > 0 || !this.#hold(struct.cursor.bytes.subarray(start, end))) {
      this.#reserve(end - start);
      this.#copy(struct.cursor.bytes, start, end);
    }
    this.structCount++;
    this.endClock = struct.endClock;
    open.kind = struct.kind;
    if (!isJoinable(struct.kind) && struct.kind !== StructKind.gc) return;
    const { count, payloadOffset } = readCount(struct);
    open.isKeyed = isKeyed;
    open.rightClient = struct.rightClient;
    open.rightClock = struct.rightClock;
    open.countOffset = base + struct.contentStart;
    open.count = count;
    open.payloadOffset = base + payloadOffset;
  }

  /** A paste stays where it is until something is added to it, if ever. */
  #hold(bytes: Uint8Array): boolean {
    if (!isWorthHolding(bytes)) return false;
    this.#bytes = bytes;
    this.length = bytes.length;
    this.#isShared = true;
    return true;
  }

  #copy(source: Uint8Array, start: number, end: number): void {
    const bytes = this.#bytes;
    let { length } = this;
    if (end - start > 48) {
      bytes.set(source.subarray(start, end), length);
      length += end - start;
    } else for (let index = start; index < end; index++) bytes[length++] = source[index]!;
    this.length = length;
  }

  #reserve(length: number): void {
    const needed = this.length + length;
    if (needed <= this.#bytes.length && !this.#isShared) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.length));
    this.#bytes = grown;
    this.#isShared = false;
  }
}

const noBytes = new Uint8Array(0);

/** Contents that are a number and as much payload: deleted and GC have the number only. */
function isJoinable(kind: number): boolean {
  return (
    kind === StructKind.string ||
    kind === StructKind.any ||
    kind === StructKind.deleted ||
    kind === StructKind.json
  );
}

/** The number a joinable content begins with (bytes, elements or units), and where its payload is. */
function readCount(struct: StructReader): { count: number; payloadOffset: number } {
  const { cursor } = struct;
  const end = cursor.offset;
  cursor.offset = struct.contentStart;
  const count = cursor.uint();
  const payloadOffset = cursor.offset;
  cursor.offset = end;
  return { count, payloadOffset };
}

function sizeOfUint(value: number): number {
  let size = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) size++;
  return size;
}

function writeUintAt(bytes: Uint8Array, offset: number, value: number): void {
  let index = offset;
  let rest = value;
  while (rest > 0x7f) {
    bytes[index++] = 0x80 | (rest % 128);
    rest = Math.floor(rest / 128);
  }
  bytes[index] = rest;
}
