import { equalBytes } from "@heddle/core";
import type { ParsedUpdate } from "@heddle/document";

/** Whoever hands in updates: one connection, one tab. Compared by identity. */
export interface UpdateSource {
  /** UTF-8; written into the envelopes that its updates are sealed in. */
  readonly principal?: Uint8Array | undefined;
}

/** Consecutive updates of one principal: they are sealed into one envelope. */
export interface UpdateBurst {
  readonly principal: Uint8Array | undefined;
  readonly updates: ParsedUpdate[];
}

/**
 * Updates of one document that wait for the next commit round. A burst ends where the principal
 * changes, so that an envelope speaks for one of them and never precedes what it depends on.
 */
export class PendingUpdates {
  readonly bursts: UpdateBurst[] = [];
  readonly sources = new Set<UpdateSource>();
  /** Ids of parked updates that these bursts contain, to be released in the same batch. */
  readonly released: string[] = [];
  readonly #afterCommit: (() => void)[] = [];

  get isEmpty(): boolean {
    return this.bursts.length === 0;
  }

  add(update: ParsedUpdate, source: UpdateSource): void {
    const last = this.bursts.at(-1);
    if (last && isSame(last.principal, source.principal)) last.updates.push(update);
    else this.bursts.push({ principal: source.principal, updates: [update] });
    this.sources.add(source);
  }

  afterCommit(task: () => void): void {
    this.#afterCommit.push(task);
  }

  runAfterCommit(): void {
    for (const task of this.#afterCommit) task();
  }
}

function isSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : equalBytes(a, b);
}
