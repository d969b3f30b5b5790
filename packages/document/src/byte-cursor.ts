import { HeddleError, HeddleErrorCode } from "@heddle/core/base";

/** The one error for bytes that are not an update: `HEDDLE_UPDATE_MALFORMED`. */
export function malformed(why: string): HeddleError {
  return new HeddleError(HeddleErrorCode.updateMalformed, `update refused: ${why}`);
}

/**
 * Reads forward through bytes from a stranger. Every read checks the end; nothing is allocated.
 * Own code instead of lib0's decoder, because that one reads past the end of the array in `readUint8`
 * and friends, and because the hot path needs offsets, not values.
 */
export class ByteCursor {
  readonly bytes: Uint8Array;
  offset: number;
  end: number;

  constructor(bytes: Uint8Array, offset = 0, end = bytes.length) {
    this.bytes = bytes;
    this.offset = offset;
    this.end = end;
  }

  get left(): number {
    return this.end - this.offset;
  }

  byte(): number {
    if (this.offset >= this.end) throw malformed("ends too early");
    return this.bytes[this.offset++]!;
  }

  /** A lib0 varuint up to 2^53 - 1 in at most 8 bytes. lib0 itself reads endless zero padding. */
  uint(): number {
    const first = this.byte();
    if (first < 0x80) return first;
    let value = first & 0x7f;
    let scale = 128;
    for (let count = 1; count < 8; count++) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) throw malformed("integer above 2^53");
        return value;
      }
      scale *= 128;
    }
    throw malformed("integer of more than 8 bytes");
  }

  /** A number of items of at least `itemBytesMin` bytes each that must still fit. */
  count(itemBytesMin: number): number {
    const count = this.uint();
    if (count * itemBytesMin > this.left) throw malformed("more items claimed than bytes left");
    return count;
  }

  /** Steps over `length` bytes and returns the offset of the first. */
  skip(length: number): number {
    const start = this.offset;
    if (length > this.end - start) throw malformed("ends too early");
    this.offset = start + length;
    return start;
  }
}
