import { HeddleError, HeddleErrorCode, toHex } from "@heddle/core";
import {
  encodePath,
  kindPath,
  MemoryProjectionDisk,
  MemoryProjectionStore,
  ProjectionRunner,
  removeDropped,
  type ApplyConditions,
  type ApplyOutcome,
  type Lease,
  type LeaseProof,
  type Projection,
  type ProjectionBatch,
  type ProjectionStore,
  type RecordBytes,
  type RecordPath,
  type RecordRange,
  type StoredAuditEntry,
  type StoredRecord,
} from "@heddle/reconcile";

import { SimRandom } from "../simulation/sim-random.ts";
import { testEnvironment, type TestEnvironment } from "../test-environment.ts";
import { MemorySource, type LightContent } from "./memory-source.ts";
import { inconsistenciesIn, readTotals, recountSource } from "./read-projection.ts";

/** Who finds and mends what the feed did not bring: a reconciliation job, to its end. */
export type Reconciler = (world: ProjectionWorld) => Promise<void>;

/** What is done to projections in one world. */
export interface ProjectionFaults {
  edits: number;
  droppedEvents: number;
  repeatedEvents: number;
  lostFeeds: number;
  crashes: number;
  rebuilds: number;
  flippedBits: number;
  removedRecords: number;
}

/**
 * A store in memory whose process dies at the worst moment: a batch that is to fail is written, or is not, and
 * nobody hears which.
 */
class DyingStore implements ProjectionStore {
  readonly counters;
  /** What becomes of the next batch. */
  nextDeath: "before" | "after" | undefined;
  readonly #store: MemoryProjectionStore;

  constructor(store: MemoryProjectionStore) {
    this.#store = store;
    this.counters = store.counters;
  }

  async apply(batch: ProjectionBatch, conditions?: ApplyConditions): Promise<ApplyOutcome> {
    const death = this.nextDeath;
    this.nextDeath = undefined;
    if (death === "before") throw died();
    const outcome = await this.#store.apply(batch, conditions);
    if (death === "after") throw died();
    return outcome;
  }

  get(paths: readonly RecordPath[]): Promise<readonly (RecordBytes | undefined)[]> {
    return this.#store.get(paths);
  }

  readPage(range: RecordRange): Promise<readonly StoredRecord[]> {
    return this.#store.readPage(range);
  }

  acquireLease(name: string, holder: string, ttlMs: number): Promise<Lease | undefined> {
    return this.#store.acquireLease(name, holder, ttlMs);
  }

  renewLease(lease: LeaseProof, ttlMs: number): Promise<boolean> {
    return this.#store.renewLease(lease, ttlMs);
  }

  releaseLease(lease: LeaseProof): Promise<void> {
    return this.#store.releaseLease(lease);
  }

  readAudit(after: number, limit: number): Promise<readonly StoredAuditEntry[]> {
    return this.#store.readAudit(after, limit);
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}

/**
 * One projection over documents that change, a feed that lies and a store that dies and decays; nothing but the seed
 * decides what happens. After everything has come to rest and was reconciled, totals have to be those of a
 * full recount.
 */
export class ProjectionWorld {
  readonly environment: TestEnvironment;
  readonly source: MemorySource;
  readonly projection: Projection<LightContent>;
  readonly faults: ProjectionFaults = {
    edits: 0,
    droppedEvents: 0,
    repeatedEvents: 0,
    lostFeeds: 0,
    crashes: 0,
    rebuilds: 0,
    flippedBits: 0,
    removedRecords: 0,
  };
  store!: ProjectionStore;
  runner!: ProjectionRunner<LightContent>;
  readonly #random: SimRandom;
  readonly #disk = new MemoryProjectionDisk();
  #dying!: DyingStore;

  private constructor(seed: number, projection: Projection<LightContent>) {
    this.#random = new SimRandom(seed);
    this.environment = testEnvironment(seed);
    this.projection = projection;
    this.source = new MemorySource(this.environment.hash, this.environment.random);
  }

  static async of(seed: number, projection: Projection<LightContent>): Promise<ProjectionWorld> {
    const world = new ProjectionWorld(seed, projection);
    await world.#start();
    return world;
  }

  /** Lets so many things happen, one after the other. */
  async live(steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) await this.#happen();
  }

