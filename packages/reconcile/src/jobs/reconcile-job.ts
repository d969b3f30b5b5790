import { toHex, type Environment } from "@heddle/core";

import type { Projection } from "../define-projection.ts";
import type { ProjectionSource } from "../projection-source.ts";
import type { ProjectionStore } from "../projection-store.ts";
import { capPath, isHeldByCap } from "./cap-record.ts";
import { countedSource, countedStore } from "./counted-ports.ts";
import { DriftJournal } from "./drift-journal.ts";
import { feedStanding } from "./feed-standing.ts";
import type { JobGround } from "./job-ground.ts";
import { defaultJobOptions, type JobOptions } from "./job-options.ts";
import { JobLook } from "./job-look.ts";
import { JobPace } from "./job-pace.ts";
import { assertJobOptions, planDigest } from "./job-plan.ts";
import { JobProgress, type JobStart } from "./job-progress.ts";
import { decodeJobRecord, jobPath } from "./job-record.ts";
import { isClean, type JobOutcome, type JobReport } from "./job-report.ts";
import { isEverything } from "./job-scope.ts";
import { JobWalk } from "./job-walk.ts";
import { JobWriter } from "./job-writer.ts";
import { readLive, type LiveGeneration } from "./live-generation.ts";
import { isNothing, type LookedAt, type MovedPlaces } from "./look-memory.ts";
import { readOr } from "./read-or.ts";
import { Settlement } from "./settle.ts";
import { JobStopped, type StopSignal } from "./stop-signal.ts";
import { UnwrittenCorrections } from "./unwritten-corrections.ts";

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
    assertJobOptions(this.#options, parts.projection);
  }

  /**
   * One run: until everything in its scope was looked at, or there is a reason to stop. What was done
   * stays done when `signal` is aborted, and the next run of this name goes on from there.
   *
   * @throws HeddleError `HEDDLE_STORAGE_*`, `HEDDLE_PROJECTION_INVALID`.
   */
  async run(signal?: StopSignal): Promise<JobReport> {
    const { environment, projection } = this.#parts;
    const { clock, scheduler, hash } = environment;
    const pace = new JobPace(this.#options.pace, clock, scheduler);
    const look = new JobLook(this.#parts, projection.name, this.#options, clock.monotonicMs());
    const store = countedStore(this.#parts.store, pace);
    const live = await readLive(store, hash, projection);
    const moved = look.movedSince(live);
    const ground = this.#groundOn(live, moved, { store, pace, signal });
    if (moved !== undefined && isNothing(moved) && !(await this.#isHeldByCap(store, live))) {
      return this.#report(ground, await this.#idle(ground, look), look);
    }
    const writer = await this.#openWriter(live);
    const { name: job, isDryRun } = this.#options;
    const [recordBytes] = writer
      ? [writer.recordBytes]
      : await store.get([jobPath(projection.name, job)]);
    const progress = new JobProgress({
      ...this.#newRun(live),
      left: look.left,
      before: isDryRun ? undefined : readOr(recordBytes, decodeJobRecord),
      isFromTheBeginning: moved !== undefined,
    });
    let outcome: JobOutcome;
    try {
      if (writer === undefined && !isDryRun) outcome = "held";
      else if (live.refusal !== undefined) outcome = live.refusal;
      else if (writer && !(await this.#mayCorrect(writer, progress))) outcome = "capped";
      else outcome = await this.#runOn(ground, { progress, writer, look });
    } catch (error) {
      if (!(error instanceof JobStopped)) throw error;
      outcome = "stopped";
    } finally {
      await writer?.close();
    }
    return this.#report(ground, { progress, outcome }, look);
  }

  /** Nothing has moved since a look that left nothing: all there is to ask is whether the source is an older one. */
  async #idle(ground: JobGround, { left }: JobLook): Promise<EndedRun> {
    const { store, target } = ground;
    const start = { ...this.#newRun({ ...target }), left };
    const progress = new JobProgress({ ...start, before: undefined, isFromTheBeginning: true });
    const isBehind = (await feedStanding({ ...target, store })) === "ahead";
    if (!isBehind) progress.provenAtMs = progress.startedAtMs;
    return { progress, outcome: isBehind ? "source-behind" : "unmoved" };
  }

  async #isHeldByCap(store: ProjectionStore, { definition }: LiveGeneration): Promise<boolean> {
    const [bytes] = await store.get([capPath(this.#parts.projection.name)]);
    return isHeldByCap(bytes, definition);
  }

  async #mayCorrect(writer: JobWriter, { run }: JobProgress): Promise<boolean> {
    if (!writer.isHeldByCap) return true;
    if (!this.#options.acceptsCap) return false;
    const { environment, projection } = this.#parts;
    const { holder } = this.#options;
    const accepted = { projection: projection.name, reconcileRun: run, holder };
    environment.logger.warn("reconcile.cap_accepted", accepted);
    await writer.acceptCap();
    return true;
  }

  #newRun(
    live: Pick<LiveGeneration, "generation" | "definition">,
  ): Omit<JobStart, "before" | "left" | "isFromTheBeginning"> {
    const { environment, projection } = this.#parts;
    const { hash, random, clock } = environment;
    return {
      run: toHex(random.bytes(16)),
      plan: planDigest(hash, projection, live, this.#options),
      startedAtMs: clock.nowMs(),
    };
  }

  #groundOn(
    live: LiveGeneration,
    moved: MovedPlaces | undefined,
    { store, pace, signal }: Pick<JobGround, "store" | "pace" | "signal">,
  ): JobGround {
    const { projection, source, environment } = this.#parts;
    const { hash, clock } = environment;
    const { generation, definition, liveBytes } = live;
    const counted = countedSource(source, pace);
    return {
      target: { projection, definition, generation, source: counted, hash, clock },
      store,
      liveBytes,
      environment,
      pace,
      scope: this.#options.scope,
      isThorough: this.#options.isThorough,
      moved,
      signal,
      unwritten: new UnwrittenCorrections(),
    };
  }

  async #runOn(ground: JobGround, { progress, writer, look }: RunParts): Promise<JobOutcome> {
    const { environment, projection } = this.#parts;
    const options = this.#options;
    const about = { projection: projection.name, holder: options.holder, run: progress.run };
    const journal = await DriftJournal.open({ store: ground.store, environment, ...about });
    const settlement = new Settlement({ ground, options, progress, journal, writer });
    const walk = new JobWalk({ ground, options, progress, settlement, writer });
    look.begins(progress, ground.moved);
    const ended = await walk.toTheEnd();
    const outcome = ended ?? (ground.moved === undefined ? "whole" : "moved-only");
    if (outcome === "fenced" || outcome === "switched") return outcome;
    const isAll = isEverything(ground.scope);
    const counted = { outcome, counts: progress.counts, scope: ground.scope };
    if (isClean(counted) && isAll) progress.provenAtMs = progress.startedAtMs;
    const state = ended === undefined ? "done" : ended === "capped" ? "capped" : "running";
    const { clock } = environment;
    const written = await writer?.checkpoint(progress.recordAs(state), clock.nowMs());
    if (written === "fenced") return "fenced";
    if (ended === undefined) look.ended(progress, ground.target, ground.moved);
    return outcome;
  }

  async #openWriter({ definition }: LiveGeneration): Promise<JobWriter | undefined> {
    const { store, projection, environment } = this.#parts;
    const { name: job, leaseMs, isDryRun } = this.#options;
    if (isDryRun) return undefined;
    // Two runs of one process are two holders: the store takes a lease from nobody else for the same one.
    const holder = `${this.#options.holder}/${toHex(environment.random.bytes(8))}`;
    const monotonicMs = (): number => environment.clock.monotonicMs();
    return await JobWriter.open(store, {
      projection: projection.name,
      job,
      definition,
      holder,
      leaseMs,
      monotonicMs,
    });
  }

  #report(
    { pace, moved }: JobGround,
    { progress, outcome }: EndedRun,
    { beganMs, whole }: JobLook,
  ): JobReport {
    const { run, isResumed, startedAtMs, counts, drifts, undetermined, largest } = progress;
    const { projection, environment } = this.#parts;
    const report: JobReport = {
      projection: projection.name,
      run,
      outcome,
      isDryRun: this.#options.isDryRun,
      isThorough: this.#options.isThorough,
      isResumed,
      startedAtMs,
      tookMs: environment.clock.monotonicMs() - beganMs,
      counts: { ...counts },
      found: progress.foundNow,
      drifts,
      undetermined,
      ...(largest && { largest }),
      partitions: progress.partitions.lists,
      scope: this.#options.scope,
      load: pace.figures,
      ...(moved && { since: lookedAt(moved.since) }),
      ...(whole && { wholeLook: lookedAt(whole) }),
      provenAtMs: progress.provenAtMs,
    };
    this.#tell(report);
    return report;
  }

  /** Nothing that was found is only in a return value: whoever runs this may look at none. */
  #tell({ projection, run, outcome, counts, tookMs, since }: JobReport): void {
    const { logger } = this.#parts.environment;
    const { drifts, corrections, emitted, failures, undetermined, postponed } = counts;
    const about = { projection, reconcileRun: run, outcome, since: since?.run };
    const found = { drifts, corrections, emitted, failures, undetermined, postponed };
    const fields = { ...about, ...found, tookMs: Math.round(tookMs) };
    if (outcome === "capped") logger.error("reconcile.capped", fields);
    else if (failures > 0 || outcome === "source-behind") logger.error("reconcile.failed", fields);
    else if (drifts + undetermined > 0) logger.warn("reconcile.drift_found", fields);
    else logger.info("reconcile.done", fields);
  }
}

interface RunParts {
  readonly progress: JobProgress;
  /** Missing in a dry run. */
  readonly writer: JobWriter | undefined;
  readonly look: JobLook;
}

interface EndedRun {
  readonly progress: JobProgress;
  readonly outcome: JobOutcome;
}

function lookedAt({ run, atMs }: LookedAt): LookedAt {
  return { run, atMs };
}
