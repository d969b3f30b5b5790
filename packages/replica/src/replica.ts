import {
  documentIdOf,
  HeddleError,
  HeddleErrorCode,
  HybridClock,
  openSpaceId,
  type DocumentHistory,
  type DocumentId,
  type DocumentName,
  type Hlc,
  type LaneId,
  type LogStore,
  type SpaceId,
} from "@heddle/core";
import type { AcceptedRun, OfferedCheckpoint } from "@heddle/sync";

import type { Auditor } from "./auditor.ts";
import type { Checkpointer } from "./checkpointer.ts";
import type { Committer } from "./committer.ts";
import { DocumentAccess } from "./document-access.ts";
import { DamagedDocuments } from "./damaged-documents.ts";
import { damageOf, isOfStore, storeFailureOf } from "./document-damage.ts";
import { DocumentHoldings } from "./document-holdings.ts";
import type { DocumentHost, ParkingTotals } from "./document-host.ts";
import { RestoredEntries } from "./drift/restored-entries.ts";
import { keepHistory, keepVectors } from "./keep-in-store.ts";
import { LeavingDocuments } from "./leaving-documents.ts";
import { loadDocument, type LoadedLog } from "./load-document.ts";
import { parkingTotals } from "./parking-totals.ts";
import { defaultParkingBounds, type ParkingBounds } from "./parking-bounds.ts";
import type { Adoption } from "./peers/adopt-checkpoint.ts";
import { recover, type RecoveryReport } from "./recovery.ts";
import type { TakenRuns } from "./remote-intake.ts";
import { ReopenedDocuments } from "./reopened-documents.ts";
import { newReplicaCounters } from "./replica-counters.ts";
import { ReplicaDocument } from "./replica-document.ts";
import { defaultTrialBytesMax, type ReplicaOptions, type ReplicaState } from "./replica-options.ts";
import {
  newAuditor,
  newCheckpointer,
  newCommitter,
  newHost,
  type SharedParts,
} from "./replica-parts.ts";
import { newMemberActs, type MemberActs } from "./space/new-member-acts.ts";
import { openSpace, type SpaceMembers } from "./space/open-space.ts";
import { StateCache } from "./state-cache.ts";
import type { ReplicaTelemetry } from "./telemetry.ts";
import { TrialQueue } from "./trial-queue.ts";
import { WatchedState, type ReplicaObserver } from "./watched-state.ts";

/**
 * A durable copy of a space: opens documents from the log, seals what comes in, keeps nothing in
 * memory that nobody uses. After a store failure it gives up all documents and starts over with a
 * new lane once the store has proved itself, as if the process had been restarted (STO-4).
 */
export class Replica {
  readonly space: SpaceId;
  readonly recovery: RecoveryReport;
  /** As documents are read from it: without what does not count in the space. */
  readonly store: LogStore;
  /** Who may do what, and what this device may do about it; `undefined` in the open space. */
  readonly members: SpaceMembers | undefined;
  readonly acts: MemberActs | undefined;
  /** What may wait in each document. */
  readonly parkingBounds: ParkingBounds;
  readonly counters = newReplicaCounters();
  /** For whoever reads checkpoints and the log that goes with them. */
  readonly access = new DocumentAccess();
  /** Documents whose own record was damaged, and is there again. */
  readonly restored: RestoredEntries;
  readonly #options: ReplicaOptions;
  readonly #clock: HybridClock;
  readonly #holdings: DocumentHoldings;
  readonly #stopListening: () => void;
  readonly #auditor: Auditor | undefined;
  readonly #trials: TrialQueue;
  readonly #host: DocumentHost;
  readonly #leaving = new LeavingDocuments();
  readonly #reopened: ReopenedDocuments;
  readonly #shared: SharedParts;
  readonly #states: StateCache;
  readonly #damaged: DamagedDocuments;
  #checkpointer: Checkpointer | undefined;
  #committer: Committer;
  readonly #watched = new WatchedState();

