import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { HeddleErrorCode } from "@heddle/core";
import { describeProjectionStoreContract, testEnvironment } from "@heddle/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { FaultyLevel } from "./faulty-database.fixture.ts";
import { openLevelDatabase, type LogDatabase, type OpenDatabase } from "./level-database.ts";
import { openLevelProjectionStore } from "./open-projection-store.ts";
import { auditKey, recordKey, tokenKey } from "./projection-keys.ts";
import { temporaryFolder, type TemporaryFolder } from "./temporary-folder.fixture.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const put = (path: string, text: string) => ({ path: path.split("/"), value: bytes(text) });

describeProjectionStoreContract(
  "LevelProjectionStore",
  async (environment) => {
    const { folder, remove } = await temporaryFolder();
    let current: LogDatabase;
    const openDatabase: OpenDatabase = async (path, opening) => {
      current = await openLevelDatabase(path, opening);
      return current;
    };
    return {
      open: async () =>
        (await openLevelProjectionStore(folder, { environment, openDatabase })).store,
      damage: (path) => flip(current, recordKey(path)),
      dispose: remove,
    };
  },
  { modelRuns: 10 },
);

async function flip(database: LogDatabase, key: Uint8Array): Promise<void> {
  const value = (await database.get(key))!.slice();
  value[value.length - 1]! ^= 1;
  await database.write([{ type: "put", key, value }]);
}

