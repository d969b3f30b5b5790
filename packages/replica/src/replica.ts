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
  type RecalledEnvelope,
  type SpaceId,
} from "@heddle/core";

import { defaultApplyBudget } from "./apply-judge.ts";
import { defaultAuditBudget } from "./audit-budget.ts";
import { Auditor } from "./auditor.ts";
import { Checkpointer } from "./checkpointer.ts";
import { Committer } from "./committer.ts";
import { DocumentAccess } from "./document-access.ts";
import { damageOf } from "./document-damage.ts";
import { LeavingDocuments } from "./leaving-documents.ts";
import { loadDocument, type LoadedLog } from "./load-document.ts";
import { defaultParkingBounds, type ParkingBounds } from "./parking-bounds.ts";
import { recover, type RecoveryReport } from "./recovery.ts";
import { newReplicaCounters } from "./replica-counters.ts";
import { ReplicaDocument, type DocumentHost, type ParkingTotals } from "./replica-document.ts";
import {
  defaultDocumentBytesMax,
  defaultTrialBytesMax,
  type ReplicaOptions,
  type ReplicaState,
} from "./replica-options.ts";
import { TrialQueue } from "./trial-queue.ts";
import { StateCache } from "./state-cache.ts";

interface Holding {
  readonly document: Promise<ReplicaDocument>;
  /** The same, once it is there. */
  loaded: ReplicaDocument | undefined;
  holders: number;
  cancelUnload: (() => void) | undefined;
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
  readonly #options: ReplicaOptions;
  readonly #clock: HybridClock;
  readonly #holdings = new Map<DocumentId, Holding>();
  readonly #stopListening: () => void;
  readonly #auditor: Auditor | undefined;
  readonly #trials: TrialQueue;
  readonly #host: DocumentHost;
  readonly #leaving = new LeavingDocuments();
  readonly #access = new DocumentAccess();
  readonly #states: StateCache;
  #checkpointer: Checkpointer | undefined;
  #committer: Committer;
  #state: ReplicaState = { name: "ready" };

  private constructor(options: ReplicaOptions, recovery: RecoveryReport) {
    this.#options = options;
    this.#states = new StateCache(options.stateCacheBytesMax);
    this.recovery = recovery;
    this.space = openSpaceId(options.environment.hash);
    this.parkingBounds = { ...defaultParkingBounds, ...options.parking };
    this.#clock = new HybridClock(options.environment.clock);
    // Observed, not set: a reading from a wrong clock, once stored, must not pull ours along for ever.
    this.#clock.observe(options.store.opening.lastHlc);
    this.#committer = this.#newCommitter();
    this.#auditor = this.#newAuditor();
    const { trialBytesMax = defaultTrialBytesMax, environment } = options;
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

  /** What is parked in the documents in memory; walks them, so it is for a scrape, not for a loop. */
  get parking(): ParkingTotals {
    const totals = { count: 0, bytes: 0, oldestAtMs: undefined as number | undefined };
    for (const { loaded } of this.#holdings.values()) {
      if (loaded === undefined || loaded.parking.count === 0) continue;
      const { count, bytes, oldestAtMs = Infinity } = loaded.parking;
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
    const holding = this.#holdings.get(id) ?? this.#load(id, name);
    holding.holders++;
    holding.cancelUnload?.();
    holding.cancelUnload = undefined;
    const document = await holding.document;
    if (this.#holdings.get(id) !== holding) {
      const message = "the store failed while the document was being read";
      throw new HeddleError(HeddleErrorCode.storageIo, message);
    }
    return document;
  }

  /** Undoes one {@link acquire}. The last one lets the document leave memory after a while. */
  release(document: ReplicaDocument): void {
    const holding = this.#holdings.get(document.entry.id);
    if (holding?.loaded !== document) return; // It left with a reset, and may be back anew.
    assert(holding.holders > 0, "a document is released as often as it was acquired");
    holding.holders--;
    if (holding.holders === 0) this.#scheduleUnload(document, holding);
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
    this.#state = { name: "closed" };
    this.#stopListening();
    const documents = await this.#loaded();
    for (const document of documents) document.dispose();
    if (wasReady) {
      await this.#keepVectors(documents);
      await this.#checkpointer?.finish(documents.map(({ logged }) => logged));
    }
    this.#checkpointer?.stop();
    for (const { cancelUnload } of this.#holdings.values()) cancelUnload?.();
    this.#holdings.clear();
  }

  #load(id: DocumentId, name: DocumentName): Holding {
    const { store, environment } = this.#options;
    const { history = "keep" } = this.#options;
    const entry = { id, name, createdAt: this.#clock.tick(), history };
    const load = () => loadDocument(store, environment, entry, this.#states);
    const document = this.#leaving
      .whenLeft(id)
      .then(() => this.#access.reading(id, load))
      .then((log) => this.#welcome(log))
      .catch((error: unknown) => {
        throw damageOf(id, error);
      });
    const holding: Holding = { document, loaded: undefined, holders: 0, cancelUnload: undefined };
    this.#holdings.set(id, holding);
    document.then(
      (loaded) => {
        holding.loaded = loaded;
      },
      () => {
        // The caller of acquire has the error; here it only must not stay for the next one.
        if (this.#holdings.get(id) === holding) this.#holdings.delete(id);
      },
    );
    return holding;
  }

  #welcome(log: LoadedLog): ReplicaDocument {
    const document = new ReplicaDocument(log, this.#host);
    // What an earlier process left behind may be long.
    this.#checkpointer?.consider(document.logged);
    return document;
  }

  #scheduleUnload(document: ReplicaDocument, holding: Holding): void {
    const { environment, idleMs = 30_000 } = this.#options;
    holding.cancelUnload = environment.scheduler.after(idleMs, () => {
      if (holding.holders > 0 || this.#holdings.get(document.entry.id) !== holding) return;
      if (document.isQuiet) this.#unload(document);
      else this.#scheduleUnload(document, holding);
    });
  }

  #unload(document: ReplicaDocument): void {
    this.#holdings.delete(document.entry.id);
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

  async #loaded(): Promise<ReplicaDocument[]> {
    const settled = await Promise.allSettled([...this.#holdings.values()].map((h) => h.document));
    return settled.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  }

  /** Envelopes that broke the document stay in the log and out of it; those who use it open it again. */
  async #recall(document: ReplicaDocument, recalls: readonly RecalledEnvelope[]): Promise<void> {
    const { id } = document.entry;
    const { store } = this.#options;
    await store.append({ recall: recalls.map((envelope) => ({ document: id, envelope })) });
    if (this.#holdings.get(id)?.loaded !== document) return;
    this.#holdings.get(id)?.cancelUnload?.();
    this.#holdings.delete(id);
    const message = "a part of the document was recalled; open it again";
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
        access: this.#access,
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
    const access = this.#access;
    const builder = { store, environment, signer, space, tick, access, counters, policy };
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
    this.#state = { name: "suspended", error };
    this.counters.resets++;
    this.#options.environment.logger.error("replica.suspended", { code: error.code });
    this.#committer.stop();
    this.#checkpointer?.stop();
    this.#leaving.giveUp();
    const holdings = [...this.#holdings.values()];
    this.#holdings.clear();
    for (const { document, cancelUnload } of holdings) {
      cancelUnload?.();
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
    this.#state = { name: "ready" };
    this.#options.environment.logger.info("replica.resumed");
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
