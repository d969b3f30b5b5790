import { HeddleError, HeddleErrorCode, type DocumentId } from "@heddle/core";

import { buildCheckpoint, type CheckpointBuilder } from "./build-checkpoint.ts";
import {
  checkpointFromMs,
  defaultCheckpointPolicy,
  type CheckpointPolicy,
} from "./checkpoint-policy.ts";
import type { DocumentAccess } from "./document-access.ts";
import type { LoggedDocument } from "./logged-document.ts";
import { pruneLog } from "./prune-log.ts";
import { readCheckpoint, type VerifiedCheckpoint } from "./read-checkpoint.ts";
import { recallsInForce } from "./recalls-in-force.ts";
import type { ReplicaCounters } from "./replica-counters.ts";

export interface CheckpointerOptions extends CheckpointBuilder {
  readonly access: DocumentAccess;
  readonly counters: ReplicaCounters;
  readonly policy?: Partial<CheckpointPolicy> | undefined;
  /** A document has another checkpoint, or less of a log. */
  readonly onChanged: (document: DocumentId) => void;
}

/**
 * Builds checkpoints in the background, one at a time and with pauses, of documents whose logs have
 * grown enough; prunes the logs of those that do not keep their history.
 *
 *   due ──quiet, late or leaving──► built ──on disk──► read back ──history: prune──► pruned
 */
export class Checkpointer {
  readonly #options: CheckpointerOptions;
  readonly #policy: CheckpointPolicy;
  readonly #due = new Map<DocumentId, LoggedDocument>();
  /** Those of them that no longer wait for quiet. */
  readonly #late = new Set<DocumentId>();
  #cancel: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #isStopped = false;

  constructor(options: CheckpointerOptions) {
    this.#options = options;
    this.#policy = { ...defaultCheckpointPolicy, ...options.policy };
  }

