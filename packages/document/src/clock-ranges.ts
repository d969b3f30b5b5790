/** Inserting moves the tail of the array, which beats a sweep in script for about six ranges. */
const fewNumbers = 12;

/**
 * A set of clocks of one client as sorted ranges that never touch. Flat pairs `clock, endClock`,
 * because a long document has tens of thousands of deleted ranges.
 */
export class ClockRanges {
  #pairs: number[];

  /** Takes over `pairs`, which must be ascending and not touching. */
  constructor(pairs: number[] = []) {
    this.#pairs = pairs;
  }

  get pairs(): readonly number[] {
    return this.#pairs;
  }

  has(clock: number): boolean {
    const index = this.#firstEndingAfter(clock);
    return index < this.#pairs.length && this.#pairs[index]! <= clock;
  }

  /** Whether all of `[clock, endClock)` is in the set. */
  covers(clock: number, endClock: number): boolean {
    const index = this.#firstEndingAfter(clock);
    return (
      index < this.#pairs.length &&
      this.#pairs[index]! <= clock &&
      endClock <= this.#pairs[index + 1]!
    );
  }

  add(clock: number, endClock: number): void {
    const pairs = this.#pairs;
    const size = pairs.length;
    if (size === 0 || clock > pairs[size - 1]!) {
      pairs.push(clock, endClock);
      return;
    }
    // First range that ends at or behind `clock`: it touches or overlaps, or lies behind.
    const first = this.#firstEndingAfter(clock - 1);
    let end = first;
    let low = clock;
    let high = endClock;
    while (end < size && pairs[end]! <= endClock) {
      low = Math.min(low, pairs[end]!);
      high = Math.max(high, pairs[end + 1]!);
      end += 2;
    }
    if (end === first + 2) {
      pairs[first] = low;
      pairs[first + 1] = high;
    } else pairs.splice(first, end - first, low, high);
  }

  /** Adds ascending ranges: one by one when few, in one sweep when many, never quadratic. */
  addAll(ranges: readonly number[]): void {
    if (ranges.length <= fewNumbers) {
      for (let index = 0; index < ranges.length; index += 2) {
        this.add(ranges[index]!, ranges[index + 1]!);
      }
      return;
    }
    this.#pairs = unionOf(this.#pairs, ranges);
  }

  /** Appends to `into` the parts of `[clock, endClock)` that are not in the set. */
  missingFrom(clock: number, endClock: number, into: number[]): void {
    const pairs = this.#pairs;
    let from = clock;
    for (let index = this.#firstEndingAfter(clock); index < pairs.length; index += 2) {
      const start = pairs[index]!;
      if (start >= endClock) break;
      if (start > from) into.push(from, start);
      from = pairs[index + 1]!;
    }
    if (from < endClock) into.push(from, endClock);
  }

  /** Index of the first pair whose end lies behind `clock`. */
  #firstEndingAfter(clock: number): number {
    const pairs = this.#pairs;
    let low = 0;
    let high = pairs.length >> 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (pairs[middle * 2 + 1]! > clock) high = middle;
      else low = middle + 1;
    }
    return low * 2;
  }
}

/** Union of two ascending lists of pairs, in one sweep. */
function unionOf(a: readonly number[], b: readonly number[]): number[] {
  const union: number[] = [];
  let indexA = 0;
  let indexB = 0;
  while (indexA < a.length || indexB < b.length) {
    const takesA = indexB >= b.length || (indexA < a.length && a[indexA]! <= b[indexB]!);
    const clock = takesA ? a[indexA]! : b[indexB]!;
    const endClock = takesA ? a[indexA + 1]! : b[indexB + 1]!;
    if (takesA) indexA += 2;
    else indexB += 2;
    const last = union.length - 1;
    if (last > 0 && clock <= union[last]!) union[last] = Math.max(union[last]!, endClock);
    else union.push(clock, endClock);
  }
  return union;
}
