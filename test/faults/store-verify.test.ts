import { createHash } from "node:crypto";
import { cp, readdir, readFile, stat, truncate, unlink, writeFile } from "node:fs/promises";
import path from "node:path";

import {
  logFolderName,
  markerName,
  openLevelStore,
  verifyFolder,
  witnessName,
  type Entry,
} from "@heddle/storage-level";
import {
  testCheckpoint,
  testDocument,
  testEnvironment,
  testHash,
  TestWriter,
} from "@heddle/testkit";
import { expect, test } from "vitest";

import { runHeddle } from "../processes/heddle-command.ts";
import { fillStore, StoreFolder } from "./store-survey.ts";

// Goal: `heddle verify` finds what LevelDB lost or never noticed, says where, and changes nothing.
// Method: take records and files away behind the store's back, and read its report.

type Damage = (place: StoreFolder) => Promise<unknown>;

/** A store with tables, a log of LevelDB that holds something, and records of every kind. */
async function filled(seed: string, loose = true): Promise<StoreFolder> {
  const place = await StoreFolder.makeQuick();
  const environment = testEnvironment(seed);
  await fillStore(place.folder, environment, { loose });
  await (await openLevelStore(place.folder, { environment })).close();
  return place;
}

async function matching(place: StoreFolder, pattern: RegExp): Promise<string[]> {
  const names = (await readdir(place.logFolder)).filter((name) => pattern.test(name));
  expect(names).not.toEqual([]);
  return names.map((name) => path.join(place.logFolder, name));
}

const drop = (kind: string, index: number): Damage => {
  return (place) =>
    place.raw(async (database) => {
      const prefix = Buffer.from(kind, "latin1");
      const entries: Entry[] = [];
      const range = { gte: prefix, lt: Buffer.concat([prefix, Buffer.alloc(40, 0xff)]) };
      for await (const chunk of database.entries(range)) entries.push(...chunk);
      await database.write([{ type: "del", key: entries.at(index)![0] }]);
    });
};

const losses: Readonly<Record<string, readonly [part: string, damage: Damage]>> = {
  "the first envelope": ["document", drop("E", 0)],
  "an envelope in the middle": ["document", drop("E", 3)],
  "the last envelope": ["document", drop("E", -1)],
  "the first commit group": ["group", drop("A", 0)],
  "a commit group": ["group", drop("A", 3)],
  "the last commit group": ["group", drop("A", -1)],
  "the head": ["group", drop("mh", 0)],
  "the store id": ["record", drop("ms", 0)],
  "a lane": ["lane", drop("L", 0)],
  "the last lane": ["lane", drop("L", -1)],
  "an alias": ["lane", drop("l", 0)],
  "a document": ["document", drop("D", 0)],
  "a position": ["document", drop("V", 1)],
  "the digest of a vector": ["document", drop("V", 0)],
  "a dirty marker": ["document", drop("d", 0)],
  "an opening": ["history", drop("i", 0)],
  "a table": ["table", async (place) => unlink((await matching(place, /\.ldb$/))[0]!)],
  "the content of a table": [
    "table",
    async (place) => truncate((await matching(place, /\.ldb$/))[0]!),
  ],
  "the end of a table": [
    "table",
    async (place) => truncate((await matching(place, /\.ldb$/))[0]!, 900),
  ],
  "LevelDB's log": ["log-file", async (place) => unlink((await matching(place, /\.log$/))[0]!)],
  CURRENT: ["manifest", (place) => unlink(path.join(place.logFolder, "CURRENT"))],
  "the content of CURRENT": [
    "manifest",
    (place) => truncate(path.join(place.logFolder, "CURRENT")),
  ],
  "the manifest": ["manifest", async (place) => unlink((await matching(place, /^MANIFEST/))[0]!)],
  "the end of the manifest": [
    "manifest",
    async (place) => truncate((await matching(place, /^MANIFEST/))[0]!, 20),
  ],
  "the marker": ["marker", (place) => unlink(path.join(place.folder, markerName))],
  "the content of the marker": [
    "marker",
    (place) => writeFile(path.join(place.folder, markerName), "{"),
  ],
  "the content of the witness": [
    "witness",
    (place) => writeFile(path.join(place.folder, witnessName), "{"),
  ],
};

test.each(Object.keys(losses))("[STO-10] finds that %s is missing", async (name) => {
  const [part, damage] = losses[name]!;
  // Of a dirty document a position is only work that was saved.
  await using place = await filled(name, name !== "a position");
  await damage(place);
  const before = await fingerprint(place.folder);
  const report = await verifyFolder(place.folder, { hash: testHash });
  const parts = report.findings
    .filter(({ severity }) => severity === "damage")
    .map((one) => one.part);
  expect(parts).toContain(part);
  expect(await fingerprint(place.folder)).toEqual(before);
});

test("[STO-10] finds nothing where nothing is wrong", async () => {
  await using place = await filled("whole");
  const { findings, totals } = await verifyFolder(place.folder, { hash: testHash });
  expect(findings).toEqual([]);
  expect(totals).toMatchObject({ tables: 1, documents: 4, envelopes: 16, lanes: 2 });
});

