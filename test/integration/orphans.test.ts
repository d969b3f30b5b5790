import { spawn } from "node:child_process";
import path from "node:path";
import { pathToFileURL } from "node:url";

import { expect, test } from "vitest";

import { repositoryFolder } from "../processes/relay-process.ts";

const built = path.join(repositoryFolder, "packages/replica/dist/node-program-process.js");

/** Starts a program that never comes back, and says which process that is. */
const parent = `
  import { ProgramProcess } from ${JSON.stringify(pathToFileURL(built).href)};
  const child = new ProgramProcess({
    name: "heddle-test",
    program: "port.report(0, 0, 0); for (;;);",
    heapMb: 64,
    onMessage() {},
    onReport: () => console.log(child.pid),
    onEnd() {},
  });
  child.ref();`;

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test("[DOC-7] a trial that never comes back ends with the relay, even with kill -9", async () => {
  const running = spawn(process.execPath, ["--input-type=module", "-e", parent], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const pid = await new Promise<number>((resolve) => {
    running.stdout.once("data", (said: Buffer) => resolve(Number(said)));
  });
  expect(isRunning(pid)).toBe(true);
  running.kill("SIGKILL");
  await expect.poll(() => isRunning(pid), { timeout: 30_000 }).toBe(false);
});
