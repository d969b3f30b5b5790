import { existsSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";

import {
  logFolderName,
  scrubFolderName,
  StoreScrub,
  type LevelLogStore,
} from "@heddle/storage-level";
import { testEnvironment } from "@heddle/testkit";
import { expect, test, vi } from "vitest";

import { StoreFolder } from "./store-survey.ts";
import { inStore, textIn, TypedText } from "./written-store.ts";

// Goal: damage is found while the store is in use, becomes a request and a line in the journal, once, and
// leaves both again when the record is whole.
// Method: a store that goes on writing, with a block of a table damaged behind its back.

const words = (count: number, label: string) =>
  Array.from({ length: count }, (_, index) => `${label}${index} `);

test("[STO-13][DRF-7] a scrub finds what is damaged, once, says it as long as it is there, and takes it back when it is mended", async () => {
  await using place = await StoreFolder.make();
  const text = new TypedText("scrub", "notes");
  await inStore(place.folder, (store) => text.type(store, words(300, "a")));
  await inStore(place.folder, async (store) => {
    const environment = testEnvironment("scrub", { timers: "real" });
    let told = 0;
    const onFound = () => told++;
    const options = { store, folder: place.folder, environment, bytesPerSecond: 0, onFound };
    const scrub = new StoreScrub({ ...options, intervalMs: 3_600_000, firstMs: 3_600_000 });
    const scrubbed = async (times: number): Promise<void> => {
      scrub.soon();
      await vi.waitFor(() => expect(scrub.status.done).toBe(times), { timeout: 30_000 });
    };
    await scrubbed(1);
    expect(scrub.status).toMatchObject({ damages: 0, failed: 0 });
    expect(await store.readRepairRequests()).toEqual([]);

    const table = await tableOf(place);
    const whole = await readFile(table);
    const damaged = Uint8Array.from(whole);
    damaged[3_000]! ^= 0x04;
    await writeFile(table, damaged);
    await scrubbed(2);
    expect(scrub.status.damages).toBeGreaterThan(0);
    const requests = await store.readRepairRequests();
    expect(requests.length).toBe(scrub.status.damages);
    expect(requests.some(({ what }) => what.includes("table"))).toBe(true);
    const events = async () => (await store.readJournal()).map(({ event }) => event);
    expect(await events()).toEqual(requests.map(() => "damage-found"));
    expect(environment.logger.lines.some(({ event }) => event === "store.damage_found")).toBe(true);
    expect(told).toBe(requests.length);
    await scrubbed(3);
    expect(await store.readRepairRequests()).toEqual(requests);
    // Who repairs hears of it again, as long as it is there.
    expect(told).toBe(2 * requests.length);

    await writeFile(table, whole);
    await scrubbed(4);
    expect(await store.readRepairRequests()).toEqual([]);
    expect(await events()).toEqual([
      ...requests.map(() => "damage-found"),
      ...requests.map(() => "damage-gone"),
    ]);
    expect(existsSync(path.join(place.folder, scrubFolderName))).toBe(false);
    await scrub.close();
  });
});

test("[STO-13] a scrub beside a busy writer finds nothing and loses nothing", async () => {
  await using place = await StoreFolder.make();
  const text = new TypedText("busy", "notes");
  await inStore(place.folder, async (store) => {
    const environment = testEnvironment("busy", { timers: "real" });
    const options = { store, folder: place.folder, environment, bytesPerSecond: 0 };
    const scrub = new StoreScrub({ ...options, intervalMs: 1, firstMs: 1 });
    scrub.start();
    for (let round = 0; scrub.status.done < 3 && round < 100; round++) {
      await text.type(store, words(100, `${round}.`));
    }
    await scrub.close();
    expect(environment.logger.lines.filter(({ level }) => level !== "info")).toEqual([]);
    expect(scrub.status).toMatchObject({ damages: 0, failed: 0 });
    expect(scrub.status.done).toBeGreaterThanOrEqual(3);
    expect(await textIn(store, text.document)).toBe(text.text);
  });
});

test("[STO-13] a scrub reads no quicker than it may, and ends with the store", async () => {
  await using place = await StoreFolder.make();
  const text = new TypedText("slow", "notes");
  await inStore(place.folder, async (store: LevelLogStore) => {
    await text.type(store, words(200, "a"));
    const environment = testEnvironment("slow", { timers: "real" });
    const options = { store, folder: place.folder, environment, bytesPerSecond: 10 };
    const scrub = new StoreScrub({ ...options, intervalMs: 1, firstMs: 1 });
    scrub.start();
    await vi.waitFor(() => {
      expect(existsSync(path.join(place.folder, scrubFolderName))).toBe(true);
    });
    // At ten bytes a second it would take hours.
    await scrub.close();
    expect(scrub.status).toMatchObject({ done: 0, failed: 0 });
    expect(existsSync(path.join(place.folder, scrubFolderName))).toBe(false);
  });
});

async function tableOf(place: StoreFolder): Promise<string> {
  const names = await readdir(path.join(place.folder, logFolderName));
  return path.join(
    place.folder,
    logFolderName,
    names.find((name) => name.endsWith(".ldb"))!,
  );
}