  /** To be called when the log has grown, and when a document leaves memory. Costs next to nothing. */
  consider(document: LoggedDocument): void {
    if (this.#isStopped || !document.growth.isDue(this.#policy, this.#nowMs)) return;
    const isNew = this.#due.get(document.id) !== document;
    const isLate = !this.#late.has(document.id) && document.growth.isLate(this.#policy);
    if (!isNew && !isLate && !document.growth.isLeaving) return;
    if (isLate) this.#late.add(document.id);
    this.#due.set(document.id, document);
    this.#schedule();
  }

  /** Resolves when nothing is being built. */
  async settled(): Promise<void> {
    await this.#running;
  }

  /** Builds what is worth it as if all of `documents` were leaving, within its time, and stops. */
  async finish(documents: readonly LoggedDocument[]): Promise<void> {
    const { environment } = this.#options;
    let cancel: (() => void) | undefined;
    const timeUp = new Promise<void>((resolve) => {
      cancel = environment.scheduler.after(this.#policy.closingMsMax, () => {
        this.stop();
        resolve();
      });
    });
    await Promise.race([this.#finish(documents), timeUp]);
    cancel?.();
    this.stop();
  }

  async #finish(documents: readonly LoggedDocument[]): Promise<void> {
    this.#cancel?.();
    await this.#running;
    this.#cancel?.();
    const due = new Map(this.#due);
    for (const document of documents) {
      document.growth.isLeaving = true;
      if (document.growth.isDue(this.#policy, this.#nowMs)) due.set(document.id, document);
    }
    for (const document of due.values()) {
      if (this.#isStopped) return;
      if (!document.hasParked) await this.#tryBuild(document);
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.#due.clear();
    this.#late.clear();
    this.#cancel?.();
  }

  #schedule(delayMsMin = 0): void {
    if (this.#isStopped || this.#running) return;
    this.#cancel?.();
    this.#cancel = undefined;
    const next = this.#next();
    if (next === undefined) return;
    const delayMs = Math.max(delayMsMin, next.fromMs - this.#nowMs);
    this.#cancel = this.#options.environment.scheduler.after(delayMs, () => {
      this.#cancel = undefined;
      this.#running = this.#run();
    });
  }

  /** Whichever may be built first. */
  #next(): { readonly document: LoggedDocument; readonly fromMs: number } | undefined {
    let next: { document: LoggedDocument; fromMs: number } | undefined;
    for (const document of this.#due.values()) {
      const fromMs = checkpointFromMs(this.#policy, document.growth.facts(document.hasParked));
      if (fromMs === undefined) this.#forget(document);
      else if (next === undefined || fromMs < next.fromMs) next = { document, fromMs };
    }
    return next;
  }

  async #run(): Promise<void> {
    const startedMs = this.#nowMs;
    const next = this.#next();
    // Somebody may have gone on writing since this was scheduled.
    if (next && next.fromMs <= startedMs) {
      this.#forget(next.document);
      await this.#tryBuild(next.document);
    }
    this.#running = undefined;
    const tookMs = this.#nowMs - startedMs;
    this.#schedule(Math.max(this.#policy.restMsMin, tookMs * this.#policy.restFactor));
  }

  #forget({ id }: LoggedDocument): void {
    this.#due.delete(id);
    this.#late.delete(id);
  }

  async #tryBuild(document: LoggedDocument): Promise<void> {
    try {
      await this.#build(document);
    } catch (error) {
      // The store failed, or the document is damaged: those who use it are told, nothing is lost.
      if (this.#isStopped) return;
      const fields = { document: document.id, error: String(error) };
      this.#options.environment.logger.warn("checkpoint.failed", fields);
    }
  }

  async #build(document: LoggedDocument): Promise<void> {
    const { id, growth } = document;
    const { counters, environment, access } = this.#options;
    const before = growth.facts(document.hasParked);
    const outcome = await access.reading(id, () => checkpointDocument(this.#options, id));
    if (this.#isStopped) return;
    if (outcome.outcome === "refused") {
      counters.checkpointsRefused++;
      environment.logger.warn("checkpoint.refused", { document: id, reason: outcome.reason });
    }
    if (outcome.outcome !== "built") {
      growth.covered(before);
      return;
    }
    counters.checkpoints++;
    const { checkpoint } = outcome;
    const { payloadBytes, stateBytes } = checkpoint.header;
    growth.covered(before, payloadBytes);
    const fields = { document: id, number: checkpoint.number, payloadBytes, stateBytes };
    environment.logger.info("checkpoint.built", fields);
    if (document.history === "prune") {
      const dropped = await access.pruning(id, () => pruneDocument(this.#options, checkpoint));
      counters.envelopesPruned += dropped;
    }
    this.#options.onChanged(id);
    if (!outcome.isWhole && !this.#isStopped) this.consider(document);
  }

  get #nowMs(): number {
    return this.#options.environment.clock.monotonicMs();
  }
}

/** What came of {@link checkpointDocument}. */
export type CheckpointOutcome =
  | {
      readonly outcome: "built";
      readonly checkpoint: VerifiedCheckpoint;
      /** False when there is more of the log than one build takes. */
      readonly isWhole: boolean;
    }
  | { readonly outcome: "nothing-new" }
  | { readonly outcome: "refused"; readonly reason: string };

/**
 * Builds the next checkpoint of a document, makes it durable, and reads it back from the store.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function checkpointDocument(
  builder: CheckpointBuilder,
  id: DocumentId,
): Promise<CheckpointOutcome> {
  const { store } = builder;
  const document = await store.readDocument(id);
  if (document === undefined) return { outcome: "nothing-new" };
  const built = await buildCheckpoint(builder, document);
  if (built.outcome !== "built") return built;
  const { checkpoint, isWhole } = built;
  await store.append({ checkpoints: [checkpoint] });
  const read = await readCheckpoint(builder, id, await recallsInForce(store, id));
  if (read?.number === checkpoint.number) return { outcome: "built", checkpoint: read, isWhole };
  // Either something was recalled meanwhile, or the disk gave back something else than it was given.
  return { outcome: "refused", reason: "what was read back is not what was written" };
}

/**
 * Drops what a checkpoint covers. Nothing while there are recalls: the log is what they point into,
 * and holds what they keep aside.
 *
 * @returns how many envelopes were dropped.
 */
export async function pruneDocument(
  { store, environment, pruneStepEnvelopes: stepEnvelopes }: CheckpointBuilder,
  checkpoint: VerifiedCheckpoint,
): Promise<number> {
  const { document } = checkpoint.header;
  if ((await recallsInForce(store, document)).length > 0) return 0;
  const [newest] = await store.readCheckpoints(document);
  if (newest?.number !== checkpoint.number) {
    throw new HeddleError(HeddleErrorCode.storageCorrupt, "another checkpoint took its place");
  }
  return pruneLog({ store, hash: environment.hash, stepEnvelopes }, checkpoint);
}
