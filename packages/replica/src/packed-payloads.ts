import { isWorthHolding } from "@heddle/core";

const firstBytes = 256;

/**
 * Payloads one behind the other in one buffer. Most are a typed letter: as arrays of their own they
 * take ten times their length, and there is a list of them for every document in memory.
 */
export class PackedPayloads {
  #bytes: Uint8Array = new Uint8Array(0);
  #length = 0;
  #ends: number[] = [];

  /** Copies `payload`, or holds it as it is: nobody writes to it again. */
  add(payload: Uint8Array): void {
    const end = this.#length + payload.length;
    if (this.#length === 0 && isWorthHolding(payload)) this.#bytes = payload;
    else this.#copy(payload, end);
    this.#length = end;
    this.#ends.push(end);
  }

  #copy(payload: Uint8Array, end: number): void {
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.#bytes.length * 2, firstBytes));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(payload, this.#length);
  }

  /** In the order in which they were added. Views of one buffer, which is not written to again. */
  list(): Uint8Array[] {
    const bytes = this.#bytes.slice(0, this.#length);
    return this.#ends.map((end, index) => bytes.subarray(this.#ends[index - 1] ?? 0, end));
  }

  clear(): void {
    this.#bytes = new Uint8Array(0);
    this.#length = 0;
    this.#ends = [];
  }
}
