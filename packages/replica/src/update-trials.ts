import { HeddleError, HeddleErrorCode } from "@heddle/core";
import type { ParsedUpdate } from "@heddle/document";

import { budgetFor, type ApplyBudget, type ApplyJudge, type FailedTrial } from "./apply-judge.ts";
import type { UpdateSource } from "./pending-updates.ts";

/** An update that is tried before anything else happens to it. */
export interface UpdateCase {
  readonly update: ParsedUpdate;
  /** As it was sent: the form in which it would come again. */
  readonly original: Uint8Array;
  readonly source: UpdateSource;
  readonly receivedMs: number;
  /** Set when it was parked before: then it stays parked until the verdict. */
  readonly parkedId?: string;
  /** Told once it was taken in (no argument), or with what its sender is refused with. */
  readonly onEnd: (refusal?: HeddleError) => void;
}

/** What trials need of their document. */
export interface TriedDocument {
  /** The part that would be logged now, and the document to try it on; `undefined` when there is none. */
  candidateOf(tried: UpdateCase): { update: Uint8Array; base: readonly Uint8Array[] } | undefined;
  /** Takes the update in. False when what would be logged is no longer what was tried. */
  take(tried: UpdateCase, update: Uint8Array | undefined): boolean;
  refuse(tried: UpdateCase, failure: FailedTrial): void;
  /** What is logged does not load in time: not the sender's fault. */
  onBaseFailed(): void;
}

/** How often an update is tried again because the document has moved on meanwhile. */
const roundsMax = 4;

/**
 * Tries the updates of one document, one after the other: two that are harmless by themselves may not
 * slip through side by side. While an update is tried it is neither known, logged nor shown.
 */
export class UpdateTrials {
  readonly #judge: ApplyJudge;
  readonly #document: TriedDocument;
  readonly #budget: ApplyBudget;
  readonly #waiting: UpdateCase[] = [];
  #isRunning = false;
  #isStopped = false;

  constructor(judge: ApplyJudge, document: TriedDocument, budget: ApplyBudget) {
    this.#judge = judge;
    this.#document = document;
    this.#budget = budget;
  }

  get isIdle(): boolean {
    return !this.#isRunning;
  }

  add(tried: UpdateCase): void {
    this.#waiting.push(tried);
    if (!this.#isRunning) void this.#run();
  }

  /** Nothing more is tried, and nobody is told: the document is given up. */
  stop(): void {
    this.#isStopped = true;
    this.#waiting.length = 0;
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      await this.#try(next);
    }
    this.#isRunning = false;
  }

  async #try(tried: UpdateCase): Promise<void> {
    for (let round = 0; round < roundsMax; round++) {
      const candidate = this.#document.candidateOf(tried);
      if (candidate === undefined) {
        this.#document.take(tried, undefined);
        return;
      }
      const { update, base } = candidate;
      const budgetMs = budgetFor(this.#budget, update.length);
      const trial = { urgency: "urgent", base, steps: [update], budgetMs } as const;
      const verdict = await this.#judge.judge(trial);
      if (this.#isStopped) return;
      if (verdict.outcome === "ok") {
        if (this.#document.take(tried, update)) return;
        continue;
      }
      if (!("reason" in verdict)) break;
      if (verdict.step !== -1) {
        this.#document.refuse(tried, verdict);
        return;
      }
      this.#document.onBaseFailed();
      break;
    }
    const message = "the update could not be tried now";
    tried.onEnd(new HeddleError(HeddleErrorCode.relayOverloaded, message));
  }
}