  /**
   * No more faults: reads what there is, reconciles, reads what that left.
   *
   * @returns what differs from a full recount; empty when nothing does.
   */
  async end(reconcile: Reconciler): Promise<readonly string[]> {
    this.#dying.nextDeath = undefined;
    await this.settle();
    await reconcile(this);
    await this.settle();
    const { generation } = this.runner.live!;
    const { projection, store } = this;
    const { hash } = this.environment;
    const wrong = [...(await inconsistenciesIn(store, { projection, generation, hash }))];
    const found = await readTotals(store, generation);
    const counted = await recountSource(projection, this.source);
    for (const name of new Set([...found.keys(), ...counted.keys()])) {
      const [is, shouldBe] = [found.get(name), counted.get(name)].map((value) =>
        JSON.stringify(value),
      );
      if (is !== shouldBe) wrong.push(`${name} is ${is}, its source says ${shouldBe}`);
    }
    return wrong;
  }

  /** Turns of the runner until it has nothing to do. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 1_000; turn++) if ((await this.runner.turn()) === "idle") return;
    throw new Error("a runner that has nothing to read does not come to rest");
  }

  async #happen(): Promise<void> {
    const dice = this.#random.between(0, 100 - 1);
    if (dice < 40) return this.#edit();
    if (dice < 75) return this.#turn();
    if (dice < 80) return this.#repeat();
    if (dice < 84) return this.#crash();
    if (dice < 88) return this.#die();
    if (dice < 91) return this.#rebuild();
    if (dice < 95) return this.#decay();
    if (dice < 97) return this.#lose();
    this.environment.clock.advance(this.#random.between(0, 90_000 - 1));
  }

  #edit(): void {
    const isFed = this.#random.between(0, 10 - 1) > 0;
    if (!isFed) this.faults.droppedEvents++;
    this.faults.edits++;
    const name = this.#aName();
    const value = this.#random.between(0, 4 - 1) === 0 ? null : this.#random.between(0, 9 - 1);
    const late = this.#random.between(0, 120_000 - 1);
    const wallMs = this.environment.clock.nowMs() - late;
    const edit = { [`key ${this.#random.between(0, 4 - 1)}`]: value };
    this.source.edit(name, edit, { wallMs, lane: this.#random.between(0, 3 - 1), isFed });
  }

  async #turn(): Promise<void> {
    try {
      await this.runner.turn();
    } catch (error) {
      // Somebody who follows a feed meets this, and goes on with the next turn.
      if (!(error instanceof HeddleError)) throw error;
    }
  }

  #repeat(): void {
    if (this.faults.edits === 0) return;
    this.faults.repeatedEvents++;
    this.source.repeat(this.#aName());
  }

  /** Dies at a moment at which nothing is being written. */
  async #crash(): Promise<void> {
    this.faults.crashes++;
    await this.store.close();
    await this.#start();
  }

  /** Dies while a batch is on its way. */
  async #die(): Promise<void> {
    this.#dying.nextDeath = this.#random.between(0, 2 - 1) === 0 ? "before" : "after";
    await this.#turn();
    await this.#turn();
    await this.#crash();
  }

  async #rebuild(): Promise<void> {
    this.faults.rebuilds++;
    this.runner.rebuild();
    await this.#turn();
    // Sometimes what was dropped goes while others still read.
    if (this.#random.between(0, 2 - 1) === 0) await removeDropped(this.store, this.projection.name);
  }

  /** A bit flips, or a record is gone, in what the live generation keeps. */
  #decay(): void {
    const generation = this.runner.live?.generation;
    if (!generation) return;
    const kinds = ["row", "share", "total", "marker", "late"] as const;
    const prefix = toHex(
      encodePath(kindPath(kinds[this.#random.between(0, kinds.length - 1)]!, generation)),
    );
    const keys = [...this.#disk.records.keys()].filter((key) => key.startsWith(prefix)).toSorted();
    const key = keys[this.#random.between(0, Math.max(1, keys.length) - 1)];
    if (key === undefined) return;
    if (this.#random.between(0, 3 - 1) > 0) {
      this.faults.flippedBits++;
      this.#disk.records.set(key, "damaged");
    } else {
      this.faults.removedRecords++;
      this.#disk.records.delete(key);
    }
  }

  #lose(): void {
    this.faults.lostFeeds++;
    if (this.#random.between(0, 2 - 1) === 0) this.source.dropFeed();
    else this.source.rollBack();
  }

  #aName(): string {
    return `p${this.#random.between(0, 2 - 1)}/d${this.#random.between(0, 5 - 1)}`;
  }

  async #start(): Promise<void> {
    const { hash, clock } = this.environment;
    this.#dying = new DyingStore(await MemoryProjectionStore.open(this.#disk, clock));
    this.store = this.#dying;
    const { source, projection, store } = this;
    const limits = { groupsMax: 3, entriesMax: 12, bytesMax: 100_000 };
    this.runner = new ProjectionRunner({ store, source, projection, hash, clock, limits });
  }
}

function died(): HeddleError {
  return new HeddleError(HeddleErrorCode.storageIo, "nobody knows whether it was written");
}
