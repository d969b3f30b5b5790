/** Builds bytes: lib0 varuints and copied slices. Doubles its buffer when full. */
export class ByteWriter {
  #bytes: Uint8Array;
  #length = 0;

  constructor(capacity = 128) {
    this.#bytes = new Uint8Array(capacity);
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  uint(value: number): void {
    this.#reserve(8);
    let rest = value;
    while (rest > 0x7f) {
      this.#bytes[this.#length++] = 0x80 | (rest % 128);
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#length++] = rest;
  }

  slice(source: Uint8Array, start: number, end: number): void {
    const length = end - start;
    this.#reserve(length);
    if (length > 48) {
      this.#bytes.set(source.subarray(start, end), this.#length);
      this.#length += length;
      return;
    }
    // A view costs more than a short copy by hand.
    for (let index = start; index < end; index++) this.#bytes[this.#length++] = source[index]!;
  }

  /** The bytes written so far in a buffer of their own. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #reserve(length: number): void {
    const needed = this.#length + length;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
