/** A small number for each clock of one client, kept as steps; appended in ascending clocks. */
export class ClockSteps {
  /** Flat triples `clock, endClock, value`. */
  readonly #steps: number[] = [];

  append(clock: number, endClock: number, value: number): void {
    const steps = this.#steps;
    const last = steps.length - 3;
    if (last >= 0 && steps[last + 1] === clock && steps[last + 2] === value) {
      steps[last + 1] = endClock;
    } else steps.push(clock, endClock, value);
  }

  /** The value at `clock`; `undefined` where nothing was appended. */
  at(clock: number): number | undefined {
    const steps = this.#steps;
    let low = 0;
    let high = steps.length / 3 - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      if (clock < steps[middle * 3]!) high = middle - 1;
      else if (clock >= steps[middle * 3 + 1]!) low = middle + 1;
      else return steps[middle * 3 + 2];
    }
    return undefined;
  }
}
