import { spawn, type ChildProcess } from "node:child_process";
import { setPriority } from "node:os";
import type { Readable } from "node:stream";

/** What a program sees of its parent. */
export interface ProgramPort {
  onMessage(take: (message: unknown) => void): void;
  postMessage(message: unknown): void;
  /** Three numbers that arrive at once, even if the program says nothing ever again. */
  report(first: number, second: number, third: number): void;
}

export interface ProgramOptions {
  /** Shown in the list of processes. */
  readonly name: string;
  /** Text of a function body over `require`, `setting` and `port`, a {@link ProgramPort}. */
  readonly program: string;
  readonly setting: unknown;
  /** Bound of V8's old generation, in MiB. */
  readonly heapMb: number;
  /** Priority: 0 as everybody, 19 only when nobody else wants. */
  readonly niceness?: number;
  readonly onMessage: (message: unknown) => void;
  readonly onReport?: (first: number, second: number, third: number) => void;
  /** It is gone without having been asked to go. */
  readonly onEnd: (end: ProgramEnd) => void;
}

export interface ProgramEnd {
  /** `memory`: V8 gave up. `machine`: it could not be started, or somebody else killed it. */
  readonly by: "memory" | "machine" | "program";
  readonly reason: string;
}

/** Where a child finds its pipe for reports; 0 to 2 go nowhere, 3 is the channel of messages. */
const reportFd = 4;
const reportBytes = 24;

/** A program that never comes back does not see that its parent is gone; this thread does. */
const watch = `"use strict";
const { workerData: parent } = require("node:worker_threads");
setInterval(() => process.ppid === parent || process.kill(process.pid, "SIGKILL"), 1_000);`;

/**
 * The first message is the program. A signal to the whole group is the parent's affair, and a parent that
 * is gone ends it. Should the machine run out of memory, this is what the system is to take first.
 */
const bootstrap = `"use strict";
const { writeFileSync, writeSync } = require("node:fs");
const { Worker } = require("node:worker_threads");
new Worker(${JSON.stringify(watch)}, {
  eval: true,
  execArgv: [],
  workerData: Number(process.argv[1]),
}).unref();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {});
process.on("disconnect", () => process.exit());
try { writeFileSync("/proc/self/oom_score_adj", "800"); } catch { /* only Linux has it */ }
process.once("message", ({ name, program, setting }) => {
  process.title = name;
  const record = new Float64Array(3);
  const port = {
    onMessage: (take) => void process.on("message", take),
    postMessage: (message) => void process.send(message),
    report(...numbers) {
      record.set(numbers);
      writeSync(${reportFd}, record);
    },
  };
  new Function("require", "setting", "port", program)(require, setting, port);
});`;

/**
 * A program in a process of its own. The heap limit of a worker thread does not contain memory: on one
 * allocation that is large enough, V8 ends the process that the thread is in. It knows nothing of the
 * parent: no environment, no open files.
 */
export class ProgramProcess {
  readonly #options: ProgramOptions;
  readonly #child: ChildProcess;
  readonly #closed: Promise<void>;
  #isEnding = false;
  #rest = Buffer.alloc(0);

  constructor(options: ProgramOptions) {
    const { name, program, setting, heapMb, niceness } = options;
    this.#options = options;
    const heap = `--max-old-space-size=${heapMb}`;
    this.#child = spawn(process.execPath, [heap, "-e", bootstrap, String(process.pid)], {
      stdio: ["ignore", "ignore", "ignore", "ipc", "pipe"],
      serialization: "advanced",
      // Electron is Node only when told so; Windows starts nothing without its root.
      env: { ELECTRON_RUN_AS_NODE: "1", SystemRoot: process.env["SystemRoot"] },
    });
    this.#child.on("message", (message) => {
      if (!this.#isEnding) options.onMessage(message);
    });
    const reports = this.#child.stdio[reportFd] as Readable | undefined;
    reports?.on("data", (chunk: Buffer) => this.#reported(chunk));
    this.#closed = this.#whenClosed();
    if (niceness !== undefined && niceness !== 0 && this.pid !== undefined) {
      setPriority(this.pid, niceness);
    }
    this.post({ name, program, setting });
    this.unref();
  }

  /** Not there when it could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  post(message: unknown): void {
    // Whatever keeps it from arriving ends the process, and that is told in its own way.
    if (this.#child.connected) this.#child.send(message as object, () => undefined);
  }

  /** The parent stays as long as it runs. */
  ref(): void {
    this.#child.ref();
    this.#child.channel?.ref();
  }

  unref(): void {
    this.#child.unref();
    this.#child.channel?.unref();
    (this.#child.stdio[reportFd] as { unref?(): void } | undefined)?.unref?.();
  }

  /** Ends it, whatever it is doing; nothing is told from here on. */
  end(): Promise<void> {
    this.#isEnding = true;
    this.ref();
    this.#child.kill("SIGKILL");
    return this.#closed;
  }

  #whenClosed(): Promise<void> {
    return new Promise((resolve) => {
      let failure: Error | undefined;
      const over = (end: ProgramEnd): void => {
        resolve();
        if (this.#isEnding) return;
        this.#isEnding = true;
        this.#options.onEnd(end);
      };
      this.#child.on("error", (error) => {
        failure = error;
        if (this.pid === undefined) over({ by: "machine", reason: String(error) });
      });
      // Not `exit`: what it had reported until then has arrived.
      this.#child.on("close", (code, signal) => over(endOf(code, signal, failure)));
    });
  }

  #reported(chunk: Buffer): void {
    let rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (; rest.length >= reportBytes; rest = rest.subarray(reportBytes)) {
      if (this.#isEnding) continue;
      const [first, second, third] = [0, 8, 16].map((at) => rest.readDoubleLE(at));
      this.#options.onReport?.(first!, second!, third!);
    }
    this.#rest = Buffer.from(rest);
  }
}

/** V8 ends its process in several ways when memory is short: abort, trap, or an illegal instruction. */
function endOf(
  code: number | null,
  signal: NodeJS.Signals | null,
  failure: Error | undefined,
): ProgramEnd {
  if (failure) return { by: "machine", reason: String(failure) };
  if (signal === "SIGKILL") return { by: "machine", reason: "killed" };
  const isMemory = signal !== null || code === 134;
  if (isMemory) return { by: "memory", reason: `heap limit (${signal ?? code})` };
  return { by: "program", reason: `ended with ${code}` };
}
