import {
  HeddleErrorCode,
  isHeddleError,
  type HeddleError,
  type Scheduler,
} from "@heddle/core/base";

import type { UpdateSource } from "../pending-updates.ts";
import type { ReplicaDocument } from "../replica-document.ts";
import { EditQueue, type QueuedEdits } from "./edit-queue.ts";
import { EditSources } from "./edit-sources.ts";
import { isStoreFailure, retryDelayMs } from "./trouble.ts";

export interface EditSubmissionOptions {
  readonly scheduler: Scheduler;
  /** The oldest `edits` are on disk; `isUpdate` when it was more than counting. */
  readonly onSaved: (edits: number, isUpdate: boolean) => void;
  /** The store takes nothing for now, and is asked again in a while. */
  readonly onPaused: (error: HeddleError) => void;
  /** It is time to ask it again: see {@link EditSubmission.pump}. */
  readonly onRetry: () => void;
  /** Will never be taken. */
  readonly onRefused: (error: HeddleError, refused: QueuedEdits) => void;
}

/**
 * Brings what was sealed to the log of a document, in order. What the store does not take for now is
 * kept and submitted again; all of it is submitted again to a log that is attached anew.
 */
export class EditSubmission {
  readonly #options: EditSubmissionOptions;
  readonly #sources = new EditSources();
  readonly queue = new EditQueue();
  #document: ReplicaDocument | undefined;
  #isJudging = false;
  #cancelRetry: (() => void) | undefined;

  constructor(options: EditSubmissionOptions) {
    this.#options = options;
  }

  /** Whether `source` is one of those that edits from here are submitted under. */
  isOwn(source: UpdateSource): boolean {
    return this.#sources.includes(source);
  }

  attach(document: ReplicaDocument): void {
    this.#document = document;
    this.queue.restart();
    this.pump();
  }

  detach(): void {
    this.#document = undefined;
    this.#isJudging = false;
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
  }

  /** Submits whatever waits for it, as far as the store takes it now. */
  pump(): void {
    const document = this.#document;
    if (document === undefined || this.#isJudging || this.#cancelRetry) return;
    for (let entry = this.queue.next(); entry; entry = this.queue.next()) {
      if (!this.#submit(document, entry)) return;
    }
  }

  /** False when nothing else may follow for now. */
  #submit(document: ReplicaDocument, entry: QueuedEdits): boolean {
    entry.stage = "submitted";
    if (entry.failure) {
      this.#onFailed(document, entry, entry.failure);
      return false;
    }
    if (entry.update === undefined) {
      this.#onSaved(document, entry);
      return true;
    }
    const source = this.#sources.of(entry);
    try {
      const outcome = document.submit(entry.update.bytes, source, (refusal) => {
        this.#onJudged(document, entry, refusal);
      });
      const onSaved = (): void => this.#onSaved(document, entry);
      if (outcome === "judging") this.#isJudging = true;
      else if (outcome === "duplicate") void document.whenSettled().then(onSaved);
      else document.afterCommitOf(source, onSaved);
      return outcome !== "judging";
    } catch (error) {
      if (!isHeddleError(error)) throw error;
      this.#onFailed(document, entry, error);
      return false;
    }
  }

  #onJudged(document: ReplicaDocument, entry: QueuedEdits, refusal?: HeddleError): void {
    if (this.#document !== document) return;
    this.#isJudging = false;
    if (refusal) this.#onFailed(document, entry, refusal);
    else {
      document.afterCommitOf(this.#sources.of(entry), () => this.#onSaved(document, entry));
      this.pump();
    }
  }

  #onFailed(document: ReplicaDocument, entry: QueuedEdits, error: HeddleError): void {
    this.queue.putBack(entry);
    // A document that was given up has said so, or is about to.
    if (this.#document !== document || error.code === HeddleErrorCode.documentReset) return;
    if (isStoreFailure(error)) this.#retryLater(error);
    else this.#options.onRefused(error, entry);
  }

  #onSaved(document: ReplicaDocument, entry: QueuedEdits): void {
    if (this.#document !== document) return;
    entry.stage = "saved";
    this.#options.onSaved(this.queue.takeSaved(), entry.update !== undefined);
  }

  #retryLater(error: HeddleError): void {
    this.#options.onPaused(error);
    this.#cancelRetry = this.#options.scheduler.after(retryDelayMs(1), () => {
      this.#cancelRetry = undefined;
      this.#options.onRetry();
    });
  }
}
