import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const repositoryFolder = fileURLToPath(new URL("../..", import.meta.url));

export interface RelayOptions {
  readonly data: string;
  /** Built page to serve. */
  readonly app?: string;
  /** 0, the default, picks a free one. A restart names the one it had. */
  readonly port?: number;
}

/** A relay as people start it, in its own process. */
export class RelayProcess implements AsyncDisposable {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(url: string, child: ChildProcess) {
    this.url = url;
    this.#child = child;
  }

  static async start({ data, port = 0 }: RelayOptions): Promise<RelayProcess> {
    const flags = { host: "127.0.0.1", port: String(port), data, app: "apps/notes/dist" };
    const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]);
    const child = spawn(process.execPath, ["apps/cli/bin/heddle.js", "relay", ...args, "--json"], {
      cwd: repositoryFolder,
      stdio: ["ignore", "pipe", "pipe"],
    });
    try {
      return new RelayProcess(await listeningUrl(child), child);
    } catch (error) {
      child.kill("SIGKILL");
      throw error;
    }
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** No last words: as when the machine loses power, short of the disk. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end("SIGTERM");
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.kill(signal);
    await exited;
  }
}

async function listeningUrl(child: ChildProcess): Promise<string> {
  let complaints = "";
  child.stderr?.on("data", (chunk: Buffer) => (complaints += chunk.toString()));
  if (child.stdout === null) throw new Error("the relay has no standard output");
  for await (const line of createInterface({ input: child.stdout })) {
    const { event, url } = parseEvent(line);
    if (event === "relay.listening" && url !== undefined) {
      child.stdout.resume();
      return url;
    }
  }
  throw new Error(`the relay ended before it listened:\n${complaints}`);
}

function parseEvent(line: string): { event?: string; url?: string } {
  try {
    return JSON.parse(line) as { event?: string; url?: string };
  } catch {
    return {}; // Not an event: something that a person was meant to read.
  }
}
