import { execFileSync } from "node:child_process";
import { readFileSync, statfsSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus, loadavg, release, totalmem } from "node:os";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Pinning } from "./pinning.ts";

/** What a reader must know to compare these figures with others. */
export interface HostInfo {
  readonly date: string;
  readonly commit: string;
  readonly cores: number;
  readonly cpu: string;
  readonly memoryGb: number;
  readonly kernel: string;
  readonly node: string;
  readonly packages: Readonly<Record<string, string>>;
  readonly pinning: Pinning | null;
  readonly dataRoot: string;
  readonly dataRootInMemory: boolean;
  readonly loadAverageAtStart: number;
}

const tmpfsMagic = 0x01021994;

export function describeHost(pinning: Pinning | undefined, dataRoot: string): HostInfo {
  return {
    date: new Date().toISOString(),
    commit: readCommit(),
    cores: cpus().length,
    cpu: cpus()[0]?.model ?? "unknown",
    memoryGb: Math.round(totalmem() / 1e9),
    kernel: release(),
    node: process.version,
    packages: readVersions(),
    pinning: pinning ?? null,
    dataRoot,
    dataRootInMemory: statfsSync(dataRoot).type === tmpfsMagic,
    loadAverageAtStart: loadavg()[0] ?? 0,
  };
}

function readVersions(): Record<string, string> {
  const here = import.meta.url;
  const stock = import.meta.resolve("@y/websocket-server/package.json");
  const persistence = pathToFileURL(createRequire(stock).resolve("y-leveldb")).href;
  return {
    "@y/websocket-server": readVersion("@y/websocket-server", here),
    "ws of @y/websocket-server": readVersion("ws", stock),
    "y-leveldb": readVersion("y-leveldb", stock),
    "level of y-leveldb": readVersion("level", persistence),
    "@hocuspocus/server": readVersion("@hocuspocus/server", here),
    ws: readVersion("ws", here),
    yjs: readVersion("yjs", here),
  };
}

/** Walks up from `from`, as Node does: `package.json` is not among every package's exports. */
function readVersion(name: string, from: string): string {
  for (const folder of createRequire(from).resolve.paths(name) ?? []) {
    try {
      const text = readFileSync(`${folder}/${name}/package.json`, "utf8");
      return (JSON.parse(text) as { version: string }).version;
    } catch {
      continue; // Not in this folder; the next one up may have it.
    }
  }
  return "not found";
}

function readCommit(): string {
  try {
    const changed = git("status", "--porcelain") === "" ? "" : ", with changes not committed";
    return git("rev-parse", "--short", "HEAD") + changed;
  } catch {
    return "no commit";
  }
}

function git(...args: string[]): string {
  const cwd = fileURLToPath(new URL(".", import.meta.url));
  return execFileSync("git", args, { cwd, encoding: "utf8", stdio: "pipe" }).trim();
}
