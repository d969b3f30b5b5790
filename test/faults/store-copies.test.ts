import { existsSync } from "node:fs";
import { cp, readdir, readFile, rm, stat, truncate, unlink, writeFile } from "node:fs/promises";
import path from "node:path";

import { HeddleErrorCode } from "@heddle/core";
import { backupListName, backupStore, logFolderName, verifyFolder } from "@heddle/storage-level";
import { testEnvironment, testHash } from "@heddle/testkit";
import { expect, test } from "vitest";

import { runHeddle } from "../processes/heddle-command.ts";
import { StoreFolder } from "./store-survey.ts";
import { inStore, lanesIn, prune, textIn, TypedText } from "./written-store.ts";

// Goal: a backup of a store in use is whole and proved, a restored store says that it was rolled back and
// never uses a name again, and what can be saved of a damaged one is saved, and the rest is named.
// Method: real commands on real folders, with texts that can be compared.

const words = (count: number, label: string) =>
  Array.from({ length: count }, (_, index) => `${label}${index} `);

test("[STO-11] a backup taken while the store is written to holds all that was acknowledged before", async () => {
  await using place = await StoreFolder.make();
  const text = new TypedText("in use", "notes");
  const target = path.join(place.folder, "backup");
  const data = path.join(place.folder, "data");
  await inStore(data, async (store) => {
    await text.type(store, words(300, "before"));
    const before = text.text;
    const writing = text.type(store, words(1_500, "while"));
    const result = await runHeddle("backup", data, target, "--json");
    expect(result).toMatchObject({ status: 0, err: "" });
    expect(JSON.parse(result.out)).toMatchObject({ ok: true, findings: [] });
    await writing;
    const restored = path.join(place.folder, "restored");
    expect(await runHeddle("restore", target, restored)).toMatchObject({ status: 0 });
    await inStore(restored, async (copy) => {
      expect(copy.opening.rollback).toMatchObject({ reason: "restored" });
      const saved = await textIn(copy, text.document);
      expect(saved.endsWith(before)).toBe(true);
      expect(text.text.endsWith(saved)).toBe(true);
    });
  });
});

test("[STO-9][STO-11] a restored store opens as rolled back once, and its lanes are new", async () => {
  await using place = await StoreFolder.make();
  const text = new TypedText("restored", "notes");
  const [data, target] = ["data", "backup"].map((name) => path.join(place.folder, name));
  await inStore(data!, (store) => text.type(store, words(20, "a")));
  await writeFile(path.join(data!, "device-key.pem"), "key", { mode: 0o600 });
  expect(await runHeddle("backup", data!, target!)).toMatchObject({ status: 0 });
  const atBackup = text.text;
  const later = await inStore(data!, (store) => text.type(store, words(20, "b")));
  await rm(data!, { recursive: true });

  const { status, out } = await runHeddle("restore", target!, data!);
  expect({ status, out }).toMatchObject({ status: 0, out: expect.stringMatching(/rolled back/) });
  expect(await readFile(path.join(data!, "device-key.pem"), "utf8")).toBe("key");
  await inStore(data!, async (store) => {
    expect(store.opening.rollback).toEqual({ reason: "restored", groupsLost: 0 });
    expect(await textIn(store, text.document)).toBe(atBackup);
    const known = await lanesIn(store);
    const lane = await new TypedText("somebody new", "notes").type(store, words(5, "c"));
    expect([...known, later]).not.toContain(lane);
    await store.openingTold();
  });
  await inStore(data!, async (store) => {
    expect(store.opening.rollback).toBeUndefined();
    const history = await store.readIncarnations();
    expect(history.map(({ rollback }) => rollback)).toEqual([undefined, "restored", undefined]);
  });
  expect((await verifyFolder(data!, { hash: testHash })).findings).toEqual([]);
});

test("[STO-11] a damaged backup is refused, and a folder with something in it left alone", async () => {
  await using place = await StoreFolder.make();
  const text = new TypedText("damaged backup", "notes");
  const [data, target, copy] = ["data", "backup", "copy"].map((name) =>
    path.join(place.folder, name),
  );
  await inStore(data!, (store) => text.type(store, words(50, "a")));
  await inStore(data!, async () => undefined);
  await backupStore(data!, target!, { environment: testEnvironment() });
  expect(await runHeddle("restore", target!, data!)).toMatchObject({ status: 2 });
  expect(await runHeddle("backup", data!, target!)).toMatchObject({ status: 2 });
  expect(await runHeddle("restore", data!, copy!)).toMatchObject({ status: 2 });
  const tables = await readdir(path.join(target!, logFolderName));
  const table = tables.find((name) => name.endsWith(".ldb"));
  const file = path.join(target!, logFolderName, table!);
  const bytes = await readFile(file);
  bytes[100]! ^= 1;
  await writeFile(file, bytes);
  const refused = await runHeddle("restore", target!, copy!);
  expect(refused).toMatchObject({
    status: 1,
    err: expect.stringMatching(/HEDDLE_STORAGE_CORRUPT/),
  });
  expect(existsSync(copy!)).toBe(false);
  await unlink(path.join(target!, backupListName));
  expect(await runHeddle("restore", target!, copy!)).toMatchObject({ status: 2 });
});