  private constructor(options: ReplicaOptions, recovery: RecoveryReport, members?: SpaceMembers) {
    this.#options = options;
    this.#states = new StateCache(options.stateCacheBytesMax);
    this.recovery = recovery;
    const { environment, onDamage } = options;
    this.#damaged = new DamagedDocuments(recovery.documentsDamaged, environment.logger, onDamage);
    this.space = members?.genesis.space ?? openSpaceId(options.environment.hash);
    this.members = members;
    this.store = options.store;
    this.parkingBounds = { ...defaultParkingBounds, ...options.parking };
    this.#clock = new HybridClock(options.environment.clock);
    // Observed, not set: a reading from a wrong clock, once stored, must not pull ours along for ever.
    this.#clock.observe(options.store.opening.lastHlc);
    const { trialBytesMax = defaultTrialBytesMax, idleMs = 30_000 } = options;
    const onLeft = (document: ReplicaDocument) => this.#onLeft(document);
    this.#holdings = new DocumentHoldings({ environment, idleMs, onLeft });
    this.#trials = new TrialQueue(trialBytesMax, () => environment.clock.monotonicMs());
    const { counters, access } = this;
    this.#shared = { options, space: this.space, clock: this.#clock, counters, access };
    this.restored = new RestoredEntries(this.#shared);
    this.#reopened = new ReopenedDocuments({
      ...this.#shared,
      holdings: this.#holdings,
      leaving: this.#leaving,
      writtenLane: () => this.#committer.lane,
      observeClock: (hlc) => this.#observeClock(hlc),
    });
    this.acts = members && newMemberActs(this, members, this.#shared);
    members?.onChange(() => this.#reopened.review());
    this.#committer = this.#newCommitter();
    this.#auditor = newAuditor(this.#shared, (...recall) => this.#reopened.recall(...recall));
    this.#checkpointer = this.#newCheckpointer();
    this.#host = this.#newHost();
    this.#stopListening = options.store.onStateChange((state) => {
      if (state.name === "fenced") this.#suspend(state.error);
      if (state.name === "open" && this.#watched.state.name === "suspended") this.#resume();
    });
  }

  /** Recovers what a crash left behind, and only then returns. */
  static async open(options: ReplicaOptions): Promise<Replica> {
    const { members, store } = await openSpace(options);
    return new Replica({ ...options, store }, await recover(store, options.environment), members);
  }

  get state(): ReplicaState {
    return this.#watched.state;
  }

