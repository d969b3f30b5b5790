import { BenchChild, type ChildOptions } from "../child-process.ts";
import type { WireKind } from "../load/wire.ts";

/** One server under test: how it is started, and what must be known to read its figures. */
export interface ServerKind {
  readonly id: string;
  readonly wire: WireKind;
  /** What it does with an update before others see it. */
  readonly durability: string;
  /** Keeps documents in its folder over a restart. */
  readonly durable: boolean;
  /** False for a server that only passes on: a client that joins late gets nothing from it. */
  readonly keepsDocuments: boolean;
  /** The only rows that it has something to say in; all that apply when missing. */
  readonly onlyRows?: readonly string[];
  launch(folder: string): Promise<ServerLaunch>;
  /** A second server that keeps itself in agreement with the one at `url`: readers connect to it. */
  launchPeer?(folder: string, url: string): Promise<ServerLaunch>;
  /** What Node is started with to have the folder of a stopped server compacted. */
  readonly compact?: (folder: string) => readonly string[];
}

export interface ServerLaunch extends Pick<ChildOptions, "args" | "environment"> {
  /** Finds the URL in the line that says the server is ready. */
  readUrl(line: string): string | undefined;
}

export interface RunningServer {
  readonly url: string;
  readonly wire: WireKind;
  readonly pid: number;
  stop(): Promise<void>;
  kill(): Promise<void>;
}

const startLimitMs = 30_000;

export async function startServer(
  kind: ServerKind,
  folder: string,
  core: number | undefined,
): Promise<RunningServer> {
  return startLaunched(kind, await kind.launch(folder), core);
}

/** Starts what is launched already: a peer of a server that runs. */
export async function startLaunched(
  kind: Pick<ServerKind, "id" | "wire">,
  launch: ServerLaunch,
  core: number | undefined,
): Promise<RunningServer> {
  const child = new BenchChild({ name: kind.id, core, ...launch });
  try {
    const url = await child.firstLine(startLimitMs, (line) => launch.readUrl(line));
    return {
      url,
      wire: kind.wire,
      pid: child.pid,
      stop: () => child.stop(),
      kill: () => child.kill(),
    };
  } catch (error) {
    await child.kill();
    throw error;
  }
}
