import { BenchChild, type ChildOptions } from "../child-process.ts";

/** One server under test: how it is started, and what must be known to read its figures. */
export interface ServerKind {
  readonly id: string;
  /** What it does with an update before others see it. */
  readonly durability: string;
  /** Keeps documents in its folder over a restart. */
  readonly durable: boolean;
  launch(folder: string): Promise<ServerLaunch>;
}

export interface ServerLaunch extends Pick<ChildOptions, "args" | "environment"> {
  /** Finds the URL in the line that says the server is ready. */
  readUrl(line: string): string | undefined;
}

export interface RunningServer {
  readonly url: string;
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
  const launch = await kind.launch(folder);
  const child = new BenchChild({ name: kind.id, core, ...launch });
  try {
    const url = await child.firstLine(startLimitMs, (line) => launch.readUrl(line));
    return { url, pid: child.pid, stop: () => child.stop(), kill: () => child.kill() };
  } catch (error) {
    await child.kill();
    throw error;
  }
}
