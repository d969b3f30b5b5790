import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

import { runHeddle } from "./heddle-command.ts";
import { repositoryFolder } from "./relay-process.ts";

/** What `heddle peer --json` says of itself, as far as tests look at it. */
export interface PeerState {
  readonly port: number;
  readonly documents?: number;
  readonly outbox: { readonly envelopes: number };
  readonly peers: readonly {
    readonly name: string;
    readonly state: string;
    readonly exchange?: unknown;
  }[];
  readonly pages?: {
    readonly url: string;
    readonly tokenFile?: string;
    readonly open: number;
    readonly originsRefused: number;
    readonly refused: number;
  };
  readonly counters: Readonly<Record<string, number>>;
}

/** `heddle peer` as people start it, in its own process; on loopback, where nobody is discovered. */
export class HeddlePeer implements AsyncDisposable {
  readonly data: string;
  /** Everything that it has said, oldest first. */
  readonly states: PeerState[] = [];
  readonly #child: ChildProcess;
  #complaints = "";

  private constructor(data: string, child: ChildProcess) {
    this.data = data;
    this.#child = child;
    createInterface({ input: child.stdout! }).on("line", (line) => {
      const said = JSON.parse(line) as PeerState & { readonly event: string };
      if (said.event === "peer.state") this.states.push(said);
    });
    child.stderr!.on("data", (chunk: Buffer) => (this.#complaints += chunk.toString()));
  }

  static async start(data: string, ...flags: readonly string[]): Promise<HeddlePeer> {
    const args = ["peer", "--data", data, "--no-discovery", "--json", ...flags];
    const child = spawn(process.execPath, ["apps/cli/bin/heddle.js", ...args], {
      cwd: repositoryFolder,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const peer = new HeddlePeer(data, child);
    while (peer.states.length === 0) {
      if (child.exitCode !== null) throw new Error(`it did not start: ${peer.#complaints}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return peer;
  }

  /** What it said last. */
  get state(): PeerState {
    return this.states.at(-1)!;
  }

  /** `host:port` for `--address` of another one. */
  get address(): string {
    return `127.0.0.1:${this.state.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    await exited;
  }
}

/** Pairs two data folders, as two people do with a link. */
export async function pairFolders(host: string, guest: string): Promise<void> {
  const args = ["pair", "--data", host, "--host", "127.0.0.1", "--json"];
  const child = spawn(process.execPath, ["apps/cli/bin/heddle.js", ...args], {
    cwd: repositoryFolder,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  for await (const line of createInterface({ input: child.stdout })) {
    const { event, link } = JSON.parse(line) as { readonly event: string; readonly link?: string };
    if (event !== "link") continue;
    const { status, err } = await runHeddle("pair", link!, "--data", guest);
    if (status !== 0) throw new Error(`pairing failed: ${err}`);
  }
  await exited;
}
