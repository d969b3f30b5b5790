import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

import type { StoreId } from "@heddle/core";
import { afterEach, beforeEach, expect, test } from "vitest";

import { newFolder } from "./lan-site.fixture.ts";
import { newLanCounters } from "./lan-counters.ts";
import { lanLimits } from "./lan-limits.ts";
import { StoreClaims, type StoreClaimsOptions } from "./store-claims.ts";

// Goal: a store has one device, and what is kept of that harms nobody when it is lost.

const own = storeOf("0");
const [ada, bo] = ["a".repeat(64), "b".repeat(64)];

function storeOf(digit: string): StoreId {
  return digit.repeat(32) as StoreId;
}

let temporary: ReturnType<typeof newFolder>;
let trusted: Set<string>;
let warned: unknown[];
beforeEach(() => {
  temporary = newFolder();
  trusted = new Set([ada, bo]);
  warned = [];
});
afterEach(() => temporary.remove());

function open() {
  const counters = newLanCounters();
  const file = path.join(temporary.folder, "stores.json");
  const logger = { warn: (_event: string, fields: unknown) => warned.push(fields) };
  const paired = {
    trusted: (device: string) => (trusted.has(device) ? { fingerprint: device } : undefined),
  };
  const options = { file, own, paired, counters, logger } as unknown as StoreClaimsOptions;
  return { claims: new StoreClaims(options), counters, file };
}

test("[LAN-3] a store is of the device that named it first, over restarts, until it is trusted no more", async () => {
  const first = open();
  expect(first.claims.admit(ada, storeOf("1"))).toBe(true);
  expect(first.claims.admit(bo, storeOf("1"))).toBe(false);
  await first.claims.flush();
  const { claims, counters, file } = open();
  for (const store of [storeOf("1"), own, storeOf("1")])
    expect(claims.admit(bo, store)).toBe(false);
  expect(claims.claimOf(bo)).toMatchObject({ fingerprint: ada });
  expect(claims.admit(ada, storeOf("1"))).toBe(true);
  expect(counters.storesRefused).toBe(3);
  // Said once of each start.
  expect(warned).toHaveLength(2);
  trusted.delete(ada);
  expect(claims.admit(bo, storeOf("1"))).toBe(true);
  expect(claims.claimOf(bo)).toBeUndefined();
  await claims.flush();
  expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({
    format: "heddle-lan-stores/1",
    stores: { [bo]: [storeOf("1")] },
  });
});

test("[LAN-3] a device may come with another store, and has so many at a time", () => {
  const { claims } = open();
  const stores = Array.from({ length: lanLimits.storesPerDeviceMax + 1 }, (_, index) => {
    return storeOf(String(index + 1));
  });
  for (const store of stores) expect(claims.admit(ada, store)).toBe(true);
  const free = stores.filter((store) => claims.admit(bo, store));
  expect(free).toEqual([stores[0]]);
});

test.each([
  "",
  "{}",
  `{"format":"heddle-lan-stores/1","stores":{"${bo}":["11"],"x":["${storeOf("1")}"],"${ada}":7}}`,
  `{"format":"heddle-lan-stores/2","stores":{"${bo}":["${storeOf("1")}"]}}`,
])("[LAN-3] notes that cannot be read are none: %s", (text) => {
  const { file } = open();
  writeFileSync(file, text);
  expect(open().claims.admit(ada, storeOf("1"))).toBe(true);
});