  /** Who is told how long things take, and what becomes of edits with a correlation id. */
  get telemetry(): ReplicaTelemetry | undefined {
    return this.#options.telemetry;
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
    return parkingTotals(this.#holdings.loaded());
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
    this.#watched.assertReady();
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

  /** Runs `work` with a document, which stays in memory meanwhile. @throws as {@link acquire}. */
  async using<Value>(
    name: DocumentName,
    work: (document: ReplicaDocument) => Promise<Value>,
  ): Promise<Value> {
    const document = await this.acquire(name);
    try {
      return await work(document);
    } finally {
      this.release(document);
    }
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
    return this.using(name, (document) => {
      for (const { run } of runs) for (const { hlc } of run) this.#observeClock(hlc);
      return document.takeRuns(runs);
    });
  }

  /**
   * Takes in a checkpoint of a peer, whose signature is good, and shows what of it is new.
   * @throws HeddleError `HEDDLE_STORAGE_*`.
   */
  async adopt(offered: OfferedCheckpoint): Promise<Adoption> {
    try {
      return await this.using(offered.entry.name, (document) => {
        return document.takeTurn(() => this.#reopened.adopt(document, offered));
      });
    } catch (error) {
      // Nobody knows whether it is on disk.
      if (isOfStore(error)) this.#onStoreFailure(error);
      throw error;
    }
  }

  /** Somebody else writes that lane, if it is ours: the next change begins a new one. */
  endLane(lane: LaneId): void {
    if (!this.#committer.endLane(lane)) return;
    for (const document of this.#holdings.loaded()) document.endLane();
  }

  /** Whoever uses the document is told to open it again, from the disk. */
  reopen(id: DocumentId, message: string): void {
    const document = this.#holdings.get(id);
    if (document) this.#reopened.openAnew(document, message);
  }

  /** At most one at a time; the returned function stops it. */
  observe(observer: ReplicaObserver): () => void {
    return this.#watched.observe(observer);
  }

  /** Calls `listener` after every change of {@link state}; the returned function stops that. */
  onStateChange(listener: (state: ReplicaState) => void): () => void {
    return this.#watched.listen(listener);
  }

  /**
   * Decides whether a document keeps what checkpoints cover. What was dropped stays dropped; what was
   * kept goes with the next checkpoint.
   *
   * @throws HeddleError `HEDDLE_STORAGE_*`.
   */
  async setHistory(name: DocumentName, history: DocumentHistory): Promise<void> {
    await this.using(name, (document) => keepHistory(this.#options.store, document, history));
  }

  /** Waits until everything submitted is on disk and shown, keeps the vectors, lets go. */
  async close(): Promise<void> {
    if (this.#watched.state.name === "closed") return;
    const wasReady = this.#watched.state.name === "ready";
    if (wasReady) await this.#committer.drained();
    this.#committer.stop();
    this.#auditor?.stop();
    this.#watched.set({ name: "closed" });
    this.#stopListening();
    const documents = await this.#holdings.whenLoaded();
    for (const document of documents) document.dispose();
    if (wasReady) {
      await keepVectors(this.#options.store, documents);
      await this.#checkpointer?.finish(documents.map(({ logged }) => logged));
    }
    this.#checkpointer?.stop();
    this.#holdings.dropAll();
  }

  #load(id: DocumentId, name: DocumentName): Promise<ReplicaDocument> {
    const { store, environment, history = "keep" } = this.#options;
    const entry = { id, name, createdAt: this.#clock.tick(), history };
    const load = () => loadDocument(store, environment, entry, this.#states);
    const read = () => this.access.reading(id, load);
    return this.#leaving
      .whenLeft(id)
      .then(() => this.restored.reading(id, name, read))
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
    // What follows in such a lane is taken by nobody: what is written now begins another.
    for (const lane of log.uncountedFrom.keys()) this.endLane(lane);
    // What an earlier process left behind may be long.
    this.#checkpointer?.consider(document.logged);
    return document;
  }

  #onLeft(document: ReplicaDocument): void {
    document.dispose();
    document.logged.growth.isLeaving = true;
    this.#checkpointer?.consider(document.logged);
    keepVectors(this.#options.store, [document]).catch((error: unknown) =>
      this.#onStoreFailure(error),
    );
  }

  #newHost(): DocumentHost {
    return newHost(this.#shared, {
      members: this.members,
      trials: this.#trials,
      parkingBounds: this.parkingBounds,
      assertWritable: () => this.#assertWritable(),
      requestRound: (document) => this.#committer.request(document),
      requestAudit: (document) => this.#auditor?.request(document),
      considerCheckpoint: (document) => this.#checkpointer?.consider(document),
    });
  }

  #newCheckpointer(): Checkpointer | undefined {
    return newCheckpointer(this.#shared, (id) => this.#watched.observer?.onCheckpointed?.(id));
  }

  #newCommitter(): Committer {
    return newCommitter(this.#shared, {
      observer: () => this.#watched.observer,
      onFailure: (error) => this.#onStoreFailure(error),
    });
  }

  #onStoreFailure(error: unknown): void {
    this.#suspend(storeFailureOf(error));
    if (this.#watched.state.name === "suspended" && this.#options.store.state.name === "open") {
      this.#resume();
    }
  }

  #suspend(error: HeddleError): void {
    if (this.#watched.state.name !== "ready") return;
    this.#watched.set({ name: "suspended", error });
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
    this.#watched.set({ name: "ready" });
    this.#options.environment.logger.info("replica.resumed");
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
}
