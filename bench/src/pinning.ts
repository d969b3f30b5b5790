import { spawnSync } from "node:child_process";

/** The cores of a run: everything under test on one, everything that asks on the other. */
export interface Pinning {
  readonly serverCore: number;
  readonly loadCore: number;
}

const wanted: Pinning = { serverCore: 0, loadCore: 1 };

/** Pinning as this machine allows it; undefined where `taskset` or the second core is missing. */
export function findPinning(): Pinning | undefined {
  for (const core of [wanted.serverCore, wanted.loadCore]) {
    if (spawnSync("taskset", ["-c", String(core), "true"]).status !== 0) return undefined;
  }
  return wanted;
}

/** The command line that runs Node on one core. `taskset` becomes Node, so the process id stays the same. */
export function pinnedNode(core: number | undefined, args: readonly string[]): [string, string[]] {
  if (core === undefined) return [process.execPath, [...args]];
  return ["taskset", ["-c", String(core), process.execPath, ...args]];
}