describe("projections on LevelDB", () => {
  const environment = testEnvironment();
  const level = new FaultyLevel();
  let site: TemporaryFolder;
  const open = () =>
    openLevelProjectionStore(site.folder, { environment, openDatabase: level.open });

  beforeEach(async () => {
    site = await temporaryFolder();
  });
  afterEach(() => site.remove());

  test("[PRJ-3] after a write that failed the database is opened anew before anything else", async () => {
    const { store } = await open();
    await store.apply({ put: [put("row/a", "1")], audit: [bytes("one")] });
    const openings = level.openings;
    level.writeFaults.push("fails", "lands but fails");
    const failed = expect.objectContaining({ code: HeddleErrorCode.storageIo });
    await expect(store.apply({ put: [put("row/a", "2")] })).rejects.toThrow(failed);
    await expect(store.apply({ put: [put("row/b", "2")], audit: [bytes("two")] })).rejects.toThrow(
      failed,
    );
    // Nobody knew: one of them is there.
    expect(
      await store.get([
        ["row", "a"],
        ["row", "b"],
      ]),
    ).toEqual([bytes("1"), bytes("2")]);
    await store.apply({ audit: [bytes("three")] });
    const audit = await store.readAudit(0, 10);
    expect(audit.map(({ number, value }) => [number, value])).toEqual([
      [1, bytes("one")],
      [2, bytes("two")],
      [3, bytes("three")],
    ]);
    expect(level.openings - openings).toBe(2);
    expect(store.counters.reopenings).toBe(2);
    await store.close();
  });

  test("[PRJ-3] [REC-12] a disk that stays away refuses each, and is tried again each time", async () => {
    const { store } = await open();
    const mark = store.moves.mark();
    level.writeFaults.push("fails");
    level.openFaults.push("away", "still away");
    await expect(store.apply({ put: [put("row/a", "1")] })).rejects.toThrow();
    await expect(store.get([["row", "a"]])).rejects.toThrow("away");
    await expect(store.get([["row", "a"]])).rejects.toThrow("still away");
    expect(await store.get([["row", "a"]])).toEqual([undefined]);
    // Meanwhile its files were anybody's.
    expect(store.moves.since(mark)).toBeUndefined();
    await store.close();
  });

  test("[PRJ-5] a token is above all before it, although its record was lost or damaged", async () => {
    const first = await open();
    const before = (await first.store.acquireLease("job", "ada", 1000))!;
    await flip(level.current!, tokenKey("job"));
    environment.clock.advance(5000);
    const damaged = (await first.store.acquireLease("job", "bo", 1000))!;
    expect(damaged.token).toBeGreaterThan(before.token);
    await level.current!.write([{ type: "del", key: tokenKey("job") }]);
    environment.clock.advance(5000);
    const lost = (await first.store.acquireLease("job", "cy", 1000))!;
    expect(lost.token).toBeGreaterThan(damaged.token);
    await first.store.close();
  });

  test("[PRJ-6] a key that is no path any more is counted and passed over", async () => {
    const { store } = await open();
    await store.apply({ put: [put("row/a", "1"), put("row/b", "2")], audit: [bytes("one")] });
    const stray = recordKey(["row", "ab"]);
    stray[stray.length - 2] = 0xff;
    await level.current!.write([{ type: "put", key: stray, value: bytes("stray") }]);
    await flip(level.current!, auditKey(1));
    const page = await store.readPage({ under: ["row"], limit: 10 });
    expect(page.map(({ path }) => path[1])).toEqual(["a", "b"]);
    expect(store.counters.unreadableKeys).toBe(1);
    expect(await store.readAudit(0, 5)).toEqual([{ number: 1, value: "damaged" }]);
    await store.close();
  });

  test("a database that LevelDB cannot be given is set aside, and an empty one takes its place", async () => {
    const before = await open();
    await before.store.apply({ put: [put("row/a", "1")] });
    await before.store.close();
    const database = join(site.folder, "database");
    const manifest = (await readdir(database)).find((name) => name.startsWith("MANIFEST"))!;
    const damaged = await readFile(join(database, manifest));
    await writeFile(join(database, manifest), damaged.subarray(0, 3));
    const after = await open();
    expect(after.damages.length).toBeGreaterThan(0);
    expect(await readdir(after.setAside!)).toContain(manifest);
    expect(await after.store.get([["row", "a"]])).toEqual([undefined]);
    await after.store.apply({ put: [put("row/a", "2")] });
    await after.store.close();
    const again = await open();
    expect(again.setAside).toBeUndefined();
    expect(await again.store.get([["row", "a"]])).toEqual([bytes("2")]);
    await again.store.close();
  });

  /** A database with a table, of which a block in the middle is damaged: its rows, and not the journal. */
  async function damageRows(): Promise<void> {
    const { store } = await open();
    const rows = Array.from({ length: 60 }, (_, n) => put(`row/${n}`, "x".repeat(1_000)));
    await store.apply({ put: [...rows, put("sink/hook/feed", "here")], audit: [bytes("one")] });
    await store.close();
    // What is in the log of LevelDB becomes a table when it is opened again.
    await (await open()).store.close();
    const database = join(site.folder, "database");
    const table = (await readdir(database)).find((name) => name.endsWith(".ldb"))!;
    const whole = await readFile(join(database, table));
    whole[Math.floor(whole.length / 2)]! ^= 0x10;
    await writeFile(join(database, table), whole);
  }

  test.each([
    ["as the new database cannot be opened", () => level.openFaults.push("Input/output error")],
    ["before anything was carried over", () => level.writeFaults.push("fails")],
    ["in the middle", () => level.writeFaults.push(undefined, "lands but fails")],
  ])(
    "[PRJ-15] an opening that ends behind setting aside, %s, loses nothing of the journal",
    async (_, fail) => {
      await damageRows();
      fail();
      await expect(open()).rejects.toThrow();
      const { store, setAside } = await open();
      expect(setAside).toContain("damaged");
      expect(await store.readAudit(0, 5)).toEqual([{ number: 1, value: bytes("one") }]);
      expect(await store.get([["sink", "hook", "feed"]])).toEqual([bytes("here")]);
      await store.apply({ audit: [bytes("two")] });
      await store.close();
      // Carried over once: what was written since is not written over.
      const again = await open();
      expect(again.setAside).toBeUndefined();
      const entries = await again.store.readAudit(0, 5);
      expect(entries.map(({ value }) => value)).toEqual([bytes("one"), bytes("two")]);
      await again.store.close();
    },
  );

  test("a list of what was set aside that names something else opens nothing, and is told", async () => {
    await (await open()).store.close();
    await writeFile(join(site.folder, "set-aside.json"), '["../../elsewhere"]');
    const { store, setAside } = await open();
    expect(setAside).toBeUndefined();
    expect(environment.logger.lines.map(({ event }) => event)).toContain(
      "projections.journal_lost",
    );
    await store.close();
  });
});
