import type { KeyRange } from "./key-writer.ts";
import type { Operation } from "./level-database.ts";

const unknown = 0;
const used = 1;
const empty = 2;

/**
 * Kinds of records that nowhere in the database there are any of: most stores have nothing parked,
 * refused or dropped. Each look into LevelDB is a hop to another thread, and opening a document takes
 * one for every kind that it may have something of.
 *
 * A kind is looked for when it is first asked for, in its own range, so that a damaged table fails as
 * it would without this. Written to once, it counts as used for as long as the database is open.
 */
export class EmptyPrefixes {
  readonly #states = new Uint8Array(256);
  readonly #isEmpty: (range: KeyRange) => Promise<boolean>;

  /** @param isEmpty whether a range has no keys, from the disk. */
  constructor(isEmpty: (range: KeyRange) => Promise<boolean>) {
    this.#isEmpty = isEmpty;
  }

  /** Whether nothing can be in `range`, without a look at it. @throws what the look at its kind throws. */
  async covers({ gte, lt }: KeyRange): Promise<boolean> {
    const [prefix] = gte;
    if (prefix === undefined || !hasOnePrefix(prefix, lt)) return false;
    if (this.#states[prefix] === unknown) await this.#look(prefix);
    return this.#states[prefix] === empty;
  }

  /** To be called before they are written, and whether or not that succeeds. */
  note(operations: readonly Operation[]): void {
    for (let index = 0; index < operations.length; index++) {
      const { type, key } = operations[index]!;
      if (type === "put") this.#states[key[0] ?? 0] = used;
    }
  }

  async #look(prefix: number): Promise<void> {
    const isEmpty = await this.#isEmpty({
      gte: Uint8Array.of(prefix),
      lt: Uint8Array.of(prefix + 1),
    });
    // Unless it was written to meanwhile.
    if (this.#states[prefix] === unknown) this.#states[prefix] = isEmpty ? empty : used;
  }
}

/** Whether every key from `prefix` on and below `lt` begins with it. */
function hasOnePrefix(prefix: number, lt: Uint8Array): boolean {
  return lt[0] === prefix || (lt[0] === prefix + 1 && lt.length === 1);
}
