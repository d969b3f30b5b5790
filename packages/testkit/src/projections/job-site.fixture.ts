import {
  decodeAuditEntry,
  decodeTotal,
  definitionDigest,
  MemoryProjectionDisk,
  MemoryProjectionStore,
  ProjectionRunner,
  ReconcileJob,
  totalPath,
  encodeTotal,
  type AuditEntry,
  type GenerationId,
  type JobOptions,
  type JobReport,
  type Projection,
  type ProjectionSource,
  type ProjectionStore,
  type RowValue,
} from "@heddle/reconcile";

import { testEnvironment, type TestEnvironment } from "../test-environment.ts";
import { sums } from "./light-projections.ts";
import { MemorySource, type LightContent } from "./memory-source.ts";
import { inconsistenciesIn, readTotals, recountSource } from "./read-projection.ts";

/** A source that tells of its readings, and can be made to wait in them. */
export class WatchedSource extends MemorySource {
  onRead: (() => Promise<void>) | undefined;

  override async read(...args: Parameters<MemorySource["read"]>) {
    const reading = await super.read(...args);
    await this.onRead?.();
    return reading;
  }
}

/** A projection of documents in memory with its runner, and jobs on it. */
export class JobSite {
  readonly environment: TestEnvironment = testEnvironment(1, { timers: "real" });
  readonly source = new WatchedSource(this.environment.hash, this.environment.random);
  readonly disk = new MemoryProjectionDisk();
  projection: Projection<LightContent>;
  store!: ProjectionStore;
  #runner!: ProjectionRunner<LightContent>;

  private constructor(projection: Projection<LightContent>) {
    this.projection = projection;
  }

  static async open(projection: Projection<LightContent> = sums): Promise<JobSite> {
    const site = new JobSite(projection);
    await site.reopen();
    return site;
  }

  /** As after a restart of the process. */
  async reopen(): Promise<void> {
    await this.store?.close();
    const { environment, source, projection } = this;
    this.store = await MemoryProjectionStore.open(this.disk, environment.clock);
    const { hash, clock } = environment;
    this.#runner = new ProjectionRunner({ store: this.store, source, projection, hash, clock });
  }

  /** `documents` of `partition`, each with the same content, and fed. */
  async fill(documents: number, content: Record<string, number>, partition = "a"): Promise<void> {
    for (let index = 0; index < documents; index++) {
      this.source.edit(`${partition}/${index}`, content, { wallMs: index });
    }
    await this.feed();
  }

  async feed(): Promise<void> {
    for (let turn = 0; turn < 10_000; turn++) if ((await this.#runner.turn()) === "idle") return;
    throw new Error("the feed does not come to rest");
  }

  rebuild(): void {
    this.#runner.rebuild();
  }

  get generation(): GenerationId {
    return this.#runner.live!.generation;
  }

  /** Digest of the definition, in hex. */
  get definition(): string {
    return definitionDigest(this.environment.hash, this.projection);
  }

  job(
    options: Partial<JobOptions> = {},
    parts: { source?: ProjectionSource<LightContent>; store?: ProjectionStore } = {},
  ): ReconcileJob {
    const { projection, store, environment, source } = this;
    const fast = { readsPerSecond: 1e9, loopShare: 1 };
    const common = { name: "test", holder: "tests", pace: fast, feedWaitMs: 0 };
    return ReconcileJob.of(
      { projection, source, store, environment, ...parts },
      { ...common, ...options },
    );
  }

  run(options: Partial<JobOptions> = {}): Promise<JobReport> {
    return this.job(options).run();
  }

  async total(partition: string, key: string): Promise<RowValue | undefined> {
    const [bytes] = await this.store.get([totalPath(this.generation, partition, key)]);
    return bytes instanceof Uint8Array ? decodeTotal(bytes).value : undefined;
  }

  /** A hand on the database. */
  setTotal(partition: string, key: string, value: RowValue): Promise<void> {
    return this.setTotalBy(this.store.apply.bind(this.store), partition, key, value);
  }

  /** The same, where the store's own `apply` is watched. */
  async setTotalBy(
    apply: ProjectionStore["apply"],
    partition: string,
    key: string,
    value: RowValue,
  ): Promise<void> {
    const path = totalPath(this.generation, partition, key);
    const [bytes] = await this.store.get([path]);
    const documents = bytes instanceof Uint8Array ? decodeTotal(bytes).documents : 1;
    await apply({ put: [{ path, value: encodeTotal({ value, documents }) }] });
  }

  async audited(): Promise<AuditEntry[]> {
    const entries = await this.store.readAudit(0, 1_000);
    return entries.map(({ value }) => decodeAuditEntry(value as Uint8Array));
  }

  /** What is not as a full recount of the source has it, or does not fit within the generation. */
  async wrong(): Promise<readonly string[]> {
    const { projection, generation, store, source } = this;
    const { hash } = this.environment;
    const found = await readTotals(store, generation);
    const right = await recountSource(projection, source);
    const totals = [...new Set([...found.keys(), ...right.keys()])].filter((name) => {
      return JSON.stringify(found.get(name)) !== JSON.stringify(right.get(name));
    });
    return [...totals, ...(await inconsistenciesIn(store, { projection, generation, hash }))];
  }
}
