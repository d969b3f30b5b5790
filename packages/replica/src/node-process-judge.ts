import type { ApplyJudge, Trial, Verdict } from "./apply-judge.ts";
import type { AuditBudget } from "./audit-budget.ts";
import type { LogTrials } from "./log-trials.ts";
import { LogProcess } from "./node-log-process.ts";
import { TrialProcess, type TrialProcessOptions } from "./node-trial-process.ts";

/** Bounds of the processes that try updates. */
export type ProcessJudgeOptions = Partial<Omit<TrialProcessOptions, "niceness">>;

const defaults: Omit<TrialProcessOptions, "niceness"> = {
  heapMb: 512,
  queueMax: 64,
  idleMs: 15_000,
  // As within one update: a client may send all of a document at once. Yjs deletes recursively, and
  // overflows the stack of a browser at about 4,100 levels.
  depthMax: 256,
  keptBytesMax: 8 * 1024 * 1024,
};

/** Payloads of one log under audit; a larger one is not searched for whom to blame. */
const logBytesMax = 256 * 1024 * 1024;

/** What may take long gives way to those who type, and to trials that are over soon. Audits compare times. */
const lowNiceness = 5;

/**
 * Tries updates in processes of their own, one for each urgency: what takes long, and what
 * nobody waits for, never stands before what is over soon. There are as many as have work, at
 * most three beside this one. What takes long runs at low priority, so that on two processors the
 * main thread and the quick one get theirs.
 */
export class ProcessJudge implements ApplyJudge {
  readonly #options: Omit<TrialProcessOptions, "niceness">;
  readonly #lanes: Readonly<Record<Trial["urgency"], TrialProcess>>;

  constructor(options: ProcessJudgeOptions = {}) {
    this.#options = { ...defaults, ...options };
    const lane = (niceness: number): TrialProcess => {
      return new TrialProcess({ ...this.#options, niceness });
    };
    this.#lanes = { urgent: lane(0), bulk: lane(lowNiceness), idle: lane(0) };
  }

  judge(trial: Trial): Promise<Verdict> {
    return this.#lanes[trial.urgency].judge(trial);
  }

  openLog(budget: AuditBudget): LogTrials {
    const { heapMb, depthMax } = this.#options;
    return new LogProcess({ budget, heapMb, depthMax, logBytesMax });
  }

  async close(): Promise<void> {
    await Promise.all(Object.values(this.#lanes).map((lane) => lane.close()));
  }
}
