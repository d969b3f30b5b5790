import type { KnownClocks } from "./known-clocks.ts";
import type { ParsedUpdate } from "./parsed-update.ts";

/**
 * What would be known if some updates were learned: they are looked at one after the other before any
 * of them is taken. Deletes are not added, so what they say twice looks new.
 */
export class KnownAhead implements KnownClocks {
  readonly #known: KnownClocks;
  readonly #clocks = new Map<number, number>();

  constructor(known: KnownClocks) {
    this.#known = known;
  }

  clockOf(client: number): number {
    return this.#clocks.get(client) ?? this.#known.clockOf(client);
  }

  get deletes(): KnownClocks["deletes"] {
    return this.#known.deletes;
  }

  /** `admitted` was admitted against this. */
  learn({ runs }: ParsedUpdate): void {
    for (const { client, endClock } of runs) {
      if (endClock > this.clockOf(client)) this.#clocks.set(client, endClock);
    }
  }
}
