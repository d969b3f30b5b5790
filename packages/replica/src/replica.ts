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
  type DocumentId,
  type DocumentName,
  type Environment,
  type LogStore,
  type Signer,
  type SpaceId,
} from "@heddle/core";

import { Committer } from "./committer.ts";
import { loadDocument } from "./load-document.ts";
import { recover, type RecoveryReport } from "./recovery.ts";
import { newReplicaCounters } from "./replica-counters.ts";
import { ReplicaDocument } from "./replica-document.ts";

export interface ReplicaOptions {
  /** Handed in open; whoever opened it closes it, after the replica. */
  readonly store: LogStore;
  readonly environment: Environment;
  readonly signer: Signer;
  /** Name and version written into lane descriptors. */
  readonly engine: string;
  /** How long a document that nobody uses stays in memory. */
  readonly idleMs?: number;
}

export type ReplicaState =
  | { readonly name: "ready" }
  /** The store is fenced: nothing is accepted until it is verified and open again. */
  | { readonly name: "suspended"; readonly error: HeddleError }
  | { readonly name: "closed" };

interface Holding {
  readonly document: Promise<ReplicaDocument>;
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
  readonly counters = newReplicaCounters();
  readonly #options: ReplicaOptions;
  readonly #clock: HybridClock;
  readonly #holdings = new Map<DocumentId, Holding>();
  readonly #stopListening: () => void;
  #committer: Committer;
  #state: ReplicaState = { name: "ready" };

  private constructor(options: ReplicaOptions, recovery: RecoveryReport) {
    this.#options = options;
    this.recovery = recovery;
    this.space = openSpaceId(options.environment.hash);
    this.#clock = new HybridClock(options.environment.clock, options.store.opening.lastHlc);
    this.#committer = this.#newCommitter();
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
    if (holding === undefined) return; // It left with a reset.
    assert(holding.holders > 0, "a document is released as often as it was acquired");
    holding.holders--;
    if (holding.holders === 0) this.#scheduleUnload(document, holding);
  }

  /** Waits until everything submitted is on disk and shown, keeps the vectors, lets go. */
  async close(): Promise<void> {
    if (this.#state.name === "closed") return;
    const wasReady = this.#state.name === "ready";
    if (wasReady) await this.#committer.drained();
    this.#committer.stop();
    this.#state = { name: "closed" };
    this.#stopListening();
    if (wasReady) await this.#keepVectors(await this.#loaded());
    for (const { cancelUnload } of this.#holdings.values()) cancelUnload?.();
    this.#holdings.clear();
  }

  #load(id: DocumentId, name: DocumentName): Holding {
    const { store, environment } = this.#options;
    const entry = { id, name, createdAt: this.#clock.tick() };
    const document = loadDocument(store, environment, entry).then((log) => {
      return new ReplicaDocument(log, this.counters, (changed) => this.#committer.request(changed));
    });
    const holding: Holding = { document, holders: 0, cancelUnload: undefined };
    this.#holdings.set(id, holding);
    document.catch(() => {
      // The caller of acquire has the error; here it only must not stay for the next one.
      if (this.#holdings.get(id) === holding) this.#holdings.delete(id);
    });
    return holding;
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

  #newCommitter(): Committer {
    const { store, environment, signer, engine } = this.#options;
    const { hash, random } = environment;
    return new Committer({
      store,
      counters: this.counters,
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
    const holdings = [...this.#holdings.values()];
    this.#holdings.clear();
    for (const { document, cancelUnload } of holdings) {
      cancelUnload?.();
      document.then((loaded) => loaded.reset(error)).catch(() => {
        // It failed to load, and whoever acquired it has been told.
      });
    }
  }

  #resume(): void {
    this.#committer = this.#newCommitter();
    this.#state = { name: "ready" };
    this.#options.environment.logger.info("replica.resumed");
  }

  #assertReady(): void {
    if (this.#state.name === "suspended") throw this.#state.error;
    if (this.#state.name === "closed") {
      throw new HeddleError(HeddleErrorCode.storageClosed, "the replica is closed");
    }
  }
}
