import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import {
  decodeRow,
  decodeTotal,
  encodeRow,
  encodeTotal,
  equalRowValues,
  inbox,
  kindPath,
  notificationState,
  ReconcileJob,
  rollups,
  searchDocuments,
  setCounters,
  shardedTotals,
  unreadCounts,
  type GenerationId,
  type Projection,
  type RowValue,
  type SharedTypes,
} from "@heddle/reconcile";
import { LogSource, ProjectionHost } from "@heddle/replica";
import { nodeEnvironment, openReplica } from "@heddle/replica/node";
import {
  levelStore,
  openLevelProjectionStore,
  openLevelStore,
  type LevelLogStore,
  type LevelProjectionStore,
} from "@heddle/storage-level";
import { inconsistenciesIn, readTotals, recountSource } from "@heddle/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

// Goal: each built-in projection is made right after a hand on its database, on real stores.
// Method: one data folder with documents of every kind; for each projection a total and a row are changed on
// the disk, and a full recount that shares no code with jobs says whether all is as it should be.

const owner = "tests";
const builtIn: readonly Projection<SharedTypes>[] = [
  setCounters({ name: "likes", owner }),
  shardedTotals({ name: "visits", owner }),
  unreadCounts({ name: "unread", owner }),
  inbox({ name: "inbox", owner }),
  notificationState({ name: "notices", owner }),
  searchDocuments({ name: "search", owner }),
  rollups({ name: "activity", owner, bucketMs: 60_000 }) as Projection<SharedTypes>,
];

const ignore = (): void => undefined;
const environment = nodeEnvironment({ debug: ignore, info: ignore, warn: ignore, error: ignore });
let folder: string;
let log: LevelLogStore;
let store: LevelProjectionStore;
let source: LogSource;
let host: ProjectionHost<SharedTypes>;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "heddle-built-in-"));
  const replica = await openReplica({ store: levelStore(folder) });
  for (let index = 0; index < 4; index++) {
    const { ydoc, whenSaved } = await replica.open(`room ${index}`).then((document) => ({
      ydoc: document.ydoc,
      whenSaved: () => document.whenSaved(),
    }));
    ydoc.transact(() => {
      for (const person of ["ada", "bo", "cy"]) {
        ydoc.getMap("edges").set(`post ${index % 2}/${person} ${index}`, true);
        ydoc.getMap("members").set(person, true);
        ydoc.getMap("counters").set(`visits/${person}`, index + 1);
      }
      ydoc.getArray("messages").push([{ id: `${index}`, from: "ada", atMs: index, text: "hello" }]);
      ydoc.getArray("notices").push([{ to: "bo", atMs: index + 1, text: "look" }]);
      ydoc.getText("text").insert(0, `page ${index}`);
    });
    await whenSaved();
  }
  await replica.close();
  log = await openLevelStore(folder, { environment });
  ({ store } = await openLevelProjectionStore(path.join(folder, "projections"), { environment }));
  source = new LogSource({ store: log, environment });
  host = new ProjectionHost({ store, source, environment, projections: builtIn });
  host.start();
  await host.whenCaughtUp();
});

afterAll(async () => {
  await host.close();
  await store.close();
  await log.close();
  await rm(folder, { recursive: true, force: true });
});

/** What is not as a full recount has it, or does not fit within the generation. */
async function wrongIn(projection: Projection<SharedTypes>, generation: GenerationId) {
  const found = await readTotals(store, generation);
  const right = await recountSource(projection, source);
  const names = new Set([...found.keys(), ...right.keys()]);
  const differing = [...names].filter((name) => {
    return !equalRowValues(found.get(name) ?? null, right.get(name) ?? null);
  });
  const { hash } = environment;
  return [...differing, ...(await inconsistenciesIn(store, { projection, generation, hash }))];
}

const other = (value: RowValue): RowValue => (typeof value === "number" ? value - 3 : "tampered");

describe.each(builtIn.map((projection) => [projection.name, projection] as const))(
  "%s",
  (_, projection) => {
    test("[REC-1] is made right after a hand on a total, and on a row, each with an entry in the journal", async () => {
      const { generation } = host.target(projection.name)!;
      expect(await wrongIn(projection, generation)).toEqual([]);
      const run = () => {
        const job = { name: "test", holder: "tests", pace: { readsPerSecond: 1e9, loopShare: 1 } };
        return ReconcileJob.of({ projection, source, store, environment }, job).run();
      };
      expect((await run()).counts).toMatchObject({ drifts: 0, documents: 4 });
      const [total] = await store.readPage({ under: kindPath("total", generation), limit: 1 });
      const before = decodeTotal(total!.value as Uint8Array);
      const tampered = encodeTotal({ ...before, value: other(before.value) });
      await store.apply({ put: [{ path: total!.path, value: tampered }] });
      expect(await wrongIn(projection, generation)).not.toEqual([]);
      const first = await run();
      expect(first.drifts).toMatchObject([{ cause: "tampered", action: "corrected" }]);
      expect(await wrongIn(projection, generation)).toEqual([]);

      const [row] = await store.readPage({ under: kindPath("row", generation), limit: 1 });
      const value = decodeRow(row!.value as Uint8Array);
      const changed = encodeRow({ ...value, value: other(value.value) });
      await store.apply({ put: [{ path: row!.path, value: changed }] });
      const second = await run();
      expect(second.counts).toMatchObject({ drifts: 1, corrections: 1 });
      expect(await wrongIn(projection, generation)).toEqual([]);
      expect((await run()).counts).toMatchObject({ drifts: 0, corrections: 0 });
    });
  },
);

test("[REC-1] every one of these corrections is in the journal, and nothing else", async () => {
  const entries = await store.readAudit(0, 1_000);
  expect(entries).toHaveLength(2 * builtIn.length);
});
