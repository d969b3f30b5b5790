import { HeddleError, HeddleErrorCode, isHeddleError, type DocumentId } from "@heddle/core";

import { budgetFor, type FailedTrial, type Verdict } from "./apply-judge.ts";
import type { UpdateSource } from "./pending-updates.ts";
import type { QueuedTrial } from "./trial-queue.ts";
import type {
  Candidate,
  KeptScratch,
  TriedDocument,
  TrialsHost,
  UpdateCase,
} from "./update-trials.ts";

export interface TrialCaseHost extends TrialsHost {
  readonly document: TriedDocument;
  readonly kept: () => KeptScratch | undefined;
  readonly keep: (scratch: KeptScratch | undefined) => void;
  /** It was taken in, refused, or let go. */
  readonly onEnd: () => void;
}

/** How often an update is tried again because the document has moved on meanwhile. */
const roundsMax = 4;
/** What goes to the quick process: a small update, on a document that is loaded at once. */
const smallMax = {
  updateBytes: 256 * 1024,
  documentBytes: 2 * 1024 * 1024,
  baseMs: 1_000,
} as const;
/** A document that needs more of the bounds than this by itself is to blame, not who adds to it. */
const baseShareMax = 0.5;

/** One for each scratch document that was ever kept in this process. */
let versions = 0;

/**
 * One update on its way through trials:
 *
 *   waiting ──► tried ──passes──────────────────────────────────────────► taken in
 *                 └──fails──► waiting ──► tried alone, twice the time ──passes──► taken in
 *                                            └──fails──► does the document fail without it,
 *                                                        within half of the bounds?
 *                                                          yes: refused for now
 *                                                          no: quarantine
 *
 * Nobody is refused for good because a process was cold, shared or short of memory for others.
 */
export class TrialCase implements QueuedTrial {
  readonly document: DocumentId;
  readonly source: UpdateSource;
  readonly bytes: number;
  readonly #tried: UpdateCase;
  readonly #host: TrialCaseHost;
  #hasFailed = false;
  #isAbandoned = false;

  constructor(tried: UpdateCase, host: TrialCaseHost) {
    this.document = host.document.id;
    this.source = tried.source;
    const { update, original } = tried;
    this.bytes = original.length + (update.bytes === original ? 0 : update.bytes.length);
    this.#tried = tried;
    this.#host = host;
  }

  isLarge(): boolean {
    const isSmall =
      this.bytes <= smallMax.updateBytes &&
      this.#host.document.byteLength() <= smallMax.documentBytes;
    return this.#hasFailed || !isSmall;
  }

  baseBytes(): number {
    return this.#host.document.byteLength();
  }

  /** Nobody waits for it any more: what runs is finished, and not begun again. */
  abandon(): void {
    this.#isAbandoned = true;
  }

  async run(): Promise<"done" | "again"> {
    const isDone = await this.#run();
    if (!isDone && !this.#isAbandoned) return "again";
    this.#host.onEnd();
    return "done";
  }

  /** False when it is to be tried again alone. */
  async #run(): Promise<boolean> {
    for (let round = 0; round < roundsMax; round++) {
      const candidate = this.#candidate();
      if (candidate === undefined) return true;
      const verdict = await (this.#hasFailed ? this.#tryAlone(candidate) : this.#try(candidate));
      if (verdict.outcome === "ok") {
        if (this.#host.document.take(this.#tried, candidate.update)) return true;
        this.#host.keep(undefined);
      } else if (!("reason" in verdict)) break;
      else if (!this.#hasFailed) {
        this.#hasFailed = true;
        return false;
      } else if (await this.#isSenderToBlame(candidate, verdict)) {
        this.#host.document.refuse(this.#tried, verdict);
        return true;
      } else break;
    }
    const message = "the update could not be tried now";
    this.#tried.onEnd(new HeddleError(HeddleErrorCode.relayOverloaded, message));
    return true;
  }

  /** What would be logged; nothing when it was taken in or refused without a trial. */
  #candidate(): Candidate | undefined {
    const { document } = this.#host;
    try {
      const candidate = document.candidateOf(this.#tried);
      if (candidate === undefined) document.take(this.#tried, undefined);
      return candidate;
    } catch (error) {
      if (!isHeddleError(error)) throw error;
      this.#tried.onEnd(error);
      return undefined;
    }
  }

  /** On the scratch document that the last trial left, if it is still there. */
  async #try(candidate: Candidate): Promise<Verdict> {
    const { judge, budget, keep, kept, document } = this.#host;
    const { bytes } = candidate.update;
    const isLarge = this.isLarge();
    const trial = {
      urgency: isLarge ? "bulk" : "urgent",
      key: document.id,
      steps: [bytes],
      budgetMs: budgetFor(budget, bytes.length),
      ...(!isLarge && { baseMsMax: smallMax.baseMs }),
    } as const;
    const to = ++versions;
    const last = kept();
    keep(undefined);
    let verdict: Verdict = { outcome: "unknown-base" };
    if (last !== undefined) {
      const version = { from: last.version, to };
      verdict = await judge.judge({ ...trial, version, base: candidate.base(last.vector) });
    }
    if (verdict.outcome === "unknown-base") {
      verdict = await judge.judge({
        ...trial,
        version: { from: undefined, to },
        base: candidate.base(),
      });
    }
    if (verdict.outcome === "ok") keep({ version: to, vector: candidate.vector });
    return verdict;
  }

  #tryAlone(candidate: Candidate): Promise<Verdict> {
    const { judge, budget } = this.#host;
    const { bytes } = candidate.update;
    return judge.judge({
      urgency: "bulk",
      base: candidate.base(),
      steps: [bytes],
      budgetMs: 2 * budgetFor(budget, bytes.length),
      alone: { share: 1 },
    });
  }

  async #isSenderToBlame(candidate: Candidate, failure: FailedTrial): Promise<boolean> {
    const { judge, budget, document } = this.#host;
    if (failure.step === -1) {
      if (failure.outcome === "memory") document.onBaseTooLarge();
      else document.onBaseFailed();
      return false;
    }
    // What a step takes, and what it throws, is its own; the rest it shares with the document.
    if (failure.step !== undefined && failure.outcome !== "memory") return true;
    const verdict = await judge.judge({
      urgency: "bulk",
      base: candidate.base(),
      steps: [],
      budgetMs: 2 * budgetFor(budget, candidate.update.bytes.length),
      alone: { share: baseShareMax },
    });
    if (verdict.outcome === "ok") return true;
    if (verdict.outcome === "exception") document.onBaseFailed();
    else if (verdict.outcome !== "overloaded") document.onBaseTooLarge();
    return false;
  }
}
