import { HeddleError, HeddleErrorCode, toHex, type Environment } from "@heddle/core";

import { definitionDigest, type Projection } from "../define-projection.ts";
import { projectionLimits } from "../projection-limits.ts";
import { generationPath, livePath, type GenerationId } from "../projection-layout.ts";
import { decodeGeneration, decodeLive } from "../projection-records.ts";
import type { ProjectionSource } from "../projection-source.ts";
import type { ProjectionStore, RecordBytes } from "../projection-store.ts";
import { encodeRowValue } from "../row-value.ts";
import { DriftJournal } from "./drift-journal.ts";
import { countedSource, countedStore } from "./counted-ports.ts";
import type { JobGround } from "./job-ground.ts";
import { defaultJobOptions, type JobOptions } from "./job-options.ts";
import { JobPace } from "./job-pace.ts";
import { JobProgress } from "./job-progress.ts";
import { decodeJobRecord, jobPath } from "./job-record.ts";
import { isClean, type JobOutcome, type JobReport } from "./job-report.ts";
import { JobWalk } from "./job-walk.ts";
import { JobWriter } from "./job-writer.ts";
import { Settlement } from "./settle.ts";
import { JobStopped, type StopSignal } from "./stop-signal.ts";
import { readOr } from "./read-or.ts";

export interface ReconcileJobParts<Content = unknown> {
  readonly projection: Projection<Content>;
  readonly source: ProjectionSource<Content>;
  readonly store: ProjectionStore;
  readonly environment: Pick<Environment, "clock" | "scheduler" | "hash" | "random" | "logger">;
}

/**
 * Compares a projection with its source and repairs it, while people go on working:
 *
 *   leases ──► partitions of the store ──► documents of the source ──► what was put off ──► done
 *     └─ held        │ suspicious                 │ without a marker
 *                    └────► looked at again, for certain ──► corrected, emitted, or reported
 *
 * The first look compares digests and sums and may be wrong, because everything moves. What is
 * suspicious is looked at by itself: its rows are made anew from its document, both ways, and are written only if
 * nothing of what was read has moved since, together with an entry of the journal, under a lease (REC-1 to REC-5).
 */
export class ReconcileJob {
  readonly #parts: ReconcileJobParts;
  readonly #options: JobOptions;

  /** @throws HeddleError `HEDDLE_CONFIG_INVALID` for options that cannot be meant. */
  static of<Content>(
    parts: ReconcileJobParts<Content>,
    options: Partial<JobOptions> & Pick<JobOptions, "name" | "holder">,
  ): ReconcileJob {
    // A projection and its source are made for each other; what their content is, the kernel does not look at.
    return new ReconcileJob(parts as unknown as ReconcileJobParts, options);
  }

