import { createRequire } from "node:module";
import { Worker } from "node:worker_threads";

import { yjsEngine } from "@heddle/document";

import { foldProgram, type FoldAnswer, type FoldSetting } from "./node-fold-program.ts";
import type { FoldJob, FoldResult, StateFolder } from "./state-folder.ts";

export interface FoldThreadOptions {
  readonly heapMb?: number;
  /** A fold that takes longer is given up. Wall time: nobody waits for it, but for ever is too long. */
  readonly foldMsMax?: number;
  /** The thread ends when it had nothing to do for so long. */
  readonly idleMs?: number;
}

interface Waiting {
  readonly job: FoldJob;
  readonly settle: (result: FoldResult) => void;
}

/** Folds in one worker thread of this process, which is there while there is something to fold. */
export class FoldThread implements StateFolder {
  readonly #options: Required<FoldThreadOptions>;
  readonly #waiting: Waiting[] = [];
  #worker: Worker | undefined;
  #running: (Waiting & { readonly id: number; readonly timer: NodeJS.Timeout }) | undefined;
  #idle: NodeJS.Timeout | undefined;
  #folds = 0;
  #isClosed = false;

  constructor(options: FoldThreadOptions = {}) {
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
    const worker = (this.#worker ??= this.#start());
    const { foldMsMax } = this.#options;
    const timer = setTimeout(() => this.#fail(`over ${foldMsMax} ms`), foldMsMax);
    this.#running = { ...next, id: ++this.#folds, timer };
    worker.ref();
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    worker.postMessage({ ...next.job, id: this.#running.id });
  }

  #start(): Worker {
    const yjsPath = createRequire(import.meta.url).resolve("yjs");
    const workerData: FoldSetting = { yjsPath, engine: `${yjsEngine.name} ${yjsEngine.version}` };
    const worker = new Worker(foldProgram, {
      eval: true,
      name: "heddle-fold",
      workerData,
      resourceLimits: { maxOldGenerationSizeMb: this.#options.heapMb },
      // Yjs warns on consoles, and what a document makes it say is not the operator's business.
      stdout: true,
      stderr: true,
    });
    worker.on("message", ({ id, result }: FoldAnswer) => {
      if (worker !== this.#worker || id !== this.#running?.id) return;
      this.#settle(result);
      this.#next();
    });
    worker.on("error", (error) => {
      if (worker === this.#worker) this.#fail(String(error));
    });
    worker.stdout.resume();
    worker.stderr.resume();
    worker.unref();
    return worker;
  }

  /** The thread is gone or has to go; the next fold gets a new one. */
  #fail(reason: string): void {
    void this.#end();
    this.#settle({ outcome: "failed", reason: reason.slice(0, 160) });
    this.#next();
  }

  #settle(result: FoldResult): void {
    const running = this.#running;
    this.#running = undefined;
    clearTimeout(running?.timer);
    this.#worker?.unref();
    running?.settle(result);
  }

  async #end(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }
}
