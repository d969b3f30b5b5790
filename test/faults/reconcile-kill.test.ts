import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { decodeAuditEntry, decodeRow, encodeRow } from "@heddle/reconcile";
import { openLevelProjectionStore } from "@heddle/storage-level";
import { inconsistenciesIn, readTotals } from "@heddle/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";

import { compileProgram, ProgramProcess, removePrograms } from "../processes/program.ts";
import { environment, followPosts, projectionsIn, rowsOf, writePosts } from "./built-projection.ts";
import { likes } from "./likes-projection.ts";

const documents = 12;
const generation = { projection: "likes", number: 1 };

let program: string;
let folder: string;

beforeAll(async () => {
  program = compileProgram("faults/reconcile-kill-program");
  folder = await mkdtemp(path.join(tmpdir(), "heddle-killed-job-"));
});
afterAll(async () => {
  removePrograms();
  await rm(folder, { recursive: true, force: true });
});

const openProjections = () => openLevelProjectionStore(projectionsIn(folder), { environment });

/** Documents with two likes each, their projection, and a wrong number in each of its rows. */
async function buildAndTamper(): Promise<void> {
  await writePosts(folder, documents);
  await followPosts(folder, async (store) => {
    const rows = await rowsOf(store);
    expect(rows).toHaveLength(documents);
    const put = rows.map(({ path: at, value }) => {
      return { path: at, value: encodeRow({ ...decodeRow(value as Uint8Array), value: 9 }) };
    });
    await store.apply({ put });
  });
}

// Goal: kill -9 at the worst moments of a job neither loses a correction nor makes one twice.
// Method: every row is wrong. A process that corrects them is killed when a correction is made and not written, the next
// one when it is written and not noted; a third one ends. What it counted, the journal and the rows say the same.
test("[REC-1] [REC-5] [REC-6] a job that is killed twice corrects everything once, with one entry each, and counts all of it", async () => {
  await buildAndTamper();
  for (const args of [
    ["before", "4"],
    ["after", "5"],
  ]) {
    const child = new ProgramProcess(program, [folder, ...args]);
    expect(await child.nextLine()).toBe("stands");
    child.kill();
    expect(await child.finish()).toBe("SIGKILL");
  }
  const last = new ProgramProcess(program, [folder]);
  const report = JSON.parse((await last.nextLine())!) as unknown;
  await last.finish();
  expect(report).toMatchObject({ outcome: "whole", isResumed: true, damages: 0 });
  // Three before the first kill, five before the second.
  expect(report).toMatchObject({
    counts: { drifts: documents, corrections: documents, recurring: 0, failures: 0 },
    found: { corrections: documents - 3 - 5 },
  });

  const { store } = await openProjections();
  const entries = (await store.readAudit(0, 100)).map(({ value }) =>
    decodeAuditEntry(value as Uint8Array),
  );
  expect(entries).toHaveLength(documents);
  const places = entries.map(({ subject }) => JSON.stringify(subject));
  expect(new Set(places).size).toBe(documents);
  expect(new Set((await readTotals(store, generation)).values())).toEqual(new Set([2]));
  const { hash } = environment;
  expect(await inconsistenciesIn(store, { projection: likes, generation, hash })).toEqual([]);
  expect(store.counters.damagedReads).toBe(0);
  await store.close();
});
