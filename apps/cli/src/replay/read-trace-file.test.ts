import { writeFileSync } from "node:fs";

import { HeddleErrorCode } from "@heddle/core";
import { describe, expect, test } from "vitest";

import { parseTrace } from "./parse-trace.ts";
import { readTraceFile } from "./read-trace-file.ts";
import { findRecordedTrace, writeTrace } from "./traces.fixture.ts";

const badTrace = expect.objectContaining({ code: HeddleErrorCode.configInvalid });

describe("parseTrace", () => {
  test("makes each transaction of a sequential trace build on the one before", () => {
    const txns = [{ patches: [[0, 0, "ab"]] }, { patches: [[1, 1, "x"]] }];
    const trace = parseTrace({ startContent: "", endContent: "ax", txns }, "tiny");
    expect(trace.agents).toBe(1);
    expect(trace.transactions.map(({ parents }) => parents)).toEqual([[], [0]]);
  });

  test("turns a start content into a first transaction that all others build on", () => {
    const txns = [
      { agent: 0, parents: [], patches: [[0, 0, "a"]] },
      { agent: 1, parents: [], patches: [[0, 0, "b"]] },
      { agent: 1, parents: [0, 1], patches: [[0, 0, "c"]] },
    ];
    const trace = parseTrace({ startContent: "start", endContent: "", txns }, "tiny");
    expect(trace.agents).toBe(2);
    expect(trace.transactions[0]!.patches).toEqual([[0, 0, "start"]]);
    expect(trace.transactions.map(({ parents }) => parents)).toEqual([[], [0], [0], [1, 2]]);
  });

  const sound = { agent: 0, parents: [], patches: [] };
  test.each([
    ["not an object", []],
    ["no end content", { txns: [sound] }],
    ["no transactions", { endContent: "", txns: [] }],
    ["a start content that is no text", { endContent: "", startContent: 7, txns: [sound] }],
    ["a transaction that is no object", { endContent: "", txns: [null] }],
    ["a patch of two", { endContent: "", txns: [{ patches: [[0, 0]] }] }],
    ["a negative position", { endContent: "", txns: [{ patches: [[-1, 0, ""]] }] }],
    ["a fractional position", { endContent: "", txns: [{ patches: [[0.5, 0, ""]] }] }],
    ["a surrogate pair", { endContent: "", txns: [{ patches: [[0, 0, "🧵"]] }] }],
    ["a parent that is itself", { endContent: "", txns: [{ ...sound, parents: [0] }] }],
    ["an agent that is no number", { endContent: "", txns: [{ ...sound, agent: "a" }] }],
    ["an absurd agent", { endContent: "", txns: [{ ...sound, agent: 1e9 }] }],
    ["agents that come and go", { endContent: "", txns: [sound, { patches: [] }] }],
  ])("refuses %s", (_, json) => {
    expect(() => parseTrace(json, "bad")).toThrow(badTrace);
  });
});

describe("readTraceFile", () => {
  test("reads gzip and names the trace after the file", async () => {
    const trace = await readTraceFile(writeTrace({ endContent: "", txns: [{ patches: [] }] }));
    expect(trace.name).toBe("trace");
  });

  test("stops inflating at the cap", async () => {
    const bomb = writeTrace({ endContent: "a".repeat(100_000), txns: [{ patches: [] }] });
    await expect(readTraceFile(bomb, 50_000)).rejects.toThrow(badTrace);
    await expect(readTraceFile(bomb, 50_000)).rejects.toThrow(/more than 50000 bytes/);
    await expect(readTraceFile(bomb, 150_000)).resolves.toMatchObject({ agents: 1 });
  });

  test("refuses a missing file, a torn one and one that is not JSON", async () => {
    const torn = writeTrace({ endContent: "", txns: [{ patches: [] }] });
    writeFileSync(torn, Uint8Array.of(0x1f, 0x8b, 8, 0, 0));
    const noJson = writeTrace("");
    writeFileSync(noJson, "txns: none");
    for (const path of ["/nonexistent.json.gz", torn, noJson]) {
      await expect(readTraceFile(path)).rejects.toThrow(badTrace);
    }
  });

  const recorded = findRecordedTrace("friendsforever");
  test.skipIf(recorded === undefined)("reads a recorded concurrent trace", async () => {
    const trace = await readTraceFile(recorded!);
    expect(trace).toMatchObject({ name: "friendsforever", agents: 2 });
    expect(trace.transactions).toHaveLength(26_078);
    expect(trace.endContent).toHaveLength(21_362);
  });
});
