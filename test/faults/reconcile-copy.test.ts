import { cp } from "node:fs/promises";
import path from "node:path";

import {
  decodeTotal,
  encodeTotal,
  feedPath,
  isClean,
  kindPath,
  ReconcileJob,
  totalPath,
} from "@heddle/reconcile";
import { LogSource, ProjectionHost, type LiveReplica } from "@heddle/replica";
import { openReplica } from "@heddle/replica/node";
import {
  levelStore,
  openLevelProjectionStore,
  openLevelStore,
  type LevelLogStore,
  type LevelProjectionStore,
} from "@heddle/storage-level";
import { afterEach, beforeEach, expect, test } from "vitest";

import { environment, projectionsIn, writePosts } from "./built-projection.ts";
import { likes } from "./likes-projection.ts";
import { StoreFolder } from "./store-survey.ts";

// Goal: a job may read its source from a copy of the store, so that the one that people use is not read: it corrects from
// a copy that is whole, and from one that knows of less than the projection it corrects nothing.
// Method: a replica that is open, its projection beside it, and copies of its folder as LevelDB has it at the time.

let place: StoreFolder;
let log: LevelLogStore;
let replica: LiveReplica;
let store: LevelProjectionStore;
let host: ProjectionHost;
let copies = 0;
const generation = { projection: "likes", number: 1 };

beforeEach(async () => {
  place = await StoreFolder.makeQuick();
  const folder = path.join(place.folder, "live");
  await writePosts(folder, 4);
  log = await openLevelStore(folder, { environment });
  replica = await openReplica({ store: log });
  ({ store } = await openLevelProjectionStore(projectionsIn(folder), { environment }));
  const source = new LogSource({ store: log, environment, access: replica.replica.access });
  host = new ProjectionHost({ store, source, environment, projections: [likes], pollMs: 20 });
  host.start();
  await like("post 0", "cy");
});
afterEach(async () => {
  await host.close();
  await replica.close();
  await store.close();
  await log.close();
  await place[Symbol.asyncDispose]();
});

/** One more in a document, and in the projection. */
async function like(name: string, who: string): Promise<void> {
  const document = await replica.open(name);
  document.ydoc.getMap("likes").set(who, true);
  await document.whenSaved();
  await host.whenCaughtUp({ signal: AbortSignal.timeout(20_000) });
}

async function totals(): Promise<readonly unknown[]> {
  const under = kindPath("total", generation);
  const page = await store.readPage({ under, limit: 100 });
  return page.map(({ value }) => decodeTotal(value as Uint8Array).value);
}

/** A hand on the database: the total of one document, which then is 997. */
async function tamper(name: string): Promise<void> {
  const value = encodeTotal({ value: 997, documents: 1 });
  await store.apply({ put: [{ path: totalPath(generation, name, "likes"), value }] });
}

/** As it lies on the disk now, while it is in use. */
async function copy(): Promise<string> {
  const folder = path.join(place.folder, `copy ${++copies}`);
  await cp(path.join(place.folder, "live"), folder, { recursive: true });
  return folder;
}

/** A thorough run: each document is read from the copy, and made anew. */
async function reconcileFrom(folder: string) {
  const copied = await openLevelStore(folder, { environment });
  try {
    const source = new LogSource({ store: copied, environment, isCopy: true });
    const pace = { readsPerSecond: 1e9, loopShare: 1 };
    const job = { name: "copy", holder: "tests", pace, isThorough: true, feedWaitMs: 0 };
    return await ReconcileJob.of({ projection: likes, source, store, environment }, job).run();
  } finally {
    await copied.close();
  }
}

test("[REC-1] [REC-3] a copy that is whole is corrected from, each time that it is opened", async () => {
  const folder = await copy();
  for (const name of ["post 1", "post 2"]) {
    await tamper(name);
    const report = await reconcileFrom(folder);
    expect(report).toMatchObject({ outcome: "whole", drifts: [{ partition: name }] });
    expect(report.counts).toMatchObject({ documents: 4, drifts: 1, corrections: 1 });
    expect(await totals()).toEqual([3, 2, 2, 2]);
  }
  expect((await reconcileFrom(folder)).counts).toMatchObject({ drifts: 0, undetermined: 0 });
  // A document that the projection has lost.
  for (const kind of ["marker", "row", "total"] as const) {
    const under = kindPath(kind, generation, "post 2");
    const lost = await store.readPage({ under, limit: 100 });
    await store.apply({ remove: lost.map((record) => record.path) });
  }
  expect((await reconcileFrom(folder)).counts).toMatchObject({ drifts: 1, corrections: 1 });
  expect(await totals()).toEqual([3, 2, 2, 2]);
});

// Method: a follower takes in all that a document holds by then, and is killed before its place says so.
test("[REC-2] [REC-3] a document of which the projection knows more than its place in the feed says is left alone", async () => {
  const [place] = await store.get([feedPath(generation)]);
  const old = await copy();
  await like("post 3", "cy");
  await host.close();
  await store.apply({ put: [{ path: feedPath(generation), value: place as Uint8Array }] });
  const report = await reconcileFrom(old);
  expect(report).toMatchObject({ outcome: "whole", counts: { corrections: 0, postponed: 1 } });
  expect(isClean(report)).toBe(false);
  expect(await totals()).toEqual([3, 2, 2, 3]);
});

test("[REC-3] one that lags behind the projection is not: newer rows, and what a hand did, stay until it is new", async () => {
  const old = await copy();
  await like("post 3", "cy");
  await tamper("post 1");
  const before = await store.readAudit(0, 100);
  expect(await reconcileFrom(old)).toMatchObject({ outcome: "source-behind", drifts: [] });
  expect(await totals()).toEqual([3, 997, 2, 3]);
  expect(await store.readAudit(0, 100)).toEqual(before);
  expect((await reconcileFrom(await copy())).counts).toMatchObject({ corrections: 1 });
  expect(await totals()).toEqual([3, 2, 2, 3]);
});

test("[REC-3] nor one that was written to by itself, as far as the original is or farther", async () => {
  const twin = await copy();
  const apart = await openReplica({ store: levelStore(twin) });
  for (const name of ["post 0", "post 1", "post 2"]) {
    const document = await apart.open(name);
    document.ydoc.getMap("likes").clear();
    await document.whenSaved();
  }
  await apart.close();
  await like("post 3", "cy");
  expect(await reconcileFrom(twin)).toMatchObject({ outcome: "source-behind", drifts: [] });
  expect(await totals()).toEqual([3, 2, 2, 3]);
});
