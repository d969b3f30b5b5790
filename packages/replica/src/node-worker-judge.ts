import type { ApplyJudge, Trial, Verdict } from "./apply-judge.ts";
import type { AuditBudget } from "./audit-budget.ts";
import type { LogTrials } from "./log-trials.ts";
import { LogThread } from "./node-log-thread.ts";
import { TrialThread, type TrialThreadOptions } from "./node-trial-thread.ts";

export type WorkerJudgeOptions = Partial<TrialThreadOptions>;

const defaults: TrialThreadOptions = {
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

/** Tries updates in two worker threads of this process: one for updates that somebody waits for. */
export class WorkerJudge implements ApplyJudge {
  readonly #options: TrialThreadOptions;
  readonly #urgent: TrialThread;
  readonly #idle: TrialThread;

  constructor(options: WorkerJudgeOptions = {}) {
    this.#options = { ...defaults, ...options };
    this.#urgent = new TrialThread(this.#options);
    this.#idle = new TrialThread(this.#options);
  }

  judge(trial: Trial): Promise<Verdict> {
    return (trial.urgency === "urgent" ? this.#urgent : this.#idle).judge(trial);
  }

  openLog(budget: AuditBudget): LogTrials {
    const { heapMb, depthMax } = this.#options;
    return new LogThread({ budget, heapMb, depthMax, logBytesMax });
  }

  async close(): Promise<void> {
    await Promise.all([this.#urgent.close(), this.#idle.close()]);
  }
}
