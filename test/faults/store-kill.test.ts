import { decodeEnvelope, HeddleErrorCode } from "@heddle/core";
import { openLevelStore, type LevelLogStore } from "@heddle/storage-level";
import { collectChunks, collectLog, testDocument, testEnvironment } from "@heddle/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";

import { compileProgram, ProgramProcess, removePrograms } from "../processes/program.ts";
import { batchOf, documentNames, envelopesPerBatch } from "./store-writer-batches.ts";
import { StoreFolder } from "./store-survey.ts";

const rounds = 10;
const environment = testEnvironment("kill");
let program: string;

beforeAll(() => {
  program = compileProgram("faults/store-writer-program");
});
afterAll(removePrograms);

// Goal: kill -9 loses nothing that was acknowledged and leaves no half batch.
// Method: sixteen writers in another process, killed at a random moment of their work, ten times over
// the same folder; after each, every batch that was ever acknowledged is there, and none in part.
test("[STO-1][STO-2] survives kill -9 with all acknowledged batches and no half one", async () => {
  await using place = await StoreFolder.make();
  const acknowledged = new Set<string>();
  for (let round = 1; round <= rounds; round++) {
    for (const batch of await writeUntilKilled(place.folder, round)) acknowledged.add(batch);
    const store = await openLevelStore(place.folder, { environment });
    const held = await heldBatches(store);
    const { lastArrival } = store.opening;
    expect((await collectChunks(store.readArrivals(0))).length).toBe(lastArrival);
    await store.close();
    expect([...acknowledged].filter((batch) => !held.has(batch))).toEqual([]);
    expect([...held].filter(([, count]) => count !== envelopesPerBatch)).toEqual([]);
  }
  expect(acknowledged.size).toBeGreaterThan(rounds * 16);
});

test("[STO-5] a second process is refused, does the first no harm, and follows when it is killed", async () => {
  await using place = await StoreFolder.make();
  const child = new ProgramProcess(program, [place.folder, "lock"]);
  expect(await child.nextLine()).toBe("open");
  const { storageLocked } = HeddleErrorCode;
  for (let attempt = 1; attempt <= 3; attempt++) {
    const opening = openLevelStore(place.folder, { environment });
    await expect(opening).rejects.toMatchObject({ code: storageLocked });
  }
  for (let line = 1; line <= 100; line++) expect(await child.nextLine()).toMatch(/^acknowledged/);
  const others = new ProgramProcess(program, [place.folder, "another process"]);
  expect(await others.nextLine()).toBeUndefined();
  for (let line = 1; line <= 100; line++) expect(await child.nextLine()).toMatch(/^acknowledged/);
  child.kill();
  await child.finish();
  const store = await openLevelStore(place.folder, { environment });
  const held = await heldBatches(store);
  await store.close();
  const acknowledged = child.rest.filter(isWholeLine).map(batchOfLine);
  expect(acknowledged.filter((batch) => !held.has(batch))).toEqual([]);
});

async function writeUntilKilled(folder: string, round: number): Promise<string[]> {
  const child = new ProgramProcess(program, [folder, String(round)]);
  expect(await child.nextLine()).toBe("open");
  // The moment is drawn, not the work: between two syncs or in the middle of one.
  setTimeout(() => child.kill(), 100 + Math.random() * 250);
  expect(await child.finish()).toBe("SIGKILL");
  return child.rest.filter(isWholeLine).map(batchOfLine);
}

/** Batches in the store, with the number of their envelopes that are whole. */
async function heldBatches(store: LevelLogStore): Promise<Map<string, number>> {
  const held = new Map<string, number>();
  for (const name of documentNames) {
    for (const { bytes } of await collectLog(store, testDocument(environment, name).id)) {
      const found = batchOf(decodeEnvelope(environment.hash, bytes).payload);
      expect(found).toBeDefined();
      held.set(found!.batch, (held.get(found!.batch) ?? 0) + 1);
    }
  }
  return held;
}

/** The last line may have been cut by the kill. */
function isWholeLine(line: string): boolean {
  return /^acknowledged [0-9a-f]{32} \d+$/.test(line);
}

function batchOfLine(line: string): string {
  return line.slice("acknowledged ".length);
}
