import type { DocumentId, HeddleError } from "@heddle/core";
import type { ParsedUpdate } from "@heddle/document";

import type { ApplyBudget, ApplyJudge, FailedTrial } from "./apply-judge.ts";
import type { UpdateSource } from "./pending-updates.ts";
import { TrialCase } from "./trial-case.ts";
import type { TrialQueue } from "./trial-queue.ts";

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

/** What would be logged of a case, and what of the document it needs to be tried. */
export interface Candidate {
  readonly update: ParsedUpdate;
  /**
   * All of the document, or what is new since a state vector, as updates in memory of their own. Made
   * when it is asked for, from what is accepted by then.
   */
  base(since?: Uint8Array): Uint8Array[];
  /** Yjs state vector of what was accepted when the candidate was made, with the update. */
  readonly vector: Uint8Array;
}

/** What trials need of their document. */
export interface TriedDocument {
  readonly id: DocumentId;
  /** About what its updates take, in bytes. */
  byteLength(): number;
  /**
   * What would be logged now; `undefined` when nothing is left that needs a trial.
   *
   * @throws HeddleError when it can no longer be taken in.
   */
  candidateOf(tried: UpdateCase): Candidate | undefined;
  /** Takes the update in. False when what would be logged is no longer what was tried. */
  take(tried: UpdateCase, update: ParsedUpdate | undefined): boolean;
  refuse(tried: UpdateCase, failure: FailedTrial): void;
  /** What is logged does not load: not the sender's fault. */
  onBaseFailed(): void;
  /** What is logged takes too much of the bounds by itself, so that nothing more can be tried on it. */
  onBaseTooLarge(): void;
}

export interface TrialsHost {
  readonly judge: ApplyJudge;
  readonly queue: TrialQueue;
  readonly budget: ApplyBudget;
}

/** The document as the last trial left it with the judge. */
export interface KeptScratch {
  readonly version: number;
  /** Yjs state vector of what is in it. */
  readonly vector: Uint8Array;
}

/**
 * The updates of one document that are tried. While an update is tried it is neither known, logged nor
 * shown.
 */
export class UpdateTrials {
  readonly #document: TriedDocument;
  readonly #host: TrialsHost;
  readonly #cases = new Set<TrialCase>();
  #kept: KeptScratch | undefined;

  constructor(document: TriedDocument, host: TrialsHost) {
    this.#document = document;
    this.#host = host;
  }

  get isIdle(): boolean {
    return this.#cases.size === 0;
  }

  /** False when there is no room for it. */
  add(tried: UpdateCase): boolean {
    const trial: TrialCase = new TrialCase(tried, {
      ...this.#host,
      document: this.#document,
      kept: () => this.#kept,
      keep: (scratch) => {
        this.#kept = scratch;
      },
      onEnd: () => this.#cases.delete(trial),
    });
    this.#cases.add(trial);
    const hasRoom = this.#host.queue.add(trial);
    if (!hasRoom) this.#cases.delete(trial);
    return hasRoom;
  }

  /** Its connection is gone, and nobody was told that it has arrived. Returns how many were let go. */
  withdraw(source: UpdateSource): number {
    return this.#drop((trial) => trial.source === source);
  }

  /** Nothing more is tried, and nobody is told: the document is given up. */
  stop(): void {
    this.#drop(() => true);
  }

  #drop(isGone: (trial: TrialCase) => boolean): number {
    const gone = new Set([...this.#cases].filter(isGone));
    for (const trial of gone) trial.abandon();
    return this.#host.queue.withdraw((trial) => {
      const isWaiting = gone.has(trial as TrialCase);
      if (isWaiting) this.#cases.delete(trial as TrialCase);
      return isWaiting;
    });
  }
}
