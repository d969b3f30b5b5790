import type { CreationStage } from "@heddle/replica";

import type { RelayCounters } from "./relay-counters.ts";

/**
 * How many documents the store has, those on their way to it included: otherwise as many as fit into one
 * commit round would be created above the bound.
 */
export class DocumentCreations {
  readonly #storedBefore: () => number;
  readonly #counters: RelayCounters;
  #begun = 0;

  /** @param storedBefore documents that were in the store when the relay started. */
  constructor(storedBefore: () => number, counters: RelayCounters) {
    this.#storedBefore = storedBefore;
    this.#counters = counters;
  }

  get count(): number {
    return this.#storedBefore() + this.#counters.documentsCreated + this.#begun;
  }

  on(stage: CreationStage): void {
    this.#begun += stage === "begun" ? 1 : -1;
    if (stage === "durable") this.#counters.documentsCreated++;
  }
}