  private constructor(
    parts: ReconcileJobParts,
    options: Partial<JobOptions> & Pick<JobOptions, "name" | "holder">,
  ) {
    this.#parts = parts;
    this.#options = { ...defaultJobOptions, ...options };
    assertOptions(this.#options, parts.projection);
  }

  /**
   * One run: until everything in its scope was looked at, or there is a reason to stop. What was done
   * stays done when `signal` is aborted, and the next run of this name goes on from there.
   *
   * @throws HeddleError `HEDDLE_STORAGE_*`, `HEDDLE_PROJECTION_INVALID`.
   */
  async run(signal?: StopSignal): Promise<JobReport> {
    const { environment, projection, store } = this.#parts;
    const { clock, scheduler } = environment;
    const pace = new JobPace(this.#options.pace, clock, scheduler);
    const beganMs = clock.monotonicMs();
    const live = await this.#readLive();
    const plan = this.#planDigest(live.number);
    const writer = await this.#openWriter();
    const recordPath = jobPath(projection.name, this.#options.name);
    const [recordBytes] = writer ? [writer.recordBytes] : await store.get([recordPath]);
    const progress = new JobProgress({
      run: toHex(environment.random.bytes(16)),
      plan,
      startedAtMs: clock.nowMs(),
      before: this.#options.isDryRun ? undefined : readOr(recordBytes, decodeJobRecord),
    });
    const before = readOr(recordBytes, decodeJobRecord);
    const isCapped =
      before?.state === "capped" && before.plan === plan && !this.#options.acceptsCap;
    let outcome: JobOutcome;
    try {
      if (writer === undefined && !this.#options.isDryRun) outcome = "held";
      else if (live.refusal !== undefined) outcome = live.refusal;
      else if (isCapped && !this.#options.isDryRun) outcome = "capped";
      else {
        const ground = this.#groundOn(live, pace, signal);
        outcome = await this.#runOn(ground, progress, writer);
      }
    } catch (error) {
      if (!(error instanceof JobStopped)) throw error;
      outcome = "stopped";
    } finally {
      await writer?.close();
    }
    const tookMs = clock.monotonicMs() - beganMs;
    const report = this.#reportOf(progress, { outcome, tookMs, load: pace.figures });
    this.#tell(report);
    return report;
  }

  #groundOn(live: LiveGeneration, pace: JobPace, signal: StopSignal | undefined): JobGround {
    const { projection, source, environment, store } = this.#parts;
    const { hash, clock } = environment;
    const { generation, definition, liveBytes } = live;
    const counted = countedSource(source, pace);
    return {
      target: { projection, definition, generation, source: counted, hash, clock },
      store: countedStore(store, pace),
      liveBytes,
      environment,
      pace,
      scope: this.#options.scope,
      isThorough: this.#options.isThorough,
      signal,
    };
  }

  async #runOn(
    ground: JobGround,
    progress: JobProgress,
    writer: JobWriter | undefined,
  ): Promise<JobOutcome> {
    const { environment, projection } = this.#parts;
    const { holder } = this.#options;
    const about = { projection: projection.name, holder, run: progress.run };
    const journal = await DriftJournal.open({ store: ground.store, environment, ...about });
    const options = this.#options;
    const settlement = new Settlement({ ground, options, progress, journal, writer });
    const walk = new JobWalk({ ground, options, progress, settlement, writer });
    const ended = await walk.toTheEnd();
    const outcome = ended ?? "whole";
    if (outcome === "fenced" || outcome === "switched") return outcome;
    const counted = { outcome, counts: progress.counts, scope: ground.scope };
    if (isClean(counted) && isEverything(ground)) progress.provenAtMs = progress.startedAtMs;
    const state = outcome === "whole" ? "done" : outcome === "capped" ? "capped" : "running";
    if ((await writer?.checkpoint(progress.recordAs(state))) === "fenced") return "fenced";
    return outcome;
  }

  async #openWriter(): Promise<JobWriter | undefined> {
    const { store, projection, environment } = this.#parts;
    const { name: job, leaseMs, isDryRun } = this.#options;
    if (isDryRun) return undefined;
    // Two runs of one process are two holders: the store takes a lease from nobody else for the same one.
    const holder = `${this.#options.holder}/${toHex(environment.random.bytes(8))}`;
    const monotonicMs = (): number => environment.clock.monotonicMs();
    return await JobWriter.open(store, {
      projection: projection.name,
      job,
      holder,
      leaseMs,
      monotonicMs,
    });
  }

  async #readLive(): Promise<LiveGeneration> {
    const { store, projection, environment } = this.#parts;
    const definition = definitionDigest(environment.hash, projection);
    const [liveBytes] = await store.get([livePath(projection.name)]);
    const number = readOr(liveBytes, decodeLive);
    const generation = { projection: projection.name, number: number ?? 0 };
    const about = { liveBytes, generation, definition, number: number ?? 0 };
    if (number === undefined) return { ...about, refusal: "not-built" };
    const [bytes] = await store.get([generationPath(generation)]);
    const record = readOr(bytes, decodeGeneration);
    if (record?.definition !== definition) return { ...about, refusal: "other-definition" };
    return { ...about, refusal: undefined };
  }

  #planDigest(generation: number): string {
    const { projection, environment } = this.#parts;
    const { partitions, documents, keys, sample } = this.#options.scope;
    const facts = {
      projection: projection.name,
      definition: definitionDigest(environment.hash, projection),
      repair: projection.repair,
      isThorough: this.#options.isThorough,
      generation,
      partitions: { from: partitions?.from ?? null, to: partitions?.to ?? null },
      keys: { from: keys?.from ?? null, to: keys?.to ?? null },
      documents: documents?.toSorted() ?? null,
      sample: sample === undefined ? null : { ratio: sample.ratio, seed: sample.seed },
    };
    const bytes = encodeRowValue(facts, projectionLimits.recordBytesMax);
    return toHex(environment.hash.sha256(bytes));
  }

