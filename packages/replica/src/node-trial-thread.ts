import { createRequire } from "node:module";
import { Worker } from "node:worker_threads";

import type { FailedTrial, Trial, Verdict } from "./apply-judge.ts";
import { TrialClock } from "./node-trial-clock.ts";
import {
  Phase,
  trialProgram,
  type TrialAnswer,
  type TrialJob,
  type TrialSetting,
} from "./node-trial-program.ts";

export interface TrialThreadOptions {
  readonly heapMb: number;
  readonly queueMax: number;
  readonly idleMs: number;
  readonly depthMax: number;
  readonly keptBytesMax: number;
  /** Priority of the thread where threads have one: 0 as everybody, 19 only when nobody else wants. */
  readonly niceness: number;
}

interface Waiting {
  readonly trial: Trial;
  readonly settle: (verdict: Verdict) => void;
}

/** A trial under way. */
interface Running extends Waiting {
  readonly id: number;
  readonly progress: Int32Array;
  readonly stepMs: Float64Array;
  readonly clock: TrialClock;
}

/** How often a running trial is looked at: what a time-out may be late by. */
const watchMs = 20;
/**
 * One worker thread that tries updates, one trial at a time. It is started when it is needed, ended
 * when it has been idle, and killed when a trial is over its bounds; the next trial gets a new one.
 * A trial that wants to be alone gets one before and leaves none behind.
 */
export class TrialThread {
  readonly #options: TrialThreadOptions;
  readonly #waiting: Waiting[] = [];
  #worker: Worker | undefined;
  #thread: string | undefined;
  #running: Running | undefined;
  #watch: NodeJS.Timeout | undefined;
  #idle: NodeJS.Timeout | undefined;
  #trials = 0;
  #isClosed = false;

  constructor(options: TrialThreadOptions) {
    this.#options = options;
  }

  judge(trial: Trial): Promise<Verdict> {
    if (this.#isClosed || this.#waiting.length >= this.#options.queueMax) {
      return Promise.resolve({ outcome: "overloaded" });
    }
    return new Promise((settle) => {
      this.#waiting.push({ trial, settle });
      this.#next();
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { settle } of this.#waiting.splice(0)) settle({ outcome: "overloaded" });
    this.#settle({ outcome: "overloaded" });
    await this.#end();
  }

  #next(): void {
    if (this.#running !== undefined) return;
    const next = this.#waiting.shift();
    clearTimeout(this.#idle);
    if (next === undefined) {
      this.#idle = setTimeout(() => void this.#end(), this.#options.idleMs).unref();
      return;
    }
    const { key, version, alone, isBaseOwned } = next.trial;
    const progress = new SharedArrayBuffer(8);
    const stepMs = new SharedArrayBuffer(8 * next.trial.steps.length);
    // Copied once and handed over: a clone would be made twice, once on each side.
    const base = isBaseOwned ? next.trial.base : next.trial.base?.map(copyOf);
    const steps = next.trial.steps.map(copyOf);
    const job: TrialJob = { id: ++this.#trials, key, version, base, steps, progress, stepMs };
    if (alone) void this.#end();
    const worker = (this.#worker ??= this.#start(alone?.share ?? 1));
    this.#running = {
      ...next,
      id: job.id,
      progress: new Int32Array(progress),
      stepMs: new Float64Array(stepMs),
      clock: new TrialClock(next.trial, () => this.#thread),
    };
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    worker.postMessage(
      job,
      [...(base ?? []), ...steps].map(({ buffer }) => buffer as ArrayBuffer),
    );
    worker.ref();
    this.#watch = setInterval(() => this.#look(), watchMs);
  }

  #start(heapShare: number): Worker {
    const { heapMb, depthMax, keptBytesMax, niceness } = this.#options;
    const yjsPath = createRequire(import.meta.url).resolve("yjs");
    const workerData: TrialSetting = { yjsPath, depthMax, keptBytesMax, niceness };
    const worker = new Worker(trialProgram, {
      eval: true,
      name: "heddle-trial",
      workerData,
      resourceLimits: { maxOldGenerationSizeMb: Math.ceil(heapMb * heapShare) },
      // Yjs warns on consoles, and what an update makes it say is not the operator's business.
      stdout: true,
      stderr: true,
    });
    worker.on("message", (message: TrialAnswer | { thread: string | undefined }) => {
      if (worker !== this.#worker) return;
      if ("thread" in message) this.#thread = message.thread;
      else this.#answered(message);
    });
    worker.on("error", (error) => {
      if (worker !== this.#worker) return;
      const isMemory = (error as NodeJS.ErrnoException).code === "ERR_WORKER_OUT_OF_MEMORY";
      this.#fail(isMemory ? "memory" : "exception", isMemory ? "heap limit" : String(error));
    });
    worker.stdout.resume();
    worker.stderr.resume();
    worker.unref();
    return worker;
  }

  #answered({ id, outcome, reason = "", depth = 0 }: TrialAnswer): void {
    const running = this.#running;
    if (running?.id !== id) return;
    if (outcome === "exception") this.#settle(failure(running, "exception", reason));
    else if (outcome === "unknown-base") this.#settle({ outcome });
    else this.#settle({ outcome, stepMs: [...running.stepMs], depth });
    this.#next();
  }

  /** Ends a trial that takes too long. */
  #look(): void {
    const running = this.#running;
    const exceeded = running?.clock.look(running.progress[0]!);
    if (exceeded === undefined) return;
    const reason = `over ${Math.round(exceeded.maxMs)} ms`;
    if (exceeded.by === "trial") this.#fail("timeout", reason);
    else this.#giveUp({ outcome: "overloaded" });
  }

  #fail(outcome: FailedTrial["outcome"], reason: string): void {
    const running = this.#running;
    this.#giveUp(running ? failure(running, outcome, reason) : { outcome: "overloaded" });
  }

  /** Ends the thread and what runs in it. */
  #giveUp(verdict: Verdict): void {
    void this.#end();
    this.#settle(verdict);
    this.#next();
  }

  #settle(verdict: Verdict): void {
    clearInterval(this.#watch);
    this.#worker?.unref();
    const running = this.#running;
    this.#running = undefined;
    if (running?.trial.alone) void this.#end();
    running?.settle(verdict);
  }

  async #end(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    this.#thread = undefined;
    await worker?.terminate();
  }
}

function failure(
  { progress, stepMs }: Running,
  outcome: FailedTrial["outcome"],
  reason: string,
): FailedTrial {
  const [phase = 0, index = 0] = progress;
  const step = phase === Phase.base ? -1 : phase === Phase.steps ? index : undefined;
  return { outcome, reason: reason.slice(0, 200), step, stepMs: [...stepMs] };
}

/** A plain copy, whatever kind of view it is: a Buffer's `slice` is none. */
function copyOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
