import { HeddleError, HeddleErrorCode, type Environment } from "@heddle/core";
import {
  LookMemory,
  ReconcileJob,
  type JobOptions,
  type JobReport,
  type Projection,
  type ProjectionSource,
  type ProjectionStore,
} from "@heddle/reconcile";

import { PlannedJob } from "./planned-job.ts";
import { ReconcileFigures } from "./reconcile-figures.ts";
import { PlannedRuns, type RunPlan } from "./run-plan.ts";

/** What a {@link Reconciler} compares, and when. */
export interface ReconcilerOptions<Content = unknown> {
  readonly store: ProjectionStore;
  readonly source: ProjectionSource<Content>;
  readonly environment: Environment;
  readonly projections: readonly Projection<Content>[];
  /** Who corrects, in journals and leases. */
  readonly holder: string;
  /** Without one, runs come only when they are asked for. */
  readonly plan?: RunPlan | undefined;
  /** Of runs that make every document anew. They are jobs of their own, beside those of `plan`. */
  readonly thoroughPlan?: RunPlan | undefined;
  readonly job?: Partial<JobOptions> | undefined;
}

/** Name of a job: runs of one kind go on where the one before was interrupted. */
type JobKind = "planned" | "thorough" | "asked";

/**
 * Reconciles the projections of one store: each by its plan, and when somebody asks. A run that is asked
 * for is a job of its own: it neither waits for a planned one nor goes on where that is.
 *
 * Planned runs look at what moved since the run before, and at everything in the first one and every `wholeLookMs`
 * of `job`; one that is asked for looks at everything unless it is asked for less.
 */
export class Reconciler<Content = unknown> implements AsyncDisposable {
  readonly #options: ReconcilerOptions<Content>;
  readonly #figures = new Map<string, ReconcileFigures>();
  readonly #planned: readonly PlannedJob[];
  readonly #stopping = new AbortController();
  readonly #asked = new Set<Promise<unknown>>();
  /** Of one opening of the store and the source; so it goes with this object. */
  readonly #memory = new LookMemory();

  /** @throws HeddleError `HEDDLE_CONFIG_INVALID` for a plan or options that cannot be meant. */
  constructor(options: ReconcilerOptions<Content>) {
    this.#options = options;
    const { environment, projections, plan, thoroughPlan } = options;
    for (const { name } of projections) {
      this.#figures.set(name, new ReconcileFigures(environment.clock));
    }
    this.#planned = [
      ...this.#plan("planned", { isOnlyMoved: true }, plan),
      ...this.#plan("thorough", { isThorough: true }, thoroughPlan),
    ];
  }

  /** By projection; live. */
  get figures(): ReadonlyMap<string, ReconcileFigures> {
    return this.#figures;
  }

  /** Begins to run by the plan. */
  start(): void {
    for (const job of this.#planned) job.start();
  }

  /**
   * One run of one projection, now.
   *
   * @throws HeddleError `HEDDLE_CONFIG_INVALID` without a projection of that name; `HEDDLE_STORAGE_*`.
   */
  async run(
    name: string,
    options: Partial<JobOptions> = {},
    signal?: AbortSignal,
  ): Promise<JobReport> {
    const stopping = this.#stopping.signal;
    const either = signal === undefined ? stopping : AbortSignal.any([signal, stopping]);
    const asked = this.#run(name, "asked", options, either);
    this.#asked.add(asked);
    try {
      return await asked;
    } finally {
      this.#asked.delete(asked);
    }
  }

  /** Stops what runs, which keeps what it has done. The store is left open. */
  async close(): Promise<void> {
    this.#stopping.abort(new Error("the reconciler is closed"));
    await Promise.all(this.#planned.map((job) => job.close()));
    await Promise.allSettled(this.#asked);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #plan(kind: JobKind, job: Partial<JobOptions>, plan: RunPlan | undefined): PlannedJob[] {
    const { environment, projections } = this.#options;
    if (plan === undefined) return [];
    const runs = new PlannedRuns(plan);
    return projections.map(({ name }) => {
      // What cannot be meant is found now, and not in the night.
      this.#job(name, kind, job);
      const run = (signal: AbortSignal): Promise<void> => this.#runPlanned(name, kind, job, signal);
      return new PlannedJob({ environment, runs, name, run });
    });
  }

  async #runPlanned(
    name: string,
    kind: JobKind,
    job: Partial<JobOptions>,
    signal: AbortSignal,
  ): Promise<void> {
    const { outcome } = await this.#run(name, kind, job, signal);
    // The plan counts it as cut short; while it is being built there is nothing to try again.
    if (outcome === "stopped") signal.throwIfAborted();
  }

  async #run(
    name: string,
    kind: JobKind,
    options: Partial<JobOptions>,
    signal: AbortSignal,
  ): Promise<JobReport> {
    const job = this.#job(name, kind, options);
    const figures = this.#figures.get(name)!;
    figures.progressed();
    try {
      const report = await job.run(signal);
      figures.ended(report);
      return report;
    } catch (error) {
      figures.failed();
      throw error;
    }
  }

  #job(name: string, kind: JobKind, options: Partial<JobOptions>): ReconcileJob {
    const { store, source, environment, projections, holder, job } = this.#options;
    const projection = projections.find((one) => one.name === name);
    if (projection === undefined) {
      const message = `there is no projection ${JSON.stringify(name)}`;
      throw new HeddleError(HeddleErrorCode.configInvalid, message);
    }
    const onProgress = (): void => this.#figures.get(name)?.progressed();
    const parts = { projection, source, store, environment };
    return ReconcileJob.of(parts, {
      name: kind,
      holder,
      onProgress,
      memory: this.#memory,
      ...job,
      ...options,
    });
  }
}
