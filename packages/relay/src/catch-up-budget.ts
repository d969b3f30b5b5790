/**
 * Catch-ups that are written and not yet read. One that is shared counts once. Over the bound the one
 * under way for longest is given up: who reads is done in seconds, who does not must not keep others
 * from their content.
 */
export class CatchUpBudget<Reader> {
  readonly #max: number;
  readonly #readersOf = new Map<Uint8Array, Set<Reader>>();
  readonly #frameOf = new Map<Reader, Uint8Array>();
  #used = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get used(): number {
    return this.#used;
  }

  /** Counts `frame` as sent to `reader`; returns the readers to give up, the oldest first. */
  begin(reader: Reader, frame: Uint8Array): Reader[] {
    this.end(reader);
    const readers = this.#readersOf.get(frame);
    if (readers) readers.add(reader);
    else {
      this.#readersOf.set(frame, new Set([reader]));
      this.#used += frame.length;
    }
    this.#frameOf.set(reader, frame);
    return this.#used > this.#max ? this.#oldest(reader) : [];
  }

  /** `reader` has read all, or is gone. */
  end(reader: Reader): void {
    const frame = this.#frameOf.get(reader);
    if (frame === undefined) return;
    this.#frameOf.delete(reader);
    const readers = this.#readersOf.get(frame)!;
    readers.delete(reader);
    if (readers.size > 0) return;
    this.#readersOf.delete(frame);
    this.#used -= frame.length;
  }

  /** Readers whose going would free enough; never the one that has just begun. */
  #oldest(newest: Reader): Reader[] {
    const given: Reader[] = [];
    let excess = this.#used - this.#max;
    for (const [frame, readers] of this.#readersOf) {
      if (excess <= 0) break;
      if (readers.has(newest)) continue;
      given.push(...readers);
      excess -= frame.length;
    }
    return given;
  }
}
