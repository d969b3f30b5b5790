import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const repositoryFolder = fileURLToPath(new URL("../..", import.meta.url));

export interface RelayOptions {
  readonly data: string;
  /** Built page to serve. */
  readonly app?: string;
  /** 0, the default, picks a free one. A restart names the one it had. */
  readonly port?: number;
  /** As for `--limit`: `name=value`. */
  readonly limits?: readonly string[];
  /** Anything else that goes on the command line. */
  readonly flags?: readonly string[];
  /** Address to listen on; the loopback by default. */
  readonly host?: string;
  /** What the relay is started through: `ip netns exec name`. It has to become the relay. */
  readonly through?: readonly string[];
  /** Told of each line of its log, complete ones only. */
  readonly onLogLine?: (line: string) => void;
}

/** A relay as people start it, in its own process. */
export class RelayProcess implements AsyncDisposable {
  readonly url: string;
  readonly adminUrl: string | undefined;
  readonly #child: ChildProcess;

  private constructor({ url, adminUrl }: Listening, child: ChildProcess) {
    this.url = url;
    this.adminUrl = adminUrl;
    this.#child = child;
  }

  static async start({
    data,
    app,
    port = 0,
    limits = [],
    flags = [],
    host = "127.0.0.1",
    through = [],
    onLogLine,
  }: RelayOptions): Promise<RelayProcess> {
    const args = ["--host", host, "--port", String(port), "--data", data];
    if (app !== undefined) args.push("--app", app);
    for (const limit of limits) args.push("--limit", limit);
    const heddle = [process.execPath, "apps/cli/bin/heddle.js", "relay", ...args, ...flags];
    const [program, ...rest] = [...through, ...heddle, "--json"];
    const child = spawn(program!, rest, {
      cwd: repositoryFolder,
      stdio: ["ignore", "pipe", "pipe"],
    });
    if (onLogLine) createInterface({ input: child.stderr }).on("line", onLogLine);
    try {
      return new RelayProcess(await listening(child), child);
    } catch (error) {
      child.kill("SIGKILL");
      throw error;
    }
  }

  /** What `/readyz` says; needs `--admin-port`. */
  async ready(): Promise<string> {
    return await (await fetch(`${this.adminUrl}/readyz`)).text();
  }

  async metrics(): Promise<string> {
    return await (await fetch(`${this.adminUrl}/metrics`)).text();
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** Resident memory, as Linux counts it. */
  get memoryBytes(): number {
    const pages = readFileSync(`/proc/${this.#child.pid}/statm`, "utf8").split(" ")[1];
    return Number(pages) * 4_096;
  }

  /** No last words: as when the machine loses power, short of the disk. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end("SIGTERM");
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    if (!this.isRunning) return;
    const exited = once(this.#child, "exit");
    this.#child.kill(signal);
    await exited;
  }
}

interface Listening {
  readonly url: string;
  readonly adminUrl?: string;
}

async function listening(child: ChildProcess): Promise<Listening> {
  let complaints = "";
  child.stderr?.on("data", (chunk: Buffer) => (complaints += chunk.toString()));
  if (child.stdout === null) throw new Error("the relay has no standard output");
  for await (const line of createInterface({ input: child.stdout })) {
    const { event, url, adminUrl } = parseEvent(line);
    if (event === "relay.listening" && url !== undefined) {
      child.stdout.resume();
      return { url, ...(adminUrl && { adminUrl }) };
    }
  }
  throw new Error(`the relay ended before it listened:\n${complaints}`);
}

function parseEvent(line: string): Partial<Listening> & { event?: string } {
  try {
    return JSON.parse(line) as Partial<Listening> & { event?: string };
  } catch {
    return {}; // Not an event: something that a person was meant to read.
  }
}
