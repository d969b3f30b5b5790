import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import type { Environment } from "@heddle/core";
import {
  inbox,
  notificationState,
  rollups,
  searchDocuments,
  setCounters,
  shardedTotals,
  unreadCounts,
  type Projection,
  type SharedTypes,
} from "@heddle/reconcile";
import { LogSource, ProjectionHost, type LiveReplica } from "@heddle/replica";
import { nodeEnvironment, openReplica } from "@heddle/replica/node";
import {
  openLevelProjectionStore,
  openLevelStore,
  type LevelLogStore,
  type LevelProjectionStore,
} from "@heddle/storage-level";
import { inconsistenciesIn, readTotals, recountSource } from "@heddle/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";

// Goal: projections are what people's documents say, on real disks and with real documents.
// Method: a replica that people edit, its log as the source, every built-in projection on LevelDB, a full recount.

const ignore = () => undefined;
const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };
const owner = "tests";
const projections: Projection<SharedTypes>[] = [
  setCounters({ name: "likes", owner }),
  shardedTotals({ name: "totals", owner }),
  unreadCounts({ name: "unread", owner }),
  inbox({ name: "inbox", owner }),
  notificationState({ name: "bells", owner }),
  searchDocuments({ name: "search", owner }),
  rollups({ name: "activity", owner, bucketMs: 60_000, measure: () => [["changes", 1]] }),
];

let folder: string;
let environment: Environment;
let log: LevelLogStore;
let replica: LiveReplica;
let store: LevelProjectionStore;
let host: ProjectionHost<SharedTypes>;

async function open(): Promise<void> {
  environment = nodeEnvironment(silent);
  log = await openLevelStore(path.join(folder, "replica"), { environment });
  replica = await openReplica({ store: log });
  ({ store } = await openLevelProjectionStore(path.join(folder, "projections"), { environment }));
  const source = new LogSource({ store: log, environment, access: replica.replica.access });
  host = new ProjectionHost({ store, source, environment, projections, pollMs: 50 });
  host.start();
}

async function close(): Promise<void> {
  await host.close();
  await replica.close();
  await store.close();
  await log.close();
}

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "heddle-projections-"));
  await open();
});
afterEach(async () => {
  await close();
  rmSync(folder, { recursive: true, force: true });
});

async function write(): Promise<void> {
  for (const room of ["one", "two"]) {
    const document = await replica.open(`rooms/${room}`);
    const { ydoc } = document;
    for (const person of ["ada", "bo"]) ydoc.getMap("members").set(person, true);
    ydoc.getArray("messages").push([{ id: "1", from: "ada", atMs: 5, text: `hello ${room}` }]);
    ydoc.getArray("notices").push([{ to: "bo", atMs: 5, text: "welcome" }]);
    ydoc.getMap("counters").set(`visits/${room}`, 3);
    ydoc.getText("text").insert(0, `all about ${room}`);
    for (let person = 0; person < 20; person++) ydoc.getMap("edges").set(`post/p${person}`, true);
    await document.close();
  }
}

async function expectAllWhole(): Promise<void> {
  await host.whenCaughtUp();
  for (const projection of projections) {
    const { generation, hash } = host.target(projection.name)!;
    expect(await inconsistenciesIn(store, { projection, generation, hash })).toEqual([]);
    const found = await readTotals(store, generation);
    const counted = await recountSource(projection, host.source);
    expect([...found].toSorted(), projection.name).toEqual([...counted].toSorted());
    expect(found.size, projection.name).toBeGreaterThan(0);
  }
}

test("[PRJ-8] every built-in projection is what documents say, over edits, restarts and rebuilds", async () => {
  await write();
  await expectAllWhole();
  expect(await host.reader("likes").get("all", "post")).toBe(40);
  expect(await host.reader("unread").get("all", "bo")).toBe(2);
  expect(await host.reader("totals").get("all", "visits")).toBe(6);
  expect(await host.reader("search").get("all", "rooms/one")).toEqual({
    title: "",
    text: "all about one",
  });
  const stepsBefore = host.statuses.map(({ counters }) => counters.projected);
  await host.whenCaughtUp();
  // At rest nothing is read again.
  expect(host.statuses.map(({ counters }) => counters.projected)).toEqual(stepsBefore);

  await close();
  await open();
  const document = await replica.open("rooms/one");
  document.ydoc.getMap("edges").delete("post/p7");
  document.ydoc.getMap("read").set("bo", "1");
  await document.whenSaved();
  await expectAllWhole();
  expect(await host.reader("likes").get("all", "post")).toBe(39);
  expect(await host.reader("unread").get("all", "bo")).toBe(1);
  for (const { counters } of host.statuses) {
    expect(counters.comparisons).toBe(0);
    expect(counters.projected).toBe(1);
  }

  host.rebuild("likes");
  document.ydoc.getMap("edges").set("post/new", true);
  await document.close();
  await expectAllWhole();
  expect(host.target("likes")!.generation.number).toBe(2);
  expect(await host.reader("likes").get("all", "post")).toBe(40);
});
