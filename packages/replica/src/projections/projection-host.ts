import { HeddleError, HeddleErrorCode, isHeddleError, type Environment } from "@heddle/core";
import {
  ProjectionReader,
  ProjectionRunner,
  type FollowerCounters,
  type FollowLimits,
  type InvalidDocument,
  type Projection,
  type ProjectionSource,
  type ProjectionStore,
  type ProjectionTarget,
} from "@heddle/reconcile";
import { fullJitter } from "@heddle/sync";

import { waitUntil, type WaitOptions } from "../wait-until.ts";
import { InvalidDocuments, type LastInvalid } from "./invalid-documents.ts";

/** What runs, from where, and how often. */
export interface ProjectionHostOptions<Content = unknown> {
  readonly store: ProjectionStore;
  readonly source: ProjectionSource<Content>;
  readonly environment: Environment;
  readonly projections: readonly Projection<Content>[];
  /** The feed is asked this often when nobody wakes it. */
  readonly pollMs?: number;
  /** Documents that could not be taken in are looked at again this often. */
  readonly stalledMs?: number;
  readonly limits?: FollowLimits;
  /** Share of the time that steps may take, above 0 and up to 1, for whoever serves people in the same process. */
  readonly shareMax?: number;
}

/** Which projections to wait for, and how long. */
export interface CaughtUpOptions extends WaitOptions {
  /** By name; all of them without. */
  readonly projections?: readonly string[] | undefined;
  /** Of turns in a row: after so many the wait rejects with what the last one threw. Without it failing ones are waited for. */
  readonly failuresMax?: number | undefined;
}

/** What there is to know of one projection. */
export interface ProjectionStatus {
  readonly name: string;
  readonly state: "building" | "following" | "idle" | "failing";
  /** The one that is read; `undefined` while it is built for the first time. */
  readonly generation: number | undefined;
  readonly counters: FollowerCounters;
  /** Turns that failed; each is done again after a while. */
  readonly failures: number;
  /** The last document that the definition failed on; it keeps the rows that it had. */
  readonly lastInvalid: LastInvalid | undefined;
}

const pollMsDefault = 1_000;
const stalledMsDefault = 60_000;
const retry = { delayMsMin: 200, delayMsMax: 30_000 };

interface Hosted<Content> {
  readonly runner: ProjectionRunner<Content>;
  readonly invalid: InvalidDocuments;
  failures: number;
  failuresInRow: number;
  lastError: unknown;
  isIdle: boolean;
  notBeforeMs: number;
}

/**
 * Runs projections over one store and one source: each in turn, a bounded step at a time. One that
 * fails waits by itself, and longer each time.
 */
export class ProjectionHost<Content = unknown> implements AsyncDisposable {
  readonly store: ProjectionStore;
  readonly source: ProjectionSource<Content>;
  readonly #options: ProjectionHostOptions<Content>;
  readonly #hosted: readonly Hosted<Content>[];
  readonly #waiting = new Set<() => void>();
  #running: Promise<void> | undefined;
  #cancelPoll: (() => void) | undefined;
  #cancelStalled: (() => void) | undefined;
  #retrying: Promise<void> | undefined;
  #isWoken = false;
  #isClosed = false;

