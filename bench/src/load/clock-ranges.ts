/** Receives the contiguous clocks `[from, to)` of one Yjs client that an update carries. */
export interface ClockRangeSink {
  onRange(client: number, from: number, to: number): void;
}

const structRef = { gc: 0, deleted: 1, string: 4, skip: 10 } as const;
const refMask = 31;
const hasOrigin = 0x80;
const hasRightOrigin = 0x40;
const hasParentKey = 0x20;

/**
 * Reads how far an update (V1) takes each client, and nothing else: no items are made, the delete set is not read.
 *
 * Servers may merge updates or fold them in a document, so frames say little; clocks say what content arrived.
 * It knows the structs that plain ASCII typing produces and throws at any other: a bench must not guess.
 */
export class ClockRangeReader {
  #bytes: Uint8Array = new Uint8Array(0);
  #position = 0;

  read(bytes: Uint8Array, start: number, sink: ClockRangeSink): void {
    this.#bytes = bytes;
    this.#position = start;
    const clients = this.readVarUint();
    for (let index = 0; index < clients; index += 1) this.#readClient(sink);
  }

  /** Also used for the varints around an update; continues where the last read ended. */
  readVarUint(): number {
    let factor = 1;
    let value = 0;
    for (;;) {
      const byte = this.#bytes[this.#position];
      if (byte === undefined) throw new Error("frame ends inside a number");
      this.#position += 1;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
      factor *= 128;
    }
  }

  #readClient(sink: ClockRangeSink): void {
    const structs = this.readVarUint();
    const client = this.readVarUint();
    let from = this.readVarUint();
    let to = from;
    for (let index = 0; index < structs; index += 1) {
      const info = this.#bytes[this.#position] ?? refMask;
      this.#position += 1;
      const length = this.#readStructLength(info);
      to += length;
      if ((info & refMask) !== structRef.skip) continue;
      // A skip is a hole: what lies before it is one range, what follows is another.
      if (to - length > from) sink.onRange(client, from, to - length);
      from = to;
    }
    if (to > from) sink.onRange(client, from, to);
  }

  #readStructLength(info: number): number {
    const ref = info & refMask;
    if (ref === structRef.gc || ref === structRef.skip) return this.readVarUint();
    if ((info & hasOrigin) !== 0) this.#skipId();
    if ((info & hasRightOrigin) !== 0) this.#skipId();
    if ((info & (hasOrigin | hasRightOrigin)) === 0) {
      if (this.readVarUint() === 1) this.#skipString();
      else this.#skipId();
      if ((info & hasParentKey) !== 0) this.#skipString();
    }
    if (ref === structRef.deleted) return this.readVarUint();
    // ASCII only, so bytes and UTF-16 units, which are what Yjs counts, are the same number.
    if (ref === structRef.string) return this.#skipString();
    throw new Error(`struct ${ref} is not part of this load`);
  }

  #skipId(): void {
    this.readVarUint();
    this.readVarUint();
  }

  #skipString(): number {
    const length = this.readVarUint();
    this.#position += length;
    return length;
  }
}
