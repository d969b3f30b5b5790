import { assert } from "./assert.ts";
import { writeHlc, type Hlc } from "./hybrid-clock.ts";
import { writeId, type DocumentId, type LaneId, type SpaceId } from "./ids.ts";

/**
 * Writes tagged fields (see fields.ts) into bytes that are there already. The encoder of lib0 grows
 * and copies, and ids would need arrays of their own: too dear for what is done per update.
 */
export class FieldWriter {
  #bytes: Uint8Array = new Uint8Array(0);
  #length = 0;

  /** Begins anew. @param bytes room for everything that will be written. */
  begin(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#length = 0;
  }

  get length(): number {
    return this.#length;
  }

  raw(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  uint8(value: number): void {
    this.#bytes[this.#length++] = value;
  }

  /** Zero is said by leaving the field out. */
  uintField(tag: number, value: number): void {
    if (value === 0) return;
    this.#uint(tag << 1);
    this.#uint(value);
  }

  bytesField(tag: number, bytes: Uint8Array): void {
    this.#uint((tag << 1) | 1);
    this.#uint(bytes.length);
    this.raw(bytes);
  }

  idField(tag: number, id: SpaceId | DocumentId | LaneId): void {
    this.#uint((tag << 1) | 1);
    this.#uint(16);
    writeId(id, this.#bytes, this.#length);
    this.#length += 16;
  }

  hlcField(tag: number, hlc: Hlc): void {
    this.#uint((tag << 1) | 1);
    this.#uint(8);
    writeHlc(hlc, this.#bytes, this.#length);
    this.#length += 8;
  }

  #uint(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, "a field holds a whole number");
    let rest = value;
    while (rest > 0x7f) {
      this.#bytes[this.#length++] = 0x80 | (rest % 128);
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#length++] = rest;
  }
}
