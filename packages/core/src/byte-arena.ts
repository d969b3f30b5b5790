/** Big enough that a busy process makes few, small enough that one forgotten view keeps little. */
const slabBytesDefault = 32 * 1024;

/**
 * Cuts byte arrays from slabs. An array with a buffer of its own costs some twenty times as much to
 * make as a view, and the collector visits each of them; the hot path makes several per update.
 *
 * No byte is ever handed out twice. A view keeps its slab in memory, so this is for what lives as long
 * as a commit round. Whoever keeps bytes, or gives them to another thread, copies them.
 */
export class ByteArena {
  readonly #slabBytes: number;
  #slab = new Uint8Array(0);
  #used = 0;

  constructor(slabBytes = slabBytesDefault) {
    this.#slabBytes = slabBytes;
  }

  /** `length` zeroed bytes. Large ones have a buffer of their own. */
  take(length: number): Uint8Array {
    if (length > this.#slabBytes / 8) return new Uint8Array(length);
    if (this.#used + length > this.#slab.length) {
      this.#slab = new Uint8Array(this.#slabBytes);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += length;
    return this.#slab.subarray(start, this.#used);
  }
}
