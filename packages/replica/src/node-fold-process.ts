import { createRequire } from "node:module";

import { yjsEngine } from "@heddle/document";

import { foldProgram, type FoldAnswer, type FoldSetting } from "./node-fold-program.ts";
import { ProgramProcess } from "./node-program-process.ts";
import type { FoldJob, FoldResult, StateFolder } from "./state-folder.ts";

/** Bounds of the process that folds logs. */
export interface FoldProcessOptions {
  readonly heapMb?: number;
  /** A fold that takes longer is given up. Wall time: nobody waits for it, but for ever is too long. */
  readonly foldMsMax?: number;
  /** The process ends when it had nothing to do for so long. */
  readonly idleMs?: number;
}

interface Waiting {
  readonly job: FoldJob;
  readonly settle: (result: FoldResult) => void;
}

/** Folds in one process of its own, which is there while there is something to fold. */
export class FoldProcess implements StateFolder {
  readonly #options: Required<FoldProcessOptions>;
  readonly #waiting: Waiting[] = [];
  #process: ProgramProcess | undefined;
  #running: (Waiting & { readonly id: number; readonly timer: NodeJS.Timeout }) | undefined;
  #idle: NodeJS.Timeout | undefined;
  #folds = 0;
  #isClosed = false;

  constructor(options: FoldProcessOptions = {}) {
    this.#options = { heapMb: 1024, foldMsMax: 120_000, idleMs: 2_000, ...options };
  }

  fold(job: FoldJob): Promise<FoldResult> {
    if (this.#isClosed) return Promise.resolve({ outcome: "failed", reason: "closed" });
    return new Promise((settle) => {
      this.#waiting.push({ job, settle });
      this.#next();
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { settle } of this.#waiting.splice(0)) {
      settle({ outcome: "failed", reason: "closed" });
    }
    this.#settle({ outcome: "failed", reason: "closed" });
    await this.#end();
  }

  #next(): void {
    if (this.#running !== undefined) return;
    clearTimeout(this.#idle);
    const next = this.#waiting.shift();
    if (next === undefined) {
      this.#idle = setTimeout(() => void this.#end(), this.#options.idleMs).unref();
      return;
    }
    const folding = (this.#process ??= this.#start());
    const { foldMsMax } = this.#options;
    const timer = setTimeout(() => this.#fail(`over ${foldMsMax} ms`), foldMsMax);
    this.#running = { ...next, id: ++this.#folds, timer };
    folding.ref();
    folding.post({ ...next.job, id: this.#running.id });
  }

  #start(): ProgramProcess {
    const yjsPath = createRequire(import.meta.url).resolve("yjs");
    const setting: FoldSetting = { yjsPath, engine: `${yjsEngine.name} ${yjsEngine.version}` };
    const folding: ProgramProcess = new ProgramProcess({
      name: "heddle-fold",
      program: foldProgram,
      setting,
      heapMb: this.#options.heapMb,
      onMessage: (message) => {
        const { id, result } = message as FoldAnswer;
        if (folding !== this.#process || id !== this.#running?.id) return;
        this.#settle(result);
        this.#next();
      },
      onEnd: ({ reason }) => {
        if (folding === this.#process) this.#fail(reason);
      },
    });
    return folding;
  }

  /** The process is gone or has to go; the next fold gets a new one. */
  #fail(reason: string): void {
    void this.#end();
    this.#settle({ outcome: "failed", reason: reason.slice(0, 160) });
    this.#next();
  }

  #settle(result: FoldResult): void {
    const running = this.#running;
    this.#running = undefined;
    clearTimeout(running?.timer);
    this.#process?.unref();
    running?.settle(result);
  }

  async #end(): Promise<void> {
    const folding = this.#process;
    this.#process = undefined;
    await folding?.end();
  }
}
