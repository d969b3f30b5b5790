import { describe, expect, test } from "vitest";

import { ProgramProcess, type ProgramEnd } from "./node-program-process.ts";

/** Runs `program` until it says `done` or is gone. */
async function run(program: string, setting: unknown = undefined) {
  const reports: number[][] = [];
  let process: ProgramProcess | undefined;
  const end = await new Promise<ProgramEnd | "done">((resolve) => {
    process = new ProgramProcess({
      name: "heddle-test",
      program,
      setting,
      heapMb: 64,
      onMessage: (message) => message === "done" && resolve("done"),
      onReport: (...numbers) => reports.push(numbers),
      onEnd: resolve,
    });
    process.ref();
  });
  await process!.end();
  return { end, reports };
}

describe("[DOC-7] memory that runs out in a trial ends that process and nothing else", () => {
  // In a worker thread, all of these but the last end the process that the thread is in.
  test.each([
    ["an array that grows", "const a = []; for (;;) a.push(a.length);"],
    [
      "an array of a claimed length",
      "const a = []; for (;;) a.push(new Array(10_000_000).fill(1));",
    ],
    ["a map that grows", "const m = new Map(); for (let i = 0; ; i++) m.set(i, i);"],
    ["slices", "let a = new Array(1_000_000).fill(1), all = []; for (;;) all.push(a.slice());"],
    ["concatenation", "let a = [1]; for (;;) a = a.concat(a);"],
    ["strings", "const all = []; for (let i = 0; ; i++) all.push('x'.repeat(1000).split(''));"],
  ])("%s", async (_, program) => {
    const { end } = await run(`port.report(1, 7, 0.5); ${program}`);
    expect(end).toMatchObject({ by: "memory" });
  });
});

test("what was reported before the end has arrived", async () => {
  const program =
    "for (let i = 0; i < 1_000; i++) port.report(1, i, 0.5); throw new Error('over');";
  const { end, reports } = await run(program);
  expect(end).toMatchObject({ by: "program" });
  expect(reports).toHaveLength(1_000);
  expect(reports.at(-1)).toEqual([1, 999, 0.5]);
});

test("somebody else who kills it is not the program's fault", async () => {
  expect((await run("process.kill(process.pid, 'SIGKILL')")).end).toMatchObject({ by: "machine" });
});

test("it knows its setting, and nothing of the environment", async () => {
  process.env["HEDDLE_TEST_SECRET"] = "secret";
  const program = `
    const isAlone = process.env.HEDDLE_TEST_SECRET === undefined;
    if (isAlone && setting.bytes[1] === 2) port.postMessage("done");`;
  expect((await run(program, { bytes: new Uint8Array([1, 2]) })).end).toBe("done");
  delete process.env["HEDDLE_TEST_SECRET"];
});

test("signals to the whole group are its parent's affair", async () => {
  const program = `
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.kill(process.pid, signal);
    setTimeout(() => port.postMessage("done"), 50);`;
  expect((await run(program)).end).toBe("done");
});
