import { createRequire } from "node:module";
import { Worker } from "node:worker_threads";

import type { FailedTrial, Trial, Verdict } from "./apply-judge.ts";
import { threadCpuMs } from "./node-thread-cpu.ts";
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
}

interface Waiting {
  readonly trial: Trial;
  readonly settle: (verdict: Verdict) => void;
}

/** A trial under way, and how its time is counted. */
interface Running extends Waiting {
  readonly id: number;
  readonly progress: Int32Array;
  readonly stepMs: Float64Array;
  phase: number;
  phaseStart: Reading;
  baseMs: number;
}

/** CPU time where the system tells it, and wall time. */
interface Reading {
  readonly cpuMs: number | undefined;
  readonly wallMs: number;
}

/** How often a running trial is looked at: what a time-out may be late by. */
const watchMs = 20;
/** Loading what is in the log already; far more than any document that clients could still open. */
const baseMsMax = 60_000;
/** Wall time may pass without the thread being at fault, but not without bound. */
const wallFactorMax = 20;

/**
 * One worker thread that tries updates, one trial at a time. It is started when it is needed, ended
 * when it has been idle, and killed when a trial is over its bounds; the next trial gets a new one.
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
    const { key, base, steps } = next.trial;
    const progress = new SharedArrayBuffer(8);
    const stepMs = new SharedArrayBuffer(8 * steps.length);
    const job: TrialJob = { id: ++this.#trials, key, base, steps, progress, stepMs };
    const worker = (this.#worker ??= this.#start());
    this.#running = {
      ...next,
      id: job.id,
      progress: new Int32Array(progress),
      stepMs: new Float64Array(stepMs),
      phase: Phase.base,
      phaseStart: this.#read(),
      baseMs: 0,
    };
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    worker.postMessage(job);
    worker.ref();
    this.#watch = setInterval(() => this.#look(), watchMs);
  }

  #start(): Worker {
    const { heapMb, depthMax, keptBytesMax } = this.#options;
    const yjsPath = createRequire(import.meta.url).resolve("yjs");
    const workerData: TrialSetting = { yjsPath, depthMax, keptBytesMax };
    const worker = new Worker(trialProgram, {
      eval: true,
      name: "heddle-trial",
      workerData,
      resourceLimits: { maxOldGenerationSizeMb: heapMb },
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

  /** Counts the time of each phase by itself, and ends a trial that takes too long. */
  #look(): void {
    const running = this.#running;
    if (running === undefined) return;
    const phase = running.progress[0]!;
    if (phase !== running.phase) {
      if (running.phase === Phase.base) running.baseMs = this.#elapsedMs(running).usedMs;
      running.phase = phase;
      running.phaseStart = this.#read();
    }
    // The last phase loads the base too, and not from where the processor has it warm.
    const allowance = phase === Phase.late ? 3 * running.baseMs : 0;
    const maxMs = phase === Phase.base ? baseMsMax : running.trial.budgetMs + allowance;
    const { usedMs, wallMs } = this.#elapsedMs(running);
    if (usedMs > maxMs || wallMs > maxMs * wallFactorMax) {
      this.#fail("timeout", `over ${Math.round(maxMs)} ms`);
    }
  }

  #fail(outcome: FailedTrial["outcome"], reason: string): void {
    const running = this.#running;
    void this.#end();
    if (running !== undefined) this.#settle(failure(running, outcome, reason));
    this.#next();
  }

  #settle(verdict: Verdict): void {
    clearInterval(this.#watch);
    this.#worker?.unref();
    const running = this.#running;
    this.#running = undefined;
    running?.settle(verdict);
  }

  async #end(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    this.#thread = undefined;
    await worker?.terminate();
  }

  #read(): Reading {
    return { cpuMs: threadCpuMs(this.#thread), wallMs: performance.now() };
  }

  #elapsedMs({ phaseStart }: Running): { usedMs: number; wallMs: number } {
    const now = this.#read();
    const wallMs = now.wallMs - phaseStart.wallMs;
    const isTold = now.cpuMs !== undefined && phaseStart.cpuMs !== undefined;
    return { usedMs: isTold ? now.cpuMs - phaseStart.cpuMs : wallMs, wallMs };
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
