import { spawn } from "node:child_process";
import { once } from "node:events";

import { repositoryFolder } from "./relay-process.ts";

export interface CommandResult {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs `heddle` as people do, to its end. */
export async function runHeddle(...args: readonly string[]): Promise<CommandResult> {
  const command = ["apps/cli/bin/heddle.js", ...args];
  const child = spawn(process.execPath, command, {
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