  /** @throws HeddleError `HEDDLE_PROJECTION_INVALID` for two projections of one name: each would give up what the other builds. */
  constructor(options: ProjectionHostOptions<Content>) {
    assertNames(options.projections);
    this.#options = options;
    this.store = options.store;
    this.source = options.source;
    const { store, source, environment, projections, limits } = options;
    const { hash, clock } = environment;
    this.#hosted = projections.map((projection) => {
      const invalid = new InvalidDocuments(projection, environment);
      const onInvalid = (failure: InvalidDocument): void => invalid.note(failure);
      const parts = { store, source, projection, hash, clock, limits, onInvalid };
      const runner = new ProjectionRunner(parts);
      const lastError = undefined;
      const state = { runner, invalid, lastError, isIdle: false };
      return Object.assign(state, { failures: 0, failuresInRow: 0, notBeforeMs: 0 });
    });
  }

  /** Begins to follow the feed. Call it once. */
  start(): void {
    this.wake();
    this.#awaitStalled();
  }

  /** Something has arrived: looks at once instead of with the next poll. */
  wake(): void {
    if (this.#isClosed) return;
    this.#isWoken = true;
    for (const hosted of this.#hosted) hosted.isIdle = false;
    this.#cancelPoll?.();
    this.#cancelPoll = undefined;
    this.#running ??= this.#run();
  }

  /** @throws when there is no projection of that name: a mistake of the caller. */
  reader(name: string): ProjectionReader {
    return new ProjectionReader(this.store, this.#find(name).runner.name);
  }

  /** What a reconciliation job compares; `undefined` while it is built for the first time. */
  target(name: string): ProjectionTarget<Content> | undefined {
    return this.#find(name).runner.live;
  }

  /** Builds a projection anew, beside the one that is read. */
  rebuild(name: string): void {
    this.#find(name).runner.rebuild();
    this.wake();
  }

  get statuses(): readonly ProjectionStatus[] {
    return this.#hosted.map(({ runner, invalid, failures, failuresInRow, isIdle }) => {
      const state = runner.isBuilding ? "building" : isIdle ? "idle" : "following";
      return {
        name: runner.name,
        state: failuresInRow > 0 ? "failing" : state,
        generation: runner.live?.generation.number,
        counters: runner.counters,
        failures,
        lastInvalid: invalid.last,
      };
    });
  }

  /**
   * Resolves when all projections, or those that are named, have taken in what is in the log at the time of this call. Rejects
   * with the signal's reason.
   */
  async whenCaughtUp(options: CaughtUpOptions = {}): Promise<void> {
    const { projections, failuresMax = Infinity } = options;
    const awaited = projections?.map((name) => this.#find(name)) ?? this.#hosted;
    this.wake();
    await waitUntil((resolve, reject) => {
      const look = (): void => {
        const failed = awaited.find(({ failuresInRow }) => failuresInRow >= failuresMax);
        if (!failed && !awaited.every(({ isIdle }) => isIdle)) return;
        this.#waiting.delete(look);
        if (failed) reject(failed.lastError);
        else resolve();
      };
      this.#waiting.add(look);
      return () => this.#waiting.delete(look);
    }, options);
  }

  /** Ends after the step that is under way. The store is left open. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelPoll?.();
    this.#cancelStalled?.();
    await Promise.all([this.#running, this.#retrying]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #run(): Promise<void> {
    for (let isBusy = false; (isBusy || this.#isWoken) && !this.#isClosed;) {
      this.#isWoken = false;
      isBusy = await this.#round();
      // One that is built for hours keeps nobody waiting who asks for another.
      if (isBusy) for (const look of this.#waiting) look();
    }
    this.#running = undefined;
    for (const look of this.#waiting) look();
    if (!this.#isClosed) this.#awaitPoll();
  }

  /** One turn for each that is due. Returns whether one of them has more to do now. */
  async #round(): Promise<boolean> {
    let isBusy = false;
    for (const hosted of this.#hosted) {
      const { clock } = this.#options.environment;
      if (hosted.isIdle || this.#isClosed || clock.monotonicMs() < hosted.notBeforeMs) continue;
      const startedMs = clock.monotonicMs();
      const turn = await this.#turn(hosted);
      hosted.isIdle = turn === "idle" && !this.#isWoken;
      isBusy ||= turn === "busy";
      if (turn === "busy") await this.#leaveRoom(clock.monotonicMs() - startedMs);
    }
    return isBusy;
  }

  async #turn(hosted: Hosted<Content>): Promise<"idle" | "busy" | "failed"> {
    const { runner } = hosted;
    const { clock, logger, random } = this.#options.environment;
    try {
      const turn = await runner.turn();
      hosted.failuresInRow = 0;
      return turn;
    } catch (error) {
      hosted.lastError = error;
      hosted.failures++;
      hosted.failuresInRow++;
      hosted.notBeforeMs = clock.monotonicMs() + fullJitter(hosted.failuresInRow, retry, random);
      const code = isHeddleError(error) ? error.code : undefined;
      logger.error("projections.turn_failed", {
        projection: runner.name,
        code,
        error: String(error),
      });
      return "failed";
    }
  }

  #awaitPoll(): void {
    const { environment, pollMs = pollMsDefault } = this.#options;
    this.#cancelPoll = environment.scheduler.after(pollMs, () => this.wake());
  }

  #awaitStalled(): void {
    const { environment, stalledMs = stalledMsDefault } = this.#options;
    if (this.#isClosed) return;
    this.#cancelStalled = environment.scheduler.after(stalledMs, () => {
      this.#retrying = this.#retryStalled();
    });
  }

  async #retryStalled(): Promise<void> {
    await this.#running;
    for (const { runner } of this.#hosted) {
      if (this.#isClosed) return;
      try {
        await runner.retryStalled();
      } catch (error) {
        const { logger } = this.#options.environment;
        logger.warn("projections.retry_failed", { projection: runner.name, error: String(error) });
      }
    }
    this.#awaitStalled();
  }

  /** Waits so long that steps take no more than their share of the time. */
  async #leaveRoom(stepMs: number): Promise<void> {
    const { environment, shareMax = 1 } = this.#options;
    if (shareMax >= 1 || this.#isClosed) return;
    const restMs = stepMs * (1 / shareMax - 1);
    await new Promise<void>((resolve) => {
      environment.scheduler.after(restMs, resolve);
    });
  }

  #find(name: string): Hosted<Content> {
    const hosted = this.#hosted.find(({ runner }) => runner.name === name);
    if (!hosted) throw new Error(`there is no projection ${name}`);
    return hosted;
  }
}

function assertNames(projections: readonly { readonly name: string }[]): void {
  const names = new Set<string>();
  for (const { name } of projections) {
    if (names.has(name)) {
      const message = `there are two projections called ${name}`;
      throw new HeddleError(HeddleErrorCode.projectionInvalid, message);
    }
    names.add(name);
  }
}
