import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { toHex } from "@heddle/core";
import { ReconcileJob } from "@heddle/reconcile";
import { LogSource, ProjectionHost } from "@heddle/replica";
import {
  openLevelProjectionStore,
  openLevelStore,
  type LevelLogStore,
} from "@heddle/storage-level";
import { inconsistenciesIn, readTotals } from "@heddle/testkit";
import { encodeUtf8 } from "lib0/string";
import { afterAll, beforeAll, expect, test } from "vitest";

import {
  environment,
  followPosts,
  projectionsIn,
  toldErrors,
  writePosts,
} from "./built-projection.ts";
import { likes } from "./likes-projection.ts";

const documents = 8;
/** In a table and in the log, spread over all of it; the others are small. */
const flipsEach = 5;
const entry = encodeUtf8("an entry of the journal");

let folder: string;
let log: LevelLogStore;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "heddle-flipped-projections-"));
  await writePosts(folder, documents / 2);
  await followPosts(folder, async (store) => {
    await store.apply({ audit: [entry], put: [{ path: ["sink", "hook", "feed"], value: entry }] });
  });
  // The first half is a table by now, and the second one is in the log.
  await writePosts(folder, documents);
  await followPosts(folder);
  log = await openLevelStore(folder, { environment });
});
afterAll(async () => {
  await log.close();
  await rm(folder, { recursive: true, force: true });
});

interface Mended {
  readonly isSetAside: boolean;
  readonly isKept: boolean;
}

/** Opens a database, follows the log and reconciles, as a relay does, and looks at what came of it. */
async function mend(directory: string, file: string): Promise<Mended> {
  const { store, setAside, damages } = await openLevelProjectionStore(directory, { environment });
  const source = new LogSource({ store: log, environment });
  const host = new ProjectionHost({ store, source, environment, projections: [likes] });
  host.start();
  await host.whenCaughtUp({ signal: AbortSignal.timeout(20_000) });
  const run = () => {
    const pace = { readsPerSecond: 1e9, loopShare: 1 };
    const job = { name: "test", holder: "tests", pace, isThorough: true };
    return ReconcileJob.of({ projection: likes, source, store, environment }, job).run();
  };
  const report = await run();
  const { generation } = host.target("likes")!;
  await host.close();
  const { hash } = environment;
  expect(await inconsistenciesIn(store, { projection: likes, generation, hash }), file).toEqual([]);
  const totals = await readTotals(store, generation);
  expect([...totals.values()], file).toEqual(Array(documents).fill(2));
  expect(report.outcome, file).toBe("whole");
  const [first, ...entries] = await store.readAudit(0, 1_000);
  const [sink] = await store.get([["sink", "hook", "feed"]]);
  const isKept = [first?.value, sink].every((one) => {
    return one instanceof Uint8Array && toHex(one) === toHex(entry);
  });
  if (isKept) expect(entries, file).toHaveLength(report.counts.corrections);
  expect((await run()).counts, file).toMatchObject({ drifts: 0, undetermined: 0 });
  await store.close();
  const told = toldErrors.splice(0);
  expect(told.includes("projections.set_aside"), file).toBe(setAside !== undefined);
  // What is lost of it is told.
  expect(told.includes("projections.journal_lost"), file).toBe(!isKept);
  expect(told, file).not.toContain("projections.turn_failed");
  expect(setAside === undefined || damages.length > 0, file).toBe(true);
  return { isSetAside: setAside !== undefined, isKept };
}

// Goal: whatever is wrong with the files of a projection database, it opens, and its rows are those of the source again.
// Method: a database of a table and a log; a byte of each of its files is flipped, here and there, in a copy each time.
test("[PRJ-15] [REC-1] bytes flipped in the files of projections: opened or set aside, and right again, and what is lost of the journal is told", async () => {
  const database = path.join(projectionsIn(folder), "database");
  const files = (await readdir(database)).filter((name) =>
    /^(\d+\.(ldb|log)|MANIFEST.*|CURRENT)$/.test(name),
  );
  expect(files.some((name) => name.endsWith(".ldb"))).toBe(true);
  expect(files.some((name) => name.endsWith(".log"))).toBe(true);
  const mended: Mended[] = [];
  for (const file of files) {
    const bytes = await readFile(path.join(database, file));
    if (bytes.length === 0) continue;
    const count = /^\d/.test(file) ? flipsEach : 1;
    for (let flip = 0; flip < count; flip++) {
      const copy = path.join(folder, `copy-${file}-${flip}`);
      await cp(projectionsIn(folder), copy, { recursive: true });
      const harmed = Uint8Array.from(bytes);
      harmed[Math.floor(((flip + 0.5) / count) * bytes.length)]! ^= 0x10;
      await writeFile(path.join(copy, "database", file), harmed);
      mended.push(await mend(copy, `${file} ${flip}`));
      await rm(copy, { recursive: true });
    }
  }
  expect(new Set(mended.map(({ isSetAside }) => isSetAside))).toEqual(new Set([true, false]));
  expect(mended.some(({ isSetAside, isKept }) => isSetAside && isKept)).toBe(true);
});
