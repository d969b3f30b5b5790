import { createRequire } from "node:module";

import type { FailedTrial, Trial, Verdict } from "./apply-judge.ts";
import { TrialClock } from "./node-trial-clock.ts";
import {
  Phase,
  phasesMax,
  trialProgram,
  type TrialAnswer,
  type TrialProgress,
  type TrialJob,
  type TrialSetting,
} from "./node-trial-program.ts";
import { ProgramProcess, type ProgramEnd } from "./node-program-process.ts";

export interface TrialProcessOptions {
  readonly heapMb: number;
  readonly queueMax: number;
  readonly idleMs: number;
  readonly depthMax: number;
  readonly keptBytesMax: number;
  /** Priority of the process: 0 as everybody, 19 only when nobody else wants. */
  readonly niceness: number;
}

interface Waiting {
  readonly trial: Trial;
  readonly settle: (verdict: Verdict) => void;
}

/** A trial under way. */
interface Running extends Waiting {
  readonly id: number;
  /** What the process said last: phase, index of the step. */
  readonly progress: { phase: number; index: number };
  readonly stepMs: number[];
  readonly clock: TrialClock;
}

type ToldAnswer = TrialAnswer & { readonly progress: TrialProgress };

/** How often a running trial is looked at: what a time-out may be late by. */
const watchMs = 20;
/**
 * One process that tries updates, one trial at a time. It is started when it is needed, ended
 * when it has been idle, and killed when a trial is over its bounds; the next trial gets a new one.
 * A trial that wants to be alone gets one before and leaves none behind.
 */
export class TrialProcess {
  readonly #options: TrialProcessOptions;
  readonly #waiting: Waiting[] = [];
  #process: ProgramProcess | undefined;
  #running: Running | undefined;
  #watch: NodeJS.Timeout | undefined;
  #idle: NodeJS.Timeout | undefined;
  #trials = 0;
  #isClosed = false;

  constructor(options: TrialProcessOptions) {
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
    const { key, version, alone, base, steps } = next.trial;
    const job: TrialJob = { id: ++this.#trials, key, version, base, steps };
    if (alone) void this.#end();
    const trying = (this.#process ??= this.#start(alone?.share ?? 1));
    // The program runs in the first thread of its process.
    const thread = trying.pid === undefined ? undefined : `${trying.pid}/task/${trying.pid}`;
    this.#running = {
      ...next,
      id: job.id,
      progress: { phase: Phase.base, index: 0 },
      stepMs: steps.map(() => 0),
      clock: new TrialClock(next.trial, () => thread),
    };
    trying.post(job);
    trying.ref();
    this.#watch = setInterval(() => this.#look(), watchMs);
  }

  #start(heapShare: number): ProgramProcess {
    const { heapMb, depthMax, keptBytesMax, niceness } = this.#options;
    const yjsPath = createRequire(import.meta.url).resolve("yjs");
    const setting: TrialSetting = { yjsPath, depthMax, keptBytesMax };
    const trying: ProgramProcess = new ProgramProcess({
      name: "heddle-trial",
      program: trialProgram,
      setting,
      heapMb: Math.ceil(heapMb * heapShare),
      niceness,
      onMessage: (answer) => {
        if (trying === this.#process) this.#answered(answer as ToldAnswer);
      },
      onReport: (phase, index, ms) => {
        if (trying === this.#process) this.#reported(phase, index, ms);
      },
      onEnd: (end) => {
        if (trying === this.#process) this.#gone(end);
      },
    });
    return trying;
  }

  #reported(first: number, index: number, ms: number): void {
    const running = this.#running;
    const phase = first % phasesMax;
    if (running?.id !== (first - phase) / phasesMax) return;
    if (phase !== Phase.base && index > 0) running.stepMs[index - 1] = ms;
    Object.assign(running.progress, { phase, index });
  }

  #gone({ by, reason }: ProgramEnd): void {
    if (by === "memory") this.#fail("memory", reason);
    else if (by === "program") this.#fail("exception", reason);
    else this.#giveUp({ outcome: "overloaded" });
  }

  #answered({ id, outcome, reason = "", depth = 0, progress }: ToldAnswer): void {
    const running = this.#running;
    if (running?.id !== id) return;
    const { phase, index, stepMs } = progress;
    Object.assign(running.progress, { phase, index });
    for (const [step, ms] of stepMs.entries()) running.stepMs[step] = ms;
    if (outcome === "exception") this.#settle(failure(running, "exception", reason));
    else if (outcome === "unknown-base") this.#settle({ outcome });
    else this.#settle({ outcome, stepMs: [...running.stepMs], depth });
    this.#next();
  }

  /** Ends a trial that takes too long. */
  #look(): void {
    const running = this.#running;
    const exceeded = running?.clock.look(running.progress.phase);
    if (exceeded === undefined) return;
    const reason = `over ${Math.round(exceeded.maxMs)} ms`;
    if (exceeded.by === "trial") this.#fail("timeout", reason);
    else this.#giveUp({ outcome: "overloaded" });
  }

  #fail(outcome: FailedTrial["outcome"], reason: string): void {
    const running = this.#running;
    this.#giveUp(running ? failure(running, outcome, reason) : { outcome: "overloaded" });
  }

  /** Ends the process and what runs in it. */
  #giveUp(verdict: Verdict): void {
    void this.#end();
    this.#settle(verdict);
    this.#next();
  }

  #settle(verdict: Verdict): void {
    clearInterval(this.#watch);
    this.#process?.unref();
    const running = this.#running;
    this.#running = undefined;
    if (running?.trial.alone) void this.#end();
    running?.settle(verdict);
  }

  async #end(): Promise<void> {
    const trying = this.#process;
    this.#process = undefined;
    await trying?.end();
  }
}

function failure(
  { progress: { phase, index }, stepMs }: Running,
  outcome: FailedTrial["outcome"],
  reason: string,
): FailedTrial {
  const step = phase === Phase.base ? -1 : phase === Phase.steps ? index : undefined;
  return { outcome, reason: reason.slice(0, 200), step, stepMs: [...stepMs] };
}