test("[STO-11] a backup of a store that has lost its newest groups is made, and says so", async () => {
  await using place = await StoreFolder.makeQuick();
  const text = new TypedText("backup of a loss", "notes");
  const [data, target] = ["data", "backup"].map((name) => path.join(place.folder, name));
  await inStore(data!, (store) => text.type(store, words(50, "a")));
  const names = await readdir(path.join(data!, logFolderName));
  const log = names
    .filter((name) => name.endsWith(".log"))
    .toSorted()
    .at(-1)!;
  await truncate(path.join(data!, logFolderName, log), 2_000);
  const { status, out } = await runHeddle("backup", data!, target!, "--json");
  const { ok, findings } = JSON.parse(out) as { ok: boolean; findings: { what: string }[] };
  expect({ status, ok }).toEqual({ status: 1, ok: false });
  expect(findings.map(({ what }) => what)).toContainEqual(expect.stringContaining("groups-lost"));
});

test("[STO-11] a backup of a damaged store is made, and says what is wrong with it", async () => {
  await using place = await StoreFolder.make();
  const text = new TypedText("backup of damage", "notes");
  const [data, target] = ["data", "backup"].map((name) => path.join(place.folder, name));
  await inStore(data!, (store) => text.type(store, words(50, "a")));
  await inStore(data!, async () => undefined);
  await damageTable(data!, 2_000);
  const { status, out } = await runHeddle("backup", data!, target!);
  expect(status).toBe(1);
  expect(out).toMatch(/damaged/);
});

test("[STO-11] compacting gives room back and changes no record", async () => {
  await using place = await StoreFolder.make();
  const text = new TypedText("compact", "notes");
  await inStore(place.folder, (store) => text.type(store, words(800, "a")));
  const { status, out } = await runHeddle("compact", place.folder, "--json");
  expect(status).toBe(0);
  const { bytesBefore, bytesAfter } = JSON.parse(out) as Record<string, number>;
  expect(bytesAfter).toBeLessThan(bytesBefore!);
  expect((await verifyFolder(place.folder, { hash: testHash })).findings).toEqual([]);
  await inStore(place.folder, async (store) => {
    expect(await textIn(store, text.document)).toBe(text.text);
    expect(await runHeddle("compact", place.folder)).toMatchObject({ status: 1 });
  });
});

const cutEnd = async (file: string) => truncate(file, (await stat(file)).size - 5);
const zero = async (file: string) => writeFile(file, new Uint8Array((await stat(file)).size));

type Damage = (folder: string) => Promise<unknown>;

const damages: Readonly<Record<string, Damage>> = {
  nothing: async () => undefined,
  "CURRENT is missing": (folder) => unlink(path.join(folder, logFolderName, "CURRENT")),
  "the manifest is empty": (folder) => inLog(folder, /^MANIFEST/, (file) => truncate(file)),
  "the manifest has lost its end": (folder) => inLog(folder, /^MANIFEST/, cutEnd),
  "a table is all zeros": (folder) => inLog(folder, /\.ldb$/, zero),
  "a table is empty": (folder) => inLog(folder, /\.ldb$/, (file) => truncate(file)),
  "a block is damaged": (folder) => damageTable(folder, 5_000),
  "the marker is missing": (folder) => unlink(path.join(folder, "heddle-store.json")),
};

/** What leaves a proof that nothing is missing: these files hold nothing that is not elsewhere. */
const unharmed: ReadonlySet<string> = new Set([
  "nothing",
  "CURRENT is missing",
  "the marker is missing",
]);

test.each(Object.keys(damages))("[STO-11] repair saves what is whole when %s", async (damage) => {
  await using place = await StoreFolder.make();
  const first = new TypedText("first", "first");
  const second = new TypedText("second", "second");
  const data = path.join(place.folder, "data");
  await inStore(data, async (store) => {
    await first.type(store, words(200, "a"));
    await second.type(store, words(20, "x"));
  });
  await inStore(data, async (store) => {
    await first.type(store, words(50, "b"));
    await second.type(store, words(20, "y"));
  });
  await inStore(data, async () => undefined);
  const untouched = path.join(place.folder, "untouched");
  await damages[damage]!(data);
  await cp(data, untouched, { recursive: true });

  const ok = await repair(data);
  expect(ok).toBe(unharmed.has(damage));
  await inStore(`${data}-repaired`, async (store) => {
    expect(store.opening.rollback).toMatchObject({ reason: "restored" });
    for (const { document, text } of [first, second]) {
      if (!(await store.readDocument(document.id))) continue;
      // What is saved is a state that the document once had.
      expect(text.endsWith(await textIn(store, document))).toBe(true);
    }
    if (!ok) return;
    expect(await textIn(store, first.document)).toBe(first.text);
    expect(await textIn(store, second.document)).toBe(second.text);
  });
  expect(await sizesIn(data)).toEqual(await sizesIn(untouched));
});

