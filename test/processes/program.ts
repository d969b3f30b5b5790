import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const repositoryFolder = fileURLToPath(new URL("../..", import.meta.url));
/** Below the root, so that the workspaces are found; of this process, as test files run side by side. */
const programFolder = path.join(repositoryFolder, "test-results", `programs-${process.pid}`);

/** What a program is compiled with; types are checked with all other tests. */
const compilerOptions = [
  ["--module", "nodenext"],
  ["--target", "es2023"],
  ["--types", "node"],
  ["--rootDir", "test"],
  ["--ignoreConfig"],
  ["--noCheck"],
  ["--rewriteRelativeImportExtensions"],
].flat();

/**
 * Compiles a TypeScript program below `test` (`faults/store-writer-program`) for a process of its own,
 * in which the workspaces are as they were built. Returns the file to run, which stays until
 * {@link removePrograms}.
 */
export function compileProgram(name: string): string {
  const compiler = path.join(repositoryFolder, "node_modules/typescript/bin/tsc");
  const source = `test/${name}.ts`;
  const args = [compiler, source, ...compilerOptions, "--outDir", programFolder];
  execFileSync(process.execPath, args, { cwd: repositoryFolder });
  return path.join(programFolder, `${name}.js`);
}

export function removePrograms(): void {
  rmSync(programFolder, { recursive: true, force: true });
}

/** A compiled program in its own process. What it prints is read line by line. */
export class ProgramProcess {
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  readonly #lines: AsyncIterator<string>;
  /** Lines that were not taken by {@link nextLine}. */
  readonly rest: string[] = [];

  /** @param through what it is started through, and what has to become it: `ip netns exec name`. */
  constructor(file: string, args: readonly string[] = [], through: readonly string[] = []) {
    const stdio: ["pipe", "pipe", "ignore"] = ["pipe", "pipe", "ignore"];
    const [program, ...rest] = [...through, process.execPath, file, ...args];
    this.#child = spawn(program!, rest, { stdio });
    this.#closed = once(this.#child, "close");
    const reader = createInterface({ input: this.#child.stdout! });
    this.#lines = reader[Symbol.asyncIterator]();
  }

  /** `undefined` when the program has ended. */
  async nextLine(): Promise<string | undefined> {
    const { value, done } = await this.#lines.next();
    return done ? undefined : value;
  }

  write(line: string): void {
    this.#child.stdin!.write(`${line}\n`);
  }

  /** Halts it where it stands, and returns when it stands. */
  async pause(): Promise<void> {
    this.#child.kill("SIGSTOP");
    const isStopped = (): boolean => {
      const stat = readFileSync(`/proc/${this.#child.pid}/stat`, "utf8");
      return stat.slice(stat.lastIndexOf(")") + 2).startsWith("T");
    };
    while (!isStopped()) await new Promise((resolve) => setImmediate(resolve));
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** Reads all lines up to the end; the signal that ended it, `null` when it ended by itself. */
  async finish(): Promise<NodeJS.Signals | null> {
    for (let line = await this.nextLine(); line !== undefined; line = await this.nextLine()) {
      this.rest.push(line);
    }
    await this.#closed;
    return this.#child.signalCode;
  }
}
