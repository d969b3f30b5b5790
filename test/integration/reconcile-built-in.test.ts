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
  type FeedPage,
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
import {
  inconsistenciesIn,
  readTotals,
  recountSource,
  testDocument,
  testEnvironment,
  TestWriter,
} from "@heddle/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Doc, encodeStateAsUpdate } from "yjs";

// Goal: each built-in projection is made right after a hand on its database, on real stores, and after events
// that its feed lost; those that it says twice change nothing.
// Method: one data folder with documents of every kind; for each projection a total and a row are changed on
// the disk, then the feed loses or repeats groups. A full recount that shares no code with jobs says whether all is
// as it should be.

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
let source: FaultyFeed;
let host: ProjectionHost<SharedTypes>;

/** The log as it is, with a feed that can lose groups, and say them twice. */
class FaultyFeed extends LogSource {
  fault: "loses" | "repeats" | undefined;

  override async readFeed(after: number, limit: number): Promise<FeedPage> {
    const { groups } = await super.readFeed(after, limit);
    const told = groups.map(({ number, documents }) => {
      if (this.fault === "loses") return { number, documents: [] };
      return { number, documents: this.fault ? [...documents, ...documents] : documents };
    });
    return { groups: this.fault === "repeats" ? told.flatMap((one) => [one, one]) : told };
  }
}

/** What somebody writes into a room. */
function fill(ydoc: Doc, index: number): void {
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
}

/** Appends what somebody else wrote into a room, while the feed is as it is told to be. */
async function writeWith(fault: FaultyFeed["fault"], rooms: readonly number[]): Promise<void> {
  source.fault = fault;
  const test = testEnvironment(`rooms ${rooms.join(" ")}`);
  const writer = await TestWriter.open(test);
  for (const room of rooms) {
    const document = testDocument(test, `room ${room}`);
    const ydoc = new Doc();
    fill(ydoc, room + 10);
    const envelopes = [writer.seal(document.id, encodeStateAsUpdate(ydoc))];
    await log.append({ lanes: [writer.lane], documents: [document], envelopes });
  }
  await host.whenCaughtUp();
  source.fault = undefined;
}

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "heddle-built-in-"));
  const replica = await openReplica({ store: levelStore(folder) });
  for (let index = 0; index < 4; index++) {
    const { ydoc, whenSaved } = await replica.open(`room ${index}`).then((document) => ({
      ydoc: document.ydoc,
      whenSaved: () => document.whenSaved(),
    }));
    fill(ydoc, index);
    await whenSaved();
  }
  await replica.close();
  log = await openLevelStore(folder, { environment });
  ({ store } = await openLevelProjectionStore(path.join(folder, "projections"), { environment }));
  source = new FaultyFeed({ store: log, environment });
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

function reconcile(projection: Projection<SharedTypes>) {
  const job = { name: "test", holder: "tests", pace: { readsPerSecond: 1e9, loopShare: 1 } };
  return ReconcileJob.of({ projection, source, store, environment }, job).run();
}

const other = (value: RowValue): RowValue => (typeof value === "number" ? value - 3 : "tampered");

describe.each(builtIn.map((projection) => [projection.name, projection] as const))(
  "%s",
  (_, projection) => {
    test("[REC-1] is made right after a hand on a total, and on a row, each with an entry in the journal", async () => {
      const { generation } = host.target(projection.name)!;
      expect(await wrongIn(projection, generation)).toEqual([]);
      const run = () => reconcile(projection);
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

describe("a feed that does what it must not", () => {
  test("[REC-1] events that it lost, of a room with rows and of a new one, are found as missed in each of them", async () => {
    await writeWith("loses", [1, 7]);
    for (const projection of builtIn) {
      const { generation } = host.target(projection.name)!;
      const about = projection.name;
      expect(await wrongIn(projection, generation), about).not.toEqual([]);
      const report = await reconcile(projection);
      expect(report.counts, about).toMatchObject({ corrections: 2, failures: 0 });
      expect(new Set(report.drifts.map(({ cause }) => cause)), about).toEqual(new Set(["missed"]));
      expect(await wrongIn(projection, generation), about).toEqual([]);
      expect((await reconcile(projection)).counts, about).toMatchObject({ drifts: 0 });
    }
  });

  test("[PRJ-8] [REC-1] events that it says twice change none of them", async () => {
    await writeWith("repeats", [2, 8]);
    for (const projection of builtIn) {
      const { generation } = host.target(projection.name)!;
      expect(await wrongIn(projection, generation), projection.name).toEqual([]);
      expect((await reconcile(projection)).counts, projection.name).toMatchObject({ drifts: 0 });
    }
  });
});
