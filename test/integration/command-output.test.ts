import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { expect, test } from "vitest";

// Goal: what a command could not say is no success; that nobody wants to hear more is.
// Method: the command as a process, its output on a disk that is full, or with a reader who leaves.
const heddle = fileURLToPath(new URL("../../apps/cli/bin/heddle.js", import.meta.url));

test("heddle on a disk that is full says so, and ends with status 1", async () => {
  const full = openSync("/dev/full", "w");
  const command = spawn(process.execPath, [heddle, "--help"], { stdio: ["ignore", full, "pipe"] });
  closeSync(full);
  let said = "";
  command.stderr!.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const [status] = (await once(command, "close")) as [number | null];
  expect([status, said]).toEqual([1, expect.stringContaining("ENOSPC")]);
});

test("heddle with a reader who has gone ends in order, without a word", async () => {
  const command = spawn(process.execPath, [heddle, "--help"]);
  command.stdout.destroy();
  let said = "";
  command.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const [status] = (await once(command, "close")) as [number | null];
  expect([status, said]).toEqual([0, ""]);
});
