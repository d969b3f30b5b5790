import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

import { expect, test } from "vitest";

import { defaultRelayLimits } from "./relay-limits.ts";

// Goal: no bound of the relay is silent.
// Method: each limit is named in code as what is counted, or here with the reason why nothing is to count.

/** Counted as the limit behind them, or no refusal at all. */
const uncounted: Readonly<Record<string, string>> = {
  upgradesPerAddressBurst: "of upgradesPerAddressPerSecond",
  requestsPerAddressBurst: "of requestsPerAddressPerSecond",
  bytesBurst: "of bytesPerSecond",
  messagesBurst: "of messagesPerSecond",
  peerBytesBurst: "of peerBytesPerSecond",
  peerFramesBurst: "of peerFramesPerSecond",
  peerAsksPerAddressBurst: "of peerAsksPerAddressPerSecond",
  catchUpBytesBurst: "of catchUpBytesPerSecond",
  catchUpCpuMsBurst: "of catchUpCpuMsPerSecond",
  clientsPerAddressPerHour: "of clientsPerAddressMax",
  newcomersPerUpdateMax: "of clientsPerDocumentMax",
  clientsPerDocumentWarning: "a line in the log",
  awarenessTakeoverMs: "in heddle_awareness_takeovers_total",
  refusalDelayMs: "refuses nobody",
  documentIdleMs: "refuses nobody",
  trialMsMin: "in heddle_updates_total as quarantined, or in heddle_trials_suspended_total",
  trialMsPerMiB: "as trialMsMin",
  trialMsMax: "as trialMsMin",
  trialHeapBytesMax: "as trialMsMin",
};

const folder = import.meta.dirname;
const code = readdirSync(folder)
  .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
  .filter((file) => file !== "relay-limits.ts")
  .map((file) => readFileSync(path.join(folder, file), "utf8"))
  .join("\n")
  // What only names them for the compiler counts nothing.
  .replaceAll(/Pick<[^>]*>|^\s*\| "\w+"/gm, "");

const names = Object.keys(defaultRelayLimits).filter((name) => name !== "limitLoopback");

test.each(names)("[RLY-13] %s is counted where it is reached", (name) => {
  expect(code.includes(`"${name}"`)).toBe(!Object.hasOwn(uncounted, name));
});

test("[RLY-13] nothing is excused that does not exist", () => {
  expect(Object.keys(uncounted).filter((name) => !names.includes(name))).toEqual([]);
});
