import type { ClientDeletes } from "./parsed-update.ts";
import { noClient } from "./struct-reader.ts";
import type { Waiter } from "./wait-index.ts";
import type { WaitingPart } from "./waiting-part.ts";
import type { Step } from "./waiting-structs.ts";

/** The waiting deletes of one client in one update; freed from the lowest clock on. */
export class WaitingDeletes<Owner> implements Waiter {
  awaited = noClient;
  clock = 0;
  place = -1;
  readonly owner: Owner;
  readonly client: number;
  readonly #ranges: readonly number[];
  #index = 0;
  /** Everything below is freed. */
  #from = 0;

  constructor(owner: Owner, { client, ranges }: ClientDeletes) {
    this.owner = owner;
    this.client = client;
    this.#ranges = ranges;
  }

  /** Adds to `part` the deletes whose structs are there. */
  step(part: WaitingPart): Step {
    const known = part.clockOf(this.client);
    for (; this.#index < this.#ranges.length; this.#index += 2) {
      const clock = Math.max(this.#from, this.#ranges[this.#index]!);
      const endClock = this.#ranges[this.#index + 1]!;
      if (known <= clock) return { client: this.client, clock: clock + 1 };
      const freed = Math.min(known, endClock);
      part.addDeletes(this.client, clock, freed);
      this.#from = freed;
      if (freed < endClock) return { client: this.client, clock: freed + 1 };
      // One at least was passed, so that every call gets on.
      if (part.budget.isSpent) {
        this.#index += 2;
        return this.#index < this.#ranges.length ? "later" : "done";
      }
    }
    return "done";
  }

  /** Returns what puts it back to where it is now. */
  save(): () => void {
    const index = this.#index;
    const from = this.#from;
    return () => {
      this.#index = index;
      this.#from = from;
    };
  }
}
