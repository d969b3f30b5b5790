import { HeddleError, HeddleErrorCode } from "@heddle/core";
import * as Y from "yjs";

import type { Captured } from "./footprint.ts";
import { capture } from "./footprint.ts";
import type { Ledger, LedgerEntry } from "./ledger.ts";
import type { Turn } from "./plan.ts";
import { textOf } from "./stock-client.ts";

/**
 * Seats write under ascending Yjs client ids, in the order of their agents, from here. Where two
 * people insert at one place at the same time, Yjs puts the lower id first, and friendsforever ends
 * with its `endContent` only if agent 0 is that one. Big, so that ids take their usual five bytes.
 */
const firstWriter = 2 ** 30;

/**
 * A person at a client, with a document of their own that shows exactly the causal past of what
 * they type next. The client's document will not do: it may be further along than the recorded
 * person was, and then recorded positions point elsewhere.
 *
 * The bytes shown here are the author's; the caller shows them only after the client's own document
 * holds them, that is, after the relay delivered them.
 */
export class Seat {
  readonly #doc = new Y.Doc();
  readonly #text = textOf(this.#doc);
  readonly #ledger: Ledger;
  /** Of each agent, how many transactions are shown. */
  readonly #shown: number[];

  /** `index` in the plan, which lists seats by agent. */
  constructor(index: number, ledger: Ledger) {
    this.#doc.clientID = firstWriter + index;
    this.#ledger = ledger;
    this.#shown = Array.from({ length: ledger.agents }, () => 0);
  }

  /** Shows what the causal past holds and this seat does not, in one Yjs transaction. */
  show(past: Uint32Array): void {
    const fresh: LedgerEntry[] = [];
    for (let agent = 0; agent < past.length; agent++) {
      if (past[agent]! <= this.#shown[agent]!) continue;
      fresh.push(...this.#ledger.of(agent).slice(this.#shown[agent], past[agent]));
      this.#shown[agent] = past[agent]!;
    }
    if (fresh.length === 0) return;
    fresh.sort((a, b) => a.index - b.index);
    const apply = () => {
      for (const { update } of fresh) if (update !== undefined) Y.applyUpdate(this.#doc, update);
    };
    Y.transact(this.#doc, apply, "relay", false);
  }

  /** Types one turn. The text must show its past. */
  type(agent: number, turn: Turn): Captured {
    const captured = capture(this.#doc, () => {
      for (const [position, deleteCount, text] of turn.patches) {
        this.#requireInside(turn.index, position + deleteCount);
        if (deleteCount > 0) this.#text.delete(position, deleteCount);
        if (text !== "") this.#text.insert(position, text);
      }
    });
    this.#shown[agent]!++;
    return captured;
  }

  close(): void {
    this.#doc.destroy();
  }

  #requireInside(index: number, end: number): void {
    if (end <= this.#text.length) return;
    throw new HeddleError(
      HeddleErrorCode.configInvalid,
      `the trace does not fit its own text: transaction ${index} reaches to ${end} of ${this.#text.length} characters`,
    );
  }
}
