import { expect, test } from "vitest";

import { replayCommand } from "./replay-command.ts";
import type { ReplayArguments } from "./replay-options.ts";
import { StockRelay } from "./stock-relay.fixture.ts";
import { typewriterTrace, writeTrace } from "./traces.fixture.ts";

async function command(given: ReplayArguments) {
  const out: string[] = [];
  const err: string[] = [];
  const io = { out: (line: string) => out.push(line), err: (line: string) => err.push(line) };
  const status = await replayCommand(given, { ...io, isTTY: false });
  return { status, out, err };
}

const sound = writeTrace(typewriterTrace("warp and weft"));

test("equal is status 0 and, with --json, one object on the output", async () => {
  await using relay = await StockRelay.open();
  const { status, out, err } = await command({ trace: sound, url: relay.url, json: true });
  expect({ status, err }).toEqual({ status: 0, err: [] });
  expect(out).toHaveLength(1);
  expect(JSON.parse(out[0]!)).toMatchObject({ verdict: "equal", transactions: 13, clients: 2 });
});

test("not equal is status 1 and says where", async () => {
  await using relay = await StockRelay.open();
  const trace = writeTrace({ ...typewriterTrace("warp"), endContent: "wars" });
  const { status, out } = await command({ trace, url: relay.url, clients: "1" });
  expect(status).toBe(1);
  expect(out.join("\n")).toContain(
    "client 0 differs: 4 characters, expected 4, first difference at 3",
  );
  expect(out.at(-1)).toBe("NOT EQUAL");
});

test("the query of the address goes to the relay, the name is taken as given", async () => {
  await using relay = await StockRelay.open();
  const url = `${relay.url}/?token=shuttle`;
  const { status, out } = await command({ trace: sound, url, doc: "looms/a b", json: true });
  expect(status).toBe(0);
  expect(JSON.parse(out[0]!)).toMatchObject({ document: "looms/a b" });
});

test("a trace that does not fit its own text is wrong usage", async () => {
  await using relay = await StockRelay.open();
  const trace = writeTrace({ endContent: "a", txns: [{ patches: [[5, 0, "a"]] }] });
  const { status, err } = await command({ trace, url: relay.url });
  expect(status).toBe(2);
  expect(err.join("\n")).toContain("transaction 0 reaches to 5 of 0 characters");
});

const url = "ws://127.0.0.1:1";
test.each<[string, ReplayArguments]>([
  ["no address", { trace: sound }],
  ["an address that is no WebSocket", { trace: sound, url: "http://127.0.0.1:1" }],
  ["neither trace nor seed", { url }],
  ["both trace and seed", { url, trace: sound, synthetic: "1" }],
  ["edits of a trace", { url, trace: sound, edits: "5" }],
  ["no clients", { url, trace: sound, clients: "0" }],
  ["half a client", { url, trace: sound, clients: "1.5" }],
  ["an endless patience", { url, trace: sound, idleTimeout: "Infinity" }],
  ["a name that ends the path", { url, trace: sound, doc: "a?b" }],
  ["a file that is not there", { url, trace: "/nonexistent" }],
  ["a trace of nothing", { url, trace: writeTrace({ txns: [], endContent: "" }) }],
])("%s is wrong usage, status 2", async (_, given) => {
  const { status, out, err } = await command(given);
  expect({ status, out }).toEqual({ status: 2, out: [] });
  expect(err).toHaveLength(1);
});
