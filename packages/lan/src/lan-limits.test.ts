import { readFileSync } from "node:fs";

import { expect, test } from "vitest";

import { lanLimits } from "./lan-limits.ts";

test("[LAN-4] docs/lan.md lists every bound with its value, and no other", () => {
  const page = readFileSync(new URL("../../../docs/lan.md", import.meta.url), "utf8");
  const listed = [...page.matchAll(/^\| `(\w+)` \| ([\d,]+) \|/gm)].map(([, name, value]) => {
    return [name, Number(value!.replaceAll(",", ""))];
  });
  expect(Object.fromEntries(listed)).toEqual(lanLimits);
});
