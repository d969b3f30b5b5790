import type { Doc } from "yjs";

import type { Captured } from "./footprint.ts";
import { holds } from "./footprint.ts";

/** One transaction that was typed, and who still waits for it. */
export interface LedgerEntry extends Captured {
  readonly agent: number;
  /** The client it was typed at. */
  readonly client: number;
  /** Position in the trace; in a synthetic replay, in the order of typing. */
  readonly index: number;
  readonly typedAtMs: number;
  /** Other clients that do not hold it yet. */
  unseenBy: number;
}

/** Everything typed so far, each agent's transactions in the agent's order. */
export class Ledger {
  readonly #byAgent: LedgerEntry[][];
  #length = 0;

  constructor(agents: number) {
    this.#byAgent = Array.from({ length: agents }, () => []);
  }

  get agents(): number {
    return this.#byAgent.length;
  }

  get length(): number {
    return this.#length;
  }

  add(entry: LedgerEntry): void {
    this.#byAgent[entry.agent]!.push(entry);
    this.#length++;
  }

  of(agent: number): readonly LedgerEntry[] {
    return this.#byAgent[agent]!;
  }

  /** All entries by index, which is an order that never puts an effect before its cause. */
  inOrder(): LedgerEntry[] {
    return this.#byAgent.flat().toSorted((a, b) => a.index - b.index);
  }
}

/**
 * How much of the ledger one document holds: of each agent, its first `arrived(agent)` transactions.
 * A count per agent is enough, because an agent's transactions build on each other.
 */
export class ArrivalCursor {
  readonly #doc: Doc;
  readonly #ledger: Ledger;
  readonly #arrived: number[];

  constructor(doc: Doc, ledger: Ledger) {
    this.#doc = doc;
    this.#ledger = ledger;
    this.#arrived = Array.from({ length: ledger.agents }, () => 0);
  }

  arrived(agent: number): number {
    return this.#arrived[agent]!;
  }

  get isComplete(): boolean {
    return this.firstMissing() === undefined;
  }

  firstMissing(): LedgerEntry | undefined {
    for (let agent = 0; agent < this.#arrived.length; agent++) {
      const entry = this.#ledger.of(agent)[this.#arrived[agent]!];
      if (entry !== undefined) return entry;
    }
    return undefined;
  }

  /** Call after the document changed. Reports each transaction once. */
  advance(onArrived: (entry: LedgerEntry) => void): void {
    for (let agent = 0; agent < this.#arrived.length; agent++) {
      const entries = this.#ledger.of(agent);
      let at = this.#arrived[agent]!;
      while (at < entries.length && holds(this.#doc, entries[at]!.footprint)) {
        onArrived(entries[at]!);
        at++;
      }
      this.#arrived[agent] = at;
    }
  }
}
