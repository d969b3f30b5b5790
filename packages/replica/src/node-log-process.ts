import { createRequire } from "node:module";

import type { AuditBudget } from "./audit-budget.ts";
import type {
  LogSelection,
  LogTrials,
  LogVerdict,
  SourceSummary,
  TriedEnvelope,
} from "./log-trials.ts";
import { logProgram, type LogAnswer, type LogJob, type LogSetting } from "./node-log-program.ts";
import { ProgramProcess } from "./node-program-process.ts";

export interface LogProcessOptions {
  readonly budget: AuditBudget;
  readonly heapMb: number;
  readonly depthMax: number;
  /** Payloads that one log may have here. */
  readonly logBytesMax: number;
}

type JobOf<Job> = Job extends LogJob ? Omit<Job, "id"> : never;

interface Waiting {
  readonly settle: (answer: unknown) => void;
  readonly fail: (error: Error) => void;
  readonly cancel: () => void;
}

/**
 * An attempt ends itself between two updates. This is for one that does not come back: a single update
 * that Yjs never ends with, or a machine too busy to tell.
 */
const attemptMsMax = 300_000;

/** A process of its own for one log that is under audit; gone when the audit is over. */
export class LogProcess implements LogTrials {
  readonly #options: LogProcessOptions;
  readonly #process: ProgramProcess;
  readonly #waiting = new Map<number, Waiting>();
  #jobs = 0;
  #bytes = 0;
  #end: { readonly outcome: "memory" | "unknown"; readonly reason: string } | undefined;

  constructor(options: LogProcessOptions) {
    this.#options = options;
    const { heapMb, depthMax, budget } = options;
    const yjsPath = createRequire(import.meta.url).resolve("yjs");
    const setting: LogSetting = { yjsPath, depthMax, keptBytesMax: 0, budget };
    this.#process = new ProgramProcess({
      name: "heddle-audit",
      program: logProgram,
      setting,
      heapMb,
      onMessage: (answer) => this.#answered(answer as LogAnswer),
      onEnd: ({ by, reason }) => this.#stop(by === "memory" ? "memory" : "unknown", reason),
    });
  }

  async add(envelopes: readonly TriedEnvelope[]): Promise<void> {
    for (const { payload } of envelopes) this.#bytes += payload.length;
    if (this.#bytes > this.#options.logBytesMax) {
      this.#stop("unknown", `a log of more than ${this.#options.logBytesMax} bytes`);
      await this.#process.end();
      return;
    }
    await this.#ask({ kind: "add", envelopes });
  }

  async sources(): Promise<readonly SourceSummary[]> {
    return ((await this.#ask({ kind: "sources" })) ?? []) as readonly SourceSummary[];
  }

  async attempt(selection: LogSelection): Promise<LogVerdict> {
    const verdict = (await this.#ask({ kind: "attempt", selection })) as LogVerdict | undefined;
    if (verdict !== undefined) return verdict;
    const { outcome, reason } = this.#end!;
    return outcome === "memory" ? { outcome, reason, place: undefined } : { outcome, reason };
  }

  async close(): Promise<void> {
    this.#stop("unknown", "the audit is over");
    await this.#process.end();
  }

  /** What the process says; nothing when it is gone. */
  #ask(job: JobOf<LogJob>): Promise<unknown> {
    if (this.#end) return Promise.resolve(undefined);
    const id = ++this.#jobs;
    return new Promise((settle, fail) => {
      const timer = setTimeout(() => {
        this.#stop("unknown", `no answer in ${attemptMsMax} ms`);
        void this.#process.end();
      }, attemptMsMax);
      const cancel = (): void => clearTimeout(timer);
      this.#waiting.set(id, { settle, fail, cancel });
      this.#process.post({ id, ...job });
    });
  }

  #answered({ id, value, error }: LogAnswer): void {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    this.#waiting.delete(id);
    waiting.cancel();
    if (error === undefined) waiting.settle(value);
    else waiting.fail(new Error(error));
  }

  #stop(outcome: "memory" | "unknown", reason: string): void {
    this.#end ??= { outcome, reason };
    for (const { settle, cancel } of this.#waiting.values()) {
      cancel();
      settle(undefined);
    }
    this.#waiting.clear();
  }
}
