import type { ParsedUpdate } from "@heddle/document";

/** What the bursts of a round bring of one Yjs client. */
interface Brought {
  /** The lowest clock of it; below lies what was logged before. */
  fromClock: number;
  /** Index of the last burst that has structs of it. */
  burst: number;
}

/** Which burst of a round an update builds on: it may not be logged before that one. */
export class RoundReferences {
  readonly #brought = new Map<number, Brought>();

  /** Index of the last burst with something that `update` refers to; -1 when there is none. */
  lastNeededBy(update: ParsedUpdate): number {
    let last = -1;
    const look = (client: number, clock: number): void => {
      const brought = this.#brought.get(client);
      if (brought && clock >= brought.fromClock && brought.burst > last) last = brought.burst;
    };
    // Structs of a client follow each other, and refer to what their client wrote before.
    for (const { client, endClock } of update.runs) look(client, endClock);
    for (const [client, clock] of update.requires) look(client, clock);
    for (const { client, ranges } of update.deletes) look(client, ranges.at(-1)! - 1);
    return last;
  }

  note(update: ParsedUpdate, burst: number): void {
    for (const { client, clock } of update.runs) {
      const brought = this.#brought.get(client);
      if (!brought) this.#brought.set(client, { fromClock: clock, burst });
      else {
        brought.fromClock = Math.min(brought.fromClock, clock);
        brought.burst = Math.max(brought.burst, burst);
      }
    }
  }
}
