import type { UpdateSource } from "./pending-updates.ts";

/** Which burst of a round is the last one of each source. Most rounds have one source, and need no map. */
export class BurstIndex {
  #first: UpdateSource | undefined;
  #lastOfFirst = -1;
  #others: Map<UpdateSource, number> | undefined;

  /** -1 for a source that has none. */
  lastOf(source: UpdateSource): number {
    if (source === this.#first) return this.#lastOfFirst;
    return this.#others?.get(source) ?? -1;
  }

  set(source: UpdateSource, index: number): void {
    this.#first ??= source;
    if (source === this.#first) this.#lastOfFirst = index;
    else (this.#others ??= new Map()).set(source, index);
  }

  /** In the order of their first bursts. */
  sources(): readonly UpdateSource[] {
    if (this.#first === undefined) return [];
    return this.#others ? [this.#first, ...this.#others.keys()] : [this.#first];
  }
}
