import { isHeddleError, type Environment } from "@heddle/core";
import type { Sink, SinkSource, ProjectionStore } from "@heddle/reconcile";
import { fullJitter } from "@heddle/sync";

import type { DeadChanges } from "./dead-changes.ts";
import type { SinkCounters } from "./document-sender.ts";
import { retryDead, type SettledDead } from "./settle-dead.ts";
import { SinkRunner } from "./sink-runner.ts";

/** What one sink is hosted with. */
export interface HostedSinkParts {
  readonly sink: Sink;
  readonly store: ProjectionStore;
  readonly source: SinkSource;
  readonly environment: Environment;
  readonly pollMs: number;
  readonly stalledMs: number;
  /** Is called each time that nothing is left to do. */
  readonly onIdle: () => void;
}

/**
 * What a sink does at the moment: `waiting` after an attempt that failed, `away` while the breaker is open,
 * `failing` while its store or its source does.
 */
export type SinkState = "stopped" | "idle" | "sending" | "waiting" | "away" | "failing";

const retry = { delayMsMin: 200, delayMsMax: 30_000 };

/** One sink that runs by itself, so that an outside that is slow or away holds up no other, and what is known of it. */
export class HostedSink {
  readonly #parts: HostedSinkParts;
  readonly #runner: SinkRunner;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #isIdle = false;
  #turnsFailed = 0;
  #failuresInRow = 0;
  /** By the monotonic clock: since when something waits to be handed over. */
  #behindSinceMs: number | undefined;
  /** Of a turn that is under way. */
  #turnSinceMs: number | undefined;
  #endPause: ((isWoken: boolean) => void) | undefined;
  #isWoken = false;

  constructor(parts: HostedSinkParts) {
    this.#parts = parts;
    const { signal } = this.#stopping;
    this.#runner = new SinkRunner({ ...parts, signal });
  }

  get name(): string {
    return this.#runner.name;
  }

  get owner(): string {
    return this.#parts.sink.owner;
  }

  get counters(): Readonly<SinkCounters> {
    return this.#runner.counters;
  }

  /** Turns that its store or its source failed; each is done again after a while. */
  get turnsFailed(): number {
    return this.#turnsFailed;
  }

  get dead(): DeadChanges {
    return this.#runner.dead;
  }

  /** Commit groups that it has not gone through. */
  get lag(): number {
    return this.#runner.lag;
  }

  /** How long something has waited to be handed over; 0 when nothing does. */
  get ageMs(): number {
    const turnSinceMs = this.lag > 0 ? this.#turnSinceMs : undefined;
    const sinceMs = this.#behindSinceMs ?? turnSinceMs;
    return sinceMs === undefined ? 0 : this.#parts.environment.clock.monotonicMs() - sinceMs;
  }

  get isAway(): boolean {
    return this.#runner.breaker.state === "open";
  }

  get isIdle(): boolean {
    return this.#isIdle;
  }

  get state(): SinkState {
    if (this.#running === undefined) return "stopped";
    if (this.#failuresInRow > 0) return "failing";
    if (this.isAway) return "away";
    if (this.#runner.breaker.state === "waiting") return "waiting";
    return this.#isIdle ? "idle" : "sending";
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Something has arrived: looks at once instead of with the next poll. An outside that is away is not asked sooner. */
  wake(): void {
    this.#isIdle = false;
    this.#isWoken = true;
    this.#endPause?.(true);
  }

  /** @throws HeddleError `HEDDLE_STORAGE_*`. */
  retryDead(id: string, by: string): Promise<SettledDead> {
    const { signal } = this.#stopping;
    return retryDead({ ...this.#parts, name: this.name, dead: this.dead, by, signal }, id);
  }

  /** Waits for nobody outside: what is under way goes out again, under its key. */
  async close(): Promise<void> {
    this.#stopping.abort(new Error("the sink is closed"));
    this.#endPause?.(false);
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock } = this.#parts.environment;
    const { stalledMs } = this.#parts;
    let lookAtMs = clock.monotonicMs() + stalledMs;
    while (!this.#stopping.signal.aborted) {
      this.#isWoken = false;
      const pauseMs = await this.#turn();
      if (clock.monotonicMs() >= lookAtMs) {
        await this.#lookAround();
        lookAtMs = clock.monotonicMs() + stalledMs;
      }
      if (pauseMs > 0) await this.#pause(pauseMs);
    }
  }

  /** @returns how long to wait before the next one. */
  async #turn(): Promise<number> {
    const { environment, pollMs } = this.#parts;
    const { clock, random, logger } = environment;
    const sinceMs = clock.monotonicMs();
    this.#turnSinceMs = sinceMs;
    try {
      const turn = await this.#runner.turn();
      this.#failuresInRow = 0;
      if (turn.name === "idle" && !this.#isWoken) {
        this.#isIdle = true;
        this.#behindSinceMs = undefined;
        this.#parts.onIdle();
        return pollMs;
      }
      this.#isIdle = false;
      if (turn.name !== "idle") this.#behindSinceMs ??= sinceMs;
      return turn.name === "waiting" ? turn.dueMs - clock.monotonicMs() : 0;
    } catch (error) {
      this.#turnsFailed++;
      this.#failuresInRow++;
      this.#behindSinceMs ??= sinceMs;
      const code = isHeddleError(error) ? error.code : undefined;
      logger.error("sink.turn_failed", { sink: this.name, code, error: String(error) });
      return fullJitter(this.#failuresInRow, retry, random);
    } finally {
      this.#turnSinceMs = undefined;
    }
  }

  async #lookAround(): Promise<void> {
    try {
      await this.#runner.retryStalled();
      await this.dead.dropOld();
    } catch (error) {
      const { logger } = this.#parts.environment;
      logger.warn("sink.retry_failed", { sink: this.name, error: String(error) });
    }
  }

  #pause(ms: number): Promise<void> {
    if (this.#stopping.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        this.#endPause = undefined;
        cancel();
        resolve();
      };
      const cancel = this.#parts.environment.scheduler.after(ms, end);
      this.#endPause = (isWoken) => {
        // Its breaker, or its store, decides when it is tried again.
        const isPolling = this.#failuresInRow === 0 && this.#runner.breaker.dueMs === undefined;
        if (!isWoken || isPolling) end();
      };
    });
  }
}