test.each(Object.keys(damages))("[STO-11] repair of a pruned log, when %s", async (damage) => {
  await using place = await StoreFolder.make();
  const text = new TypedText("pruned", "notes");
  const data = path.join(place.folder, "data");
  await inStore(data, async (store) => {
    await text.type(store, words(300, "a"));
    expect(await prune(store, text)).toBeGreaterThan(200);
    await text.type(store, words(50, "b"));
  });
  await inStore(data, async () => undefined);
  await damages[damage]!(data);

  const ok = await repair(data);
  expect(ok).toBe(unharmed.has(damage));
  await inStore(`${data}-repaired`, async (store) => {
    if (!(await store.readDocument(text.document.id))) return;
    const saved = await textIn(store, text.document);
    expect(text.text.endsWith(saved)).toBe(true);
    if (!ok) return;
    expect(saved).toBe(text.text);
    expect((await store.readFloors(text.document.id)).size).toBe(1);
    // It goes on like any other.
    await text.type(store, ["more "]);
    expect(await textIn(store, text.document)).toBe(text.text);
  });
});

test("[STO-6][STO-11] a start on a manifest that lost its end is refused and deletes nothing", async () => {
  await using place = await StoreFolder.make();
  const text = new TypedText("cut", "notes");
  const data = path.join(place.folder, "data");
  for (const label of ["a", "b", "c"]) {
    await inStore(data, (store) => text.type(store, words(100, label)));
  }
  await inLog(data, /^MANIFEST/, cutEnd);
  const before = await sizesIn(data);
  await expect(inStore(data, async () => undefined)).rejects.toMatchObject({
    code: HeddleErrorCode.storageCorrupt,
  });
  expect(await sizesIn(data)).toEqual(before);
  // All of it is saved; that nothing else is missing, such a manifest cannot say.
  expect(await runHeddle("repair", data)).toMatchObject({ status: 1 });
  await inStore(`${data}-repaired`, async (store) => {
    expect(await textIn(store, text.document)).toBe(text.text);
  });
});

test("[STO-11] repair can put the new folder in place of the damaged one, which goes to quarantine", async () => {
  await using place = await StoreFolder.make();
  const text = new TypedText("replace", "notes");
  const data = path.join(place.folder, "data");
  await inStore(data, (store) => text.type(store, words(50, "a")));
  await unlink(path.join(data, logFolderName, "CURRENT"));
  const { status, out } = await runHeddle("repair", data, "--replace");
  expect({ status, out }).toMatchObject({ status: 0, out: expect.stringMatching(/quarantine/) });
  await inStore(data, async (store) => expect(await textIn(store, text.document)).toBe(text.text));
  const [aside] = await readdir(path.join(data, "quarantine"));
  expect(await readdir(path.join(data, "quarantine", aside!, logFolderName))).not.toEqual([]);
});

async function inLog(
  folder: string,
  pattern: RegExp,
  change: (file: string) => Promise<unknown>,
): Promise<void> {
  const log = path.join(folder, logFolderName);
  const name = (await readdir(log)).find((name) => pattern.test(name));
  await change(path.join(log, name!));
}

function damageTable(folder: string, offset: number): Promise<void> {
  return inLog(folder, /\.ldb$/, async (file) => {
    const bytes = await readFile(file);
    bytes[offset]! ^= 0x10;
    await writeFile(file, bytes);
  });
}

async function sizesIn(folder: string): Promise<string[]> {
  const names = await readdir(path.join(folder, logFolderName));
  const lines = names.map(async (name) => {
    return `${name} ${(await readFile(path.join(folder, logFolderName, name))).length}`;
  });
  return (await Promise.all(lines)).toSorted();
}

/** Repairs to a copy that is whole, whatever it lacks. Returns whether nothing is said to be missing. */
async function repair(data: string): Promise<boolean> {
  const { status, out } = await runHeddle("repair", data, "--json");
  const { ok } = JSON.parse(out) as { ok: boolean };
  expect(status).toBe(ok ? 0 : 1);
  expect((await verifyFolder(`${data}-repaired`, { hash: testHash })).findings).toMatchObject([
    { severity: "notice", part: "witness" },
  ]);
  return ok;
}
