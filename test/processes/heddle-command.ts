import { spawn } from "node:child_process";
import { once } from "node:events";

import { repositoryFolder } from "./relay-process.ts";

export interface CommandResult {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs `heddle` as people do, to its end. */
export function runHeddle(...args: readonly string[]): Promise<CommandResult> {
  return runHeddleThrough([], ...args);
}

/** As {@link runHeddle}; `through` is what it is started with, `ip netns exec name`. */
export async function runHeddleThrough(
  through: readonly string[],
  ...args: readonly string[]
): Promise<CommandResult> {
  const command = [...through, process.execPath, "apps/cli/bin/heddle.js", ...args];
  const child = spawn(command[0]!, command.slice(1), {
    cwd: repositoryFolder,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
  await once(child, "close");
  return { status: child.exitCode, out, err };
}