test("[STO-10] knows what pruning took from what was lost", async () => {
  await using place = await StoreFolder.makeQuick();
  const environment = testEnvironment("pruned");
  const store = await openLevelStore(place.folder, { environment });
  const notes = testDocument(environment, "notes");
  const writer = await TestWriter.open(environment);
  await store.append({ lanes: [writer.lane], documents: [notes] });
  for (let index = 0; index < 8; index++) {
    await store.append({ envelopes: [writer.seal(notes.id)] });
  }
  const vector = writer.vector(notes.id);
  await store.append({ checkpoints: [testCheckpoint(notes, 1, vector)] });
  const floors = new Map([[writer.lane.id, 6]]);
  await store.append({ prune: [{ document: notes.id, floors }] });
  await store.append({ envelopes: [writer.seal(notes.id)] });
  await store.close();
  const whole = await verifyFolder(place.folder, { hash: testHash });
  expect(whole).toMatchObject({ findings: [], totals: { envelopes: 3 } });
  for (const [kind, what] of [
    ["c", /a part of checkpoint 1 is missing/],
    ["E", /missing from/],
    ["f", /envelopes 1 to 6 of lane/],
  ] as const) {
    await using copy = await StoreFolder.makeQuick();
    await cp(place.folder, copy.folder, { recursive: true });
    await drop(kind, 0)(copy);
    const { findings } = await verifyFolder(copy.folder, { hash: testHash });
    expect(findings.map((finding) => finding.what).join("; ")).toMatch(what);
  }
});

test("[STO-10] names what is lost, so that somebody else can be asked for it", async () => {
  await using place = await filled("names");
  await drop("E", 1)(place);
  await drop("E", 1)(place);
  const { findings } = await verifyFolder(place.folder, { hash: testHash });
  expect(findings).toMatchObject([{ severity: "damage", part: "document", fromSeq: 2, toSeq: 3 }]);
  expect(findings[0]!.document).toMatch(/^[0-9a-f]{32}$/);
  expect(findings[0]!.lane).toMatch(/^[0-9a-f]{32}$/);
});

// LevelDB aborts at few damages, and at other ones with each version: the death itself is what counts.
test.runIf(process.platform === "linux")(
  "[STO-10] the death of the process that reads is a finding, and nobody else's",
  async () => {
    await using place = await filled("aborts");
    const verifying = verifyFolder(place.folder, { hash: testHash });
    const child = await childRunning("verify-program");
    process.kill(child, "SIGABRT");
    const { findings } = await verifying;
    expect(findings).toMatchObject([
      { severity: "damage", part: "leveldb", what: expect.stringMatching(/SIGABRT/) },
    ]);
  },
);

/** The id of a child of this process that runs `program`. */
async function childRunning(program: string): Promise<number> {
  for (;;) {
    const children = await readFile(`/proc/self/task/${process.pid}/children`, "utf8");
    for (const id of children.trim().split(" ").filter(Boolean)) {
      const command = await readFile(`/proc/${id}/cmdline`, "utf8").catch(() => "");
      if (command.includes(program)) return Number(id);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("[STO-10] heddle verify says what it read, and its exit status what it thinks of it", async () => {
  await using place = await filled("command");
  const whole = await runHeddle("verify", place.folder);
  expect(whole).toMatchObject({ status: 0, err: "" });
  expect(whole.out).toMatch(/4 documents, 16 envelopes, 2 lanes/);
  expect(whole.out).toMatch(/whole/);
  await drop("E", 3)(place);
  const damaged = await runHeddle("verify", place.folder);
  expect(damaged.status).toBe(1);
  expect(damaged.out).toMatch(/envelope 4 of lane [0-9a-f]{32} in document [0-9a-f]{32}: missing/);
  const { status, out } = await runHeddle("verify", place.folder, "--json");
  expect(status).toBe(1);
  expect(JSON.parse(out)).toMatchObject({ ok: false, isInUse: false, findings: [{ fromSeq: 4 }] });
  expect(await runHeddle("verify", path.join(place.folder, logFolderName))).toMatchObject({
    status: 2,
  });
});

test("[STO-10] a store that somebody writes to is verified as of a moment, and not disturbed", async () => {
  await using place = await filled("in use");
  const environment = testEnvironment("in use", { timers: "real" });
  const store = await openLevelStore(place.folder, { environment });
  const { findings, isInUse } = await verifyFolder(place.folder, { hash: testHash });
  expect(isInUse).toBe(true);
  expect(findings.filter(({ severity }) => severity === "damage")).toEqual([]);
  expect(store.state).toEqual({ name: "open" });
  await store.close();
});

/** Every file with its size, content and time of change. */
async function fingerprint(folder: string): Promise<string[]> {
  const names = (await readdir(folder, { recursive: true })).toSorted();
  const lines: string[] = [];
  for (const name of names) {
    const file = path.join(folder, name);
    const stats = await stat(file);
    const content = stats.isFile()
      ? createHash("sha256")
          .update(await readFile(file))
          .digest("hex")
      : "";
    lines.push(`${name} ${stats.mtimeMs} ${stats.ino} ${content}`);
  }
  return lines;
}
