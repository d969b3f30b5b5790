import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { addressText, parseAddress } from "./address.ts";
import { KnownAddresses } from "./known-addresses.ts";
import { newFolder } from "./lan-site.fixture.ts";
import { lanLimits } from "./lan-limits.ts";

const ada = "aa".repeat(32);
const bo = "bb".repeat(32);
const at = (host: string) => ({ host, port: 4711 });

let temporary: ReturnType<typeof newFolder>;
let file: string;
let warned: string[];
const logger = { warn: (event: string) => void warned.push(event) };
beforeEach(() => {
  temporary = newFolder();
  warned = [];
  file = path.join(temporary.folder, "addresses.json");
});
afterEach(() => temporary.remove());

const hostsOf = (known: KnownAddresses, device: string) => known.of(device).map(({ host }) => host);

test("[LAN-8] what was reached is remembered, what was only announced is not", async () => {
  const before = new KnownAddresses(file, [], logger);
  before.sighted(ada, at("10.0.0.1"));
  before.reached(ada, at("10.0.0.2"));
  before.sighted(bo, at("10.0.0.3"));
  expect(hostsOf(before, ada)).toEqual(["10.0.0.2", "10.0.0.1"]);
  await before.flush();
  const after = new KnownAddresses(file, [], logger);
  expect([hostsOf(after, ada), hostsOf(after, bo)]).toEqual([["10.0.0.2"], []]);
});

test("[LAN-7] a goodbye moves an address to the end, and takes none away", () => {
  const known = new KnownAddresses(file, [at("10.0.0.9")], logger);
  known.sighted(ada, at("10.0.0.1"));
  known.sighted(ada, at("10.0.0.2"));
  known.doubted(ada, at("10.0.0.2"));
  expect(hostsOf(known, ada)).toEqual(["10.0.0.1", "10.0.0.2", "10.0.0.9"]);
});

test("[LAN-7] announcements push out no more than there is room for", () => {
  const known = new KnownAddresses(file, [at("10.0.0.9")], logger);
  for (let last = 1; last < 100; last++) known.sighted(ada, at(`10.0.1.${last}`));
  expect(known.of(ada)).toHaveLength(lanLimits.addressesPerDeviceMax + 1);
  expect(hostsOf(known, ada)).toContain("10.0.0.9");
});

test("a fixed address that turned out to be another device's is not tried for this one", async () => {
  const known = new KnownAddresses(file, [at("10.0.0.9")], logger);
  known.reached(bo, at("10.0.0.9"));
  expect([hostsOf(known, ada), hostsOf(known, bo)]).toEqual([[], ["10.0.0.9"]]);
  await known.flush();
});

test.each(["", "{}", '{"format":"heddle-addresses/1","addresses":{"x":"y"}}', "[1]"])(
  "a damaged file, %j, is no address, and that is said",
  (text) => {
    expect(new KnownAddresses(file, [], logger).of(ada)).toEqual([]);
    expect(warned).toEqual([]);
    writeFileSync(file, text);
    expect(new KnownAddresses(file, [], logger).of(ada)).toEqual([]);
    expect(warned).toEqual(["lan.notes_damaged"]);
  },
);

test("a file that is too long is not read, and one that cannot be written is said once", async () => {
  writeFileSync(file, " ".repeat(64 * 1024 + 1));
  const known = new KnownAddresses(file, [], logger);
  expect(warned).toEqual(["lan.notes_damaged"]);
  // A folder in its place: no file can take that.
  rmSync(file);
  mkdirSync(file);
  for (const host of ["10.0.0.1", "10.0.0.2"]) known.reached(ada, at(host));
  await known.flush();
  expect(warned).toEqual(["lan.notes_damaged", "lan.notes_unwritten"]);
  expect(hostsOf(known, ada)).toEqual(["10.0.0.2", "10.0.0.1"]);
});

test.each([
  ["10.0.0.1:80", { host: "10.0.0.1", port: 80 }],
  ["[fe80::1%eth0]:4711", { host: "fe80::1%eth0", port: 4711 }],
  ["laptop.local:4711", { host: "laptop.local", port: 4711 }],
])("%s is an address", (text, address) => {
  expect(parseAddress(text)).toEqual(address);
  expect(addressText(address)).toBe(text);
});

test.each(["10.0.0.1", "10.0.0.1:0", "10.0.0.1:70000", "[nonsense]:80", "a b:80", ":80", "::1:80"])(
  "%s is none",
  (text) => expect(parseAddress(text)).toBeUndefined(),
);
