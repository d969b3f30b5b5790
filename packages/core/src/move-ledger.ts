import { limits } from "./limits.ts";

/** A moment of one opening of a store. Means nothing to another opening, nor to another process. */
export interface MoveMark {
  readonly opening: object;
  readonly number: number;
}

/**
 * What of a store was written since when, by name, for whoever has looked at all of it and wants to look
 * at what moved only. An open store is written by its process alone, so that what is not named here has not moved.
 *
 * Only in memory: it knows nothing of before the opening. Nothing is kept until somebody asks for a mark,
 * and at most `movesKeptMax` names; of what it had to forget it says so.
 */
export class MoveLedger {
  readonly #namesMax: number;
  /** Name → number of its last move, in the order of the numbers. */
  #moves: Map<string, number> | undefined;
  #opening: object = {};
  #number = 0;
  #forgottenUpTo = 0;

  constructor(namesMax: number = limits.movesKeptMax) {
    this.#namesMax = namesMax;
  }

  /**
   * Names that were written, or may have been: once the write has ended, however it did. Noted any earlier, a
   * mark could lie behind it although whoever took it still reads what was there before.
   *
   * @param namesOf called only where somebody has asked for a mark: a write pays nothing for it otherwise.
   */
  note(namesOf: () => Iterable<string>): void {
    const moves = this.#moves;
    if (moves === undefined) return;
    const number = this.#number + 1;
    for (const name of namesOf()) {
      this.#number = number;
      moves.delete(name);
      moves.set(name, number);
      if (moves.size > this.#namesMax) this.#forgetOldest(moves);
    }
  }

  /** The store was closed and opened again, so that anybody may have written; or what counts of it has changed. */
  begin(): void {
    this.#opening = {};
    this.#moves?.clear();
  }

  /** Now. To be taken before anything is read. */
  mark(): MoveMark {
    this.#moves ??= new Map();
    return { opening: this.#opening, number: this.#number };
  }

  /** What moved after a mark; `undefined` when that is not known any more. */
  since({ opening, number }: MoveMark): readonly string[] | undefined {
    if (opening !== this.#opening || number < this.#forgottenUpTo) return undefined;
    if (number === this.#number) return [];
    const names: string[] = [];
    for (const [name, moved] of this.#moves ?? []) if (moved > number) names.push(name);
    return names;
  }

  #forgetOldest(moves: Map<string, number>): void {
    for (const [name, number] of moves) {
      moves.delete(name);
      this.#forgottenUpTo = number;
      return;
    }
  }
}
