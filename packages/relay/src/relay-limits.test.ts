import { readFileSync } from "node:fs";

import { expect, test } from "vitest";

import { defaultRelayLimits, parseRelayLimits } from "./relay-limits.ts";

test("[RLY-7] limits are read as people write them", () => {
  expect(parseRelayLimits([])).toEqual({});
  expect(
    parseRelayLimits(["messageBytesMax=512KiB", "messagesBurst=7", "memoryBytesMax=2GiB"]),
  ).toEqual({
    messageBytesMax: 512 * 1024,
    messagesBurst: 7,
    memoryBytesMax: 2 * 1024 ** 3,
  });
});

test.each([
  ["messagesBurst", "it is not name=number"],
  ["messagesBurst=", "it is not name=number"],
  ["messagesBurst=-1", "it is not name=number"],
  ["messagesBurst=1e9", "it is not name=number"],
  ["messagesBurst=many", "it is not name=number"],
  ["mesagesBurst=1", "there is no limit of that name"],
  ["limitLoopback=1", "there is no limit of that name"],
  ["toString=1", "there is no limit of that name"],
  ["messagesBurst=1KiB", "messagesBurst is no size"],
  ["connectionsMax=0", "above zero"],
  ["messageBytesMax=17MiB", "an update has at most"],
  ["receiveBytesPerConnectionMax=1KiB", "room for one whole message"],
])("[RLY-7] --limit %s is refused with a reason", (text, reason) => {
  expect(() => parseRelayLimits([text])).toThrow(
    expect.objectContaining({
      code: "HEDDLE_CONFIG_INVALID",
      message: expect.stringContaining(reason),
    }),
  );
});

test("[RLY-9] docs/limits.md lists every limit with its default, and no other", () => {
  const page = readFileSync(new URL("../../../docs/limits.md", import.meta.url), "utf8");
  const listed = [...page.matchAll(/^\| `(\w+)` \| ([^|]+) \|/gm)].map(([, name, value]) => {
    return [name!, value!.trim()];
  });
  const { limitLoopback: _, ...bounds } = defaultRelayLimits;
  const expected = Object.entries(bounds).map(([name, value]) => [name, written(name, value)]);
  expect(listed.toSorted()).toEqual(expected.toSorted());
});

function written(name: string, value: number): string {
  if (name === "memoryBytesMax") return "three quarters of the machine's";
  const isSize = name.includes("ytes") && value >= 1_024;
  if (isSize && value % 1_048_576 === 0) return `${value / 1_048_576} MiB`;
  if (isSize && value % 1_024 === 0) return `${value / 1_024} KiB`;
  return value.toLocaleString("en");
}
