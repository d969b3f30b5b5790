import {
  assert,
  documentIdOf,
  HeddleError,
  HeddleErrorCode,
  HybridClock,
  isHeddleError,
  LaneWriter,
  openLane,
  openSpaceId,
  type DocumentHistory,
  type DocumentId,
  type DocumentName,
  type Hlc,
  type LaneId,
  type RecalledEnvelope,
  type SpaceId,
} from "@heddle/core";
import type { AcceptedRun, OfferedCheckpoint } from "@heddle/sync";

import { defaultApplyBudget } from "./apply-judge.ts";
import { defaultAuditBudget } from "./audit-budget.ts";
import { Auditor } from "./auditor.ts";
import { Checkpointer } from "./checkpointer.ts";
import { Committer, type CommitObserver } from "./committer.ts";
import { DocumentAccess } from "./document-access.ts";
import { DamagedDocuments } from "./damaged-documents.ts";
import { damageOf } from "./document-damage.ts";
import { DocumentHoldings } from "./document-holdings.ts";
import { LeavingDocuments } from "./leaving-documents.ts";
import { loadDocument, type LoadedLog } from "./load-document.ts";
import { defaultParkingBounds, type ParkingBounds } from "./parking-bounds.ts";
import { adoptCheckpoint, type Adoption } from "./peers/adopt-checkpoint.ts";
import { recallable } from "./recallable.ts";
import { recover, type RecoveryReport } from "./recovery.ts";
import { newReplicaCounters } from "./replica-counters.ts";
import { ReplicaDocument, type DocumentHost, type ParkingTotals } from "./replica-document.ts";
import {
  defaultDocumentBytesMax,
  defaultTrialBytesMax,
  type ReplicaOptions,
  type ReplicaState,
} from "./replica-options.ts";
import type { TakenRuns } from "./remote-intake.ts";
import { TrialQueue } from "./trial-queue.ts";
import { StateCache } from "./state-cache.ts";

/** Somebody who passes on what is on disk. Called in the order of commit groups. */
export interface ReplicaObserver extends CommitObserver {
  onStateChange(state: ReplicaState): void;
  /** A document has another checkpoint, or less of a log below it. */
  onCheckpointed?(document: DocumentId): void;
}

/**
 * A durable copy of a space: opens documents from the log, seals what comes in, keeps nothing in
 * memory that nobody uses. After a store failure it gives up all documents and starts over with a
 * new lane once the store has proved itself, as if the process had been restarted (STO-4).
 */
export class Replica {
  readonly space: SpaceId;
  readonly recovery: RecoveryReport;
  /** What may wait in each document. */
  readonly parkingBounds: ParkingBounds;
  readonly counters = newReplicaCounters();
  /** For whoever reads checkpoints and the log that goes with them. */
  readonly access = new DocumentAccess();
  readonly #options: ReplicaOptions;
  readonly #clock: HybridClock;
  readonly #holdings: DocumentHoldings;
  readonly #stopListening: () => void;
  readonly #auditor: Auditor | undefined;
  readonly #trials: TrialQueue;
  readonly #host: DocumentHost;
  readonly #leaving = new LeavingDocuments();
  readonly #states: StateCache;
  readonly #damaged: DamagedDocuments;
  #checkpointer: Checkpointer | undefined;
  #committer: Committer;
  #state: ReplicaState = { name: "ready" };
  #observer: ReplicaObserver | undefined;
  readonly #stateListeners = new Set<(state: ReplicaState) => void>();