  #reportOf(
    progress: JobProgress,
    ended: Pick<JobReport, "outcome" | "tookMs" | "load">,
  ): JobReport {
    const { run, isResumed, startedAtMs, counts, drifts, undetermined, largest } = progress;
    return {
      projection: this.#parts.projection.name,
      run,
      isDryRun: this.#options.isDryRun,
      isThorough: this.#options.isThorough,
      isResumed,
      startedAtMs,
      counts: { ...counts },
      found: progress.foundNow,
      drifts,
      undetermined,
      ...(largest && { largest }),
      scope: this.#options.scope,
      provenAtMs: progress.provenAtMs,
      ...ended,
    };
  }

  /** Nothing that was found is only in a return value: whoever runs this may look at none. */
  #tell({ projection, run, outcome, counts, tookMs }: JobReport): void {
    const { logger } = this.#parts.environment;
    const { drifts, corrections, emitted, failures, undetermined, postponed } = counts;
    const about = { projection, run, outcome, drifts, corrections, emitted };
    const fields = { ...about, failures, undetermined, postponed, tookMs: Math.round(tookMs) };
    if (outcome === "capped") logger.error("reconcile.capped", fields);
    else if (failures > 0 || outcome === "source-behind") logger.error("reconcile.failed", fields);
    else if (drifts + undetermined > 0) logger.warn("reconcile.drift_found", fields);
    else logger.info("reconcile.done", fields);
  }
}

interface LiveGeneration {
  readonly liveBytes: RecordBytes | undefined;
  readonly generation: GenerationId;
  readonly definition: string;
  readonly number: number;
  readonly refusal: "not-built" | "other-definition" | undefined;
}

function isEverything({ scope }: JobGround): boolean {
  const { partitions, documents, keys, sample } = scope;
  return [partitions, documents, keys, sample].every((part) => part === undefined);
}

function assertOptions(options: JobOptions, projection: Projection): void {
  const { pace, correctionsMax, leaseMs, feedWaitMs, checkpointMs, scope, name, holder } = options;
  const { leaseTtlMsMin, leaseTtlMsMax } = projectionLimits;
  const checks: readonly (readonly [boolean, string])[] = [
    [isShort(name), "a job has a name of up to 128 characters without blanks"],
    [isShort(holder), "a holder has a name of up to 128 characters without blanks"],
    [pace.readsPerSecond > 0, "reads per second are above 0"],
    [pace.loopShare > 0 && pace.loopShare <= 1, "a share of the event loop is above 0 and up to 1"],
    [Number.isInteger(correctionsMax) && correctionsMax >= 0, "a cap is a whole number"],
    [leaseMs >= leaseTtlMsMin && leaseMs <= leaseTtlMsMax, "a lease lasts 100 ms to a day"],
    [feedWaitMs >= 0 && checkpointMs >= 0, "times are not below 0"],
    [
      scope.sample === undefined || (scope.sample.ratio > 0 && scope.sample.ratio < 1),
      "a sample is above 0 and below 1",
    ],
    [
      projection.repair !== "emit" || options.onCorrection !== undefined || options.isDryRun,
      `projection ${projection.name} hands its corrections to the application, and nobody takes them`,
    ],
  ];
  const wrong = checks.find(([isRight]) => !isRight);
  if (wrong === undefined) return;
  throw new HeddleError(HeddleErrorCode.configInvalid, `no reconciliation job: ${wrong[1]}`);
}

function isShort(text: string): boolean {
  return /^[\x21-\x7e]{1,128}$/.test(text);
}
