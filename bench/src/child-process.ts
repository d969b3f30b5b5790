import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { pinnedNode } from "./pinning.ts";

const stopGraceMs = 5_000;
const errorTailChars = 600;

/** Every child that runs now; none may outlive the bench. */
const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export interface ChildOptions {
  readonly name: string;
  readonly core: number | undefined;
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** A Node process of the bench: its lines, its end, and its last words when it ends badly. */
export class BenchChild {
  readonly pid: number;
  readonly #name: string;
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;
  #errorTail = "";

  constructor(options: ChildOptions) {
    this.#name = options.name;
    const [command, args] = pinnedNode(options.core, options.args);
    this.#process = spawn(command, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, NODE_ENV: "production", ...options.environment },
    });
    if (this.#process.pid === undefined) throw new Error(`${options.name} could not be started`);
    this.pid = this.#process.pid;
    running.add(this.#process);
    this.#ended = once(this.#process, "close").finally(() => running.delete(this.#process));
    this.#process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#errorTail = (this.#errorTail + text).slice(-errorTailChars);
    });
  }

  /** Hands each line of standard output to `take` until it returns a value; fails when the child ends first. */
  async firstLine<T>(limitMs: number, take: (line: string) => T | undefined): Promise<T> {
    const lines = createInterface({ input: this.#process.stdout! });
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<T>((resolve, reject) => {
        const fail = (why: string): void =>
          reject(new Error(`${this.#name} ${why} ${this.#errorTail}`.trim()));
        timer = setTimeout(() => fail(`said nothing useful for ${limitMs} ms`), limitMs);
        lines.on("line", (line) => {
          const value = take(line);
          if (value !== undefined) resolve(value);
        });
        void this.#ended.then(() => fail("ended"));
      });
    } finally {
      clearTimeout(timer);
      lines.close();
      this.#process.stdout?.resume();
    }
  }

  /** Asks it to end, and ends it if it does not. */
  async stop(): Promise<void> {
    this.#process.kill("SIGTERM");
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), stopGraceMs);
    await this.#ended;
    clearTimeout(timer);
  }

  /** kill -9: no handler runs, nothing is flushed. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#ended;
  }
}

/** Runs a Node process to its end. @throws Error when it ends badly. */
export async function run(options: ChildOptions): Promise<void> {
  const [command, args] = pinnedNode(options.core, options.args);
  const child = spawn(command, args, {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, NODE_ENV: "production", ...options.environment },
  });
  running.add(child);
  const [status] = await once(child, "close").finally(() => running.delete(child));
  if (status !== 0) throw new Error(`${options.name} ended with ${String(status)}`);
}