  private constructor(options: ReplicaOptions, recovery: RecoveryReport) {
    this.#options = options;
    this.#states = new StateCache(options.stateCacheBytesMax);
    this.recovery = recovery;
    const { logger } = options.environment;
    this.#damaged = new DamagedDocuments(recovery.documentsDamaged, logger, options.onDamage);
    this.space = openSpaceId(options.environment.hash);
    this.parkingBounds = { ...defaultParkingBounds, ...options.parking };
    this.#clock = new HybridClock(options.environment.clock);
    // Observed, not set: a reading from a wrong clock, once stored, must not pull ours along for ever.
    this.#clock.observe(options.store.opening.lastHlc);
    this.#committer = this.#newCommitter();
    this.#auditor = this.#newAuditor();
    const { trialBytesMax = defaultTrialBytesMax, environment, idleMs = 30_000 } = options;
    const onLeft = (document: ReplicaDocument) => this.#onLeft(document);
    this.#holdings = new DocumentHoldings({ environment, idleMs, onLeft });
    this.#trials = new TrialQueue(trialBytesMax, () => environment.clock.monotonicMs());
    this.#checkpointer = this.#newCheckpointer();
    this.#host = this.#newHost();
    this.#stopListening = options.store.onStateChange((state) => {
      if (state.name === "fenced") this.#suspend(state.error);
      if (state.name === "open" && this.#state.name === "suspended") this.#resume();
    });
  }

  /** Recovers what a crash left behind, and only then returns. */
  static async open(options: ReplicaOptions): Promise<Replica> {
    return new Replica(options, await recover(options.store, options.environment));
  }

  get state(): ReplicaState {
    return this.#state;
  }

  /** Documents in memory. */
  get openDocuments(): number {
    return this.#holdings.size;
  }

  /** Documents whose audit fails and for which nobody is to blame: served as they are. */
  get suspendedDocuments(): number {
    return this.#auditor?.suspended ?? 0;
  }

  /** Documents that could not be opened as their log does not prove itself, at the start or later. */
  get damagedDocuments(): number {
    return this.#damaged.count;
  }

  /** What is parked in the documents in memory; walks them, so it is for a scrape, not for a loop. */
  get parking(): ParkingTotals {
    const totals = { count: 0, bytes: 0, oldestAtMs: undefined as number | undefined };
    for (const { parking } of this.#holdings.loaded()) {
      if (parking.count === 0) continue;
      const { count, bytes, oldestAtMs = Infinity } = parking;
      totals.count += count;
      totals.bytes += bytes;
      totals.oldestAtMs = Math.min(totals.oldestAtMs ?? Infinity, oldestAtMs);
    }
    return totals;
  }

  /** Bytes held for updates that are tried or wait for it. */
  get trialBytes(): number {
    return this.#trials.bytes;
  }

  /** Resolves when no checkpoint is being built. */
  async checkpointed(): Promise<void> {
    await this.#checkpointer?.settled();
  }

  /** Whether the document of that name is in memory, or on its way there. */
  isOpen(name: DocumentName): boolean {
    return this.#holdings.has(documentIdOf(this.#options.environment.hash, this.space, name));
  }

  /**
   * The document of that name, loaded once however many ask. Give it back with {@link release}.
   *
   * @throws HeddleError `HEDDLE_STORAGE_*`.
   */
  async acquire(name: DocumentName): Promise<ReplicaDocument> {
    this.#assertReady();
    const id = documentIdOf(this.#options.environment.hash, this.space, name);
    const document = await this.#holdings.acquire(id, () => this.#load(id, name));
    if (document === undefined) {
      const message = "the store failed while the document was being read";
      throw new HeddleError(HeddleErrorCode.storageIo, message);
    }
    return document;
  }

  /** Undoes one {@link acquire}. The last one lets the document leave memory after a while. */
  release(document: ReplicaDocument): void {
    this.#holdings.release(document);
  }

  /** The document, if it is in memory; it may leave at any time. */
  loaded(id: DocumentId): ReplicaDocument | undefined {
    return this.#holdings.get(id);
  }

  /**
   * Takes in runs that another replica pushed; see {@link ReplicaDocument.takeRuns}.
   *
   * @throws HeddleError `HEDDLE_STORAGE_*`, or what the document was reset with meanwhile.
   */
  async takeRuns(name: DocumentName, runs: readonly AcceptedRun[]): Promise<TakenRuns> {
    const document = await this.acquire(name);
    try {
      for (const { run } of runs) for (const { hlc } of run) this.#observeClock(hlc);
      return await document.takeRuns(runs);
    } finally {
      this.release(document);
    }
  }

  /**
   * Takes in a checkpoint that a peer served, whose signature is good; see {@link adoptCheckpoint}. What
   * of it is new is shown to those who have the document open.
   *
   * @throws HeddleError `HEDDLE_STORAGE_*`.
   */
  async adopt(offered: OfferedCheckpoint): Promise<Adoption> {
    const document = await this.acquire(offered.entry.name);
    try {
      return await document.takeTurn(() => this.#adopt(document, offered));
    } catch (error) {
      // Nobody knows whether it is on disk.
      const { storageIo, storageFull } = HeddleErrorCode;
      const isOfStore = isHeddleError(error, storageIo) || isHeddleError(error, storageFull);
      if (isOfStore) this.#onStoreFailure(error);
      throw error;
    } finally {
      this.release(document);
    }
  }

  /** Somebody else writes that lane, if it is ours: the next change begins a new one. */
  endLane(lane: LaneId): void {
    if (!this.#committer.endLane(lane)) return;
    for (const document of this.#holdings.loaded()) document.endLane();
  }

  /** At most one at a time; the returned function stops it. */
  observe(observer: ReplicaObserver): () => void {
    assert(this.#observer === undefined, "a replica has one observer");
    this.#observer = observer;
    return () => {
      this.#observer = undefined;
    };
  }

  /** Calls `listener` after every change of {@link state}; the returned function stops that. */
  onStateChange(listener: (state: ReplicaState) => void): () => void {
    this.#stateListeners.add(listener);
    return () => this.#stateListeners.delete(listener);
  }

  /**
   * Decides whether a document keeps what checkpoints cover. What was dropped stays dropped; what was
   * kept goes with the next checkpoint.
   *
   * @throws HeddleError `HEDDLE_STORAGE_*`.
   */
  async setHistory(name: DocumentName, history: DocumentHistory): Promise<void> {
    const document = await this.acquire(name);
    try {
      await document.whenSettled();
      document.logged.history = history;
      const { store } = this.#options;
      const stored = document.isStored && (await store.readDocument(document.entry.id));
      if (!stored) return; // It is written with the document, if anything ever is.
      const { id, createdAt } = stored;
      await store.append({ documents: [{ id, name: stored.name, createdAt, history }] });
    } finally {
      this.release(document);
    }
  }

  /** Waits until everything submitted is on disk and shown, keeps the vectors, lets go. */
  async close(): Promise<void> {
    if (this.#state.name === "closed") return;
    const wasReady = this.#state.name === "ready";
    if (wasReady) await this.#committer.drained();
    this.#committer.stop();
    this.#auditor?.stop();
    this.#setState({ name: "closed" });
    this.#stopListening();
    const documents = await this.#holdings.whenLoaded();
    for (const document of documents) document.dispose();
    if (wasReady) {
      await this.#keepVectors(documents);
      await this.#checkpointer?.finish(documents.map(({ logged }) => logged));
    }
    this.#checkpointer?.stop();
    this.#holdings.dropAll();
  }

  #load(id: DocumentId, name: DocumentName): Promise<ReplicaDocument> {
    const { store, environment } = this.#options;
    const { history = "keep" } = this.#options;
    const entry = { id, name, createdAt: this.#clock.tick(), history };
    const load = () => loadDocument(store, environment, entry, this.#states);
    return this.#leaving
      .whenLeft(id)
      .then(() => this.access.reading(id, load))
      .then((log) => this.#welcome(log))
      .catch((cause: unknown) => {
        const error = damageOf(id, cause);
        this.#damaged.failed(id, error);
        throw error;
      });
  }

  #welcome(log: LoadedLog): ReplicaDocument {
    const document = new ReplicaDocument(log, this.#host);
    this.#damaged.opened(document.entry.id);
    // What an earlier process left behind may be long.
    this.#checkpointer?.consider(document.logged);
    return document;
  }

  #onLeft(document: ReplicaDocument): void {
    document.dispose();
    document.logged.growth.isLeaving = true;
    this.#checkpointer?.consider(document.logged);
    this.#keepVectors([document]).catch((error: unknown) => this.#onStoreFailure(error));
  }

  async #keepVectors(documents: readonly ReplicaDocument[]): Promise<void> {
    const vectors = documents.flatMap((document) => {
      const vector = document.takeNewVector();
      return vector ? [{ document: document.entry.id, vector }] : [];
    });
    if (vectors.length > 0) await this.#options.store.append({ vectors });
  }

  async #adopt(document: ReplicaDocument, offered: OfferedCheckpoint): Promise<Adoption> {
    const { entry, logged } = document;
    const { store, environment, signer, folder } = this.#options;
    const parts = { store, environment, signer, folder, space: this.space };
    const writtenLane = this.#committer.lane;
    const adopting = { ...parts, writtenLane, tick: () => this.#clock.tick() };
    const asNew = { ...entry, history: logged.history };
    const adoption = await this.access.pruning(entry.id, () => {
      return adoptCheckpoint(adopting, asNew, offered);
    });
    const fields = { document: entry.id, lanes: offered.header.lanes };
    if (adoption.outcome === "refused") {
      environment.logger.warn("checkpoint.not_adopted", { ...fields, reason: adoption.why });
      return adoption;
    }
    environment.logger.info("checkpoint.adopted", fields);
    this.#observeClock(offered.header.builtAt);
    if (!document.adopted(adoption.vector, adoption.state)) {
      this.#openAnew(document, "much of the document came at once; open it again");
    }
    return adoption;
  }

  /** Envelopes that broke the document stay in the log and out of it; those who use it open it again. */
  async #recall(document: ReplicaDocument, recalls: readonly RecalledEnvelope[]): Promise<void> {
    const { id } = document.entry;
    const { store, environment } = this.#options;
    const isDone = await this.access.reading(id, async () => {
      const left = await recallable({ store, environment }, id, recalls);
      if (left.length === 0) return false;
      await store.append({ recall: left.map((envelope) => ({ document: id, envelope })) });
      return true;
    });
    if (isDone) this.#openAnew(document, "a part of the document was recalled; open it again");
    else environment.logger.warn("document.recalled_too_late", { document: id });
  }

  /** Those who use the document are told to open it again, from the disk. */
  #openAnew(document: ReplicaDocument, message: string): void {
    if (!this.#holdings.drop(document)) return;
    document.reset(new HeddleError(HeddleErrorCode.documentReset, message));
    this.#leaving.add(document);
  }

  #newHost(): DocumentHost {
    const {
      environment,
      judge,
      applyBudget,
      documentBytesMax = defaultDocumentBytesMax,
    } = this.#options;
    return {
      environment,
      counters: this.counters,
      judge,
      applyBudget: { ...defaultApplyBudget, ...applyBudget },
      trials: this.#trials,
      documentBytesMax,
      parkingBounds: this.parkingBounds,
      assertWritable: () => this.#assertWritable(),
      requestRound: (document) => this.#committer.request(document),
      requestAudit: (document) => this.#auditor?.request(document),
      considerCheckpoint: (document) => this.#checkpointer?.consider(document),
    };
  }

  #newAuditor(): Auditor | undefined {
    const { environment, judge, store, auditDelayMs = 2_000, auditBudget } = this.#options;
    return (
      judge &&
      new Auditor({
        judge,
        store,
        environment,
        counters: this.counters,
        access: this.access,
        delayMs: auditDelayMs,
        budget: { ...defaultAuditBudget, ...auditBudget },
        recall: (document, recalls) => this.#recall(document, recalls),
      })
    );
  }

  #newCheckpointer(): Checkpointer | undefined {
    const { store, environment, folder, signer, checkpointPolicy: policy } = this.#options;
    const { space, counters } = this;
    const tick = () => this.#clock.tick();
    const access = this.access;
    const onChanged = (document: DocumentId) => this.#observer?.onCheckpointed?.(document);
    const working = { access, counters, policy, onChanged };
    const builder = { store, environment, signer, space, tick, ...working };
    return folder && new Checkpointer({ ...builder, folder });
  }

  #newCommitter(): Committer {
    const { store, environment, signer, engine, telemetry } = this.#options;
    const { clock, hash, random } = environment;
    return new Committer({
      store,
      clock,
      counters: this.counters,
      telemetry,
      openLane: async () => {
        const opening = { space: this.space, signer, hash, random, clock: this.#clock, engine };
        return new LaneWriter(await openLane(opening), hash, this.#clock);
      },
      observer: () => this.#observer,
      onFailure: (error) => this.#onStoreFailure(error),
    });
  }

  #onStoreFailure(error: unknown): void {
    // Anything without a code is a broken invariant: nobody may go on as if nothing had happened.
    if (!isHeddleError(error)) {
      queueMicrotask(() => {
        throw error;
      });
    }
    this.#suspend(
      isHeddleError(error)
        ? error
        : new HeddleError(HeddleErrorCode.storageIo, "a commit round failed", { cause: error }),
    );
    if (this.#state.name === "suspended" && this.#options.store.state.name === "open") {
      this.#resume();
    }
  }

  #suspend(error: HeddleError): void {
    if (this.#state.name !== "ready") return;
    this.#setState({ name: "suspended", error });
    this.counters.resets++;
    this.#options.environment.logger.error("replica.suspended", { code: error.code });
    this.#committer.stop();
    this.#checkpointer?.stop();
    this.#leaving.giveUp();
    for (const document of this.#holdings.dropAll()) {
      document
        .then((loaded) => loaded.reset(error))
        .catch(() => {
          // It failed to load, and whoever acquired it has been told.
        });
    }
  }

  #resume(): void {
    this.#committer = this.#newCommitter();
    this.#checkpointer = this.#newCheckpointer();
    this.#setState({ name: "ready" });
    this.#options.environment.logger.info("replica.resumed");
  }

  #setState(state: ReplicaState): void {
    this.#state = state;
    this.#observer?.onStateChange(state);
    for (const listener of this.#stateListeners) listener(state);
  }

  #observeClock(hlc: Hlc): void {
    if (this.#clock.observe(hlc).ahead) this.counters.clocksAhead++;
  }

  #assertWritable(): void {
    const { state } = this.#options.store;
    if (state.name !== "open" || !state.readOnly) return;
    this.counters.readOnlyRefusals++;
    throw state.readOnly;
  }

  #assertReady(): void {
    if (this.#state.name === "suspended") throw this.#state.error;
    if (this.#state.name === "closed") {
      throw new HeddleError(HeddleErrorCode.storageClosed, "the replica is closed");
    }
  }
}
