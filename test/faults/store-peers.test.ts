import { cp, rm } from "node:fs/promises";
import path from "node:path";

import type { LogStore, StoreId } from "@heddle/core";
import { openLevelStore, verifyFolder } from "@heddle/storage-level";
import {
  collectChunks,
  testDocument,
  testEnvironment,
  testHash,
  TestWriter,
} from "@heddle/testkit";
import { expect, test } from "vitest";

import { runHeddle } from "../processes/heddle-command.ts";
import { flipAnyBit, peerRecords, StoreFolder } from "./store-survey.ts";

// Goal: what a store heard from others is not believed by an older state of it, and what it has to show
// to others is not lost with that.
// Method: real LevelDB; copies, repairs and flipped bits of a store that has kept something of each kind.

const peer = "9e".repeat(16) as StoreId;
const environment = testEnvironment("peers");
const notes = testDocument(environment, "notes");

async function fill(folder: string): Promise<void> {
  const store = await openLevelStore(folder, { environment });
  const writer = await TestWriter.open(environment);
  await store.append({ lanes: [writer.lane], documents: [notes] });
  await store.append({ envelopes: [writer.seal(notes.id), writer.seal(notes.id)] });
  await store.append(peerRecords(notes.id, writer));
  await store.close();
}

async function kept(store: LogStore) {
  return {
    cursors: (await store.readCursors()).length,
    acks: (await collectChunks(store.readAcks(peer))).length,
    forks: (await store.readForks(notes.id)).length,
    refused: (await collectChunks(store.readRefused())).length,
    audit: (await collectChunks(store.readAudit())).length,
  };
}

async function keptIn(folder: string): Promise<Awaited<ReturnType<typeof kept>>> {
  const store = await openLevelStore(folder, { environment });
  try {
    return await kept(store);
  } finally {
    await store.close();
  }
}

const all = { cursors: 1, acks: 1, forks: 1, refused: 1, audit: 1 };
const ownOnly = { cursors: 0, acks: 0, forks: 1, refused: 1, audit: 1 };

test("[STO-16] cursors and acknowledgements survive a restart, and no copy of the folder", async () => {
  await using place = await StoreFolder.makeQuick();
  await using copy = await StoreFolder.makeQuick();
  await fill(place.folder);
  expect(await keptIn(place.folder)).toEqual(all);
  await rm(copy.folder, { recursive: true });
  await cp(place.folder, copy.folder, { recursive: true });
  expect(await keptIn(copy.folder)).toEqual(ownOnly);
  expect(await keptIn(copy.folder)).toEqual(ownOnly);
  expect(await keptIn(place.folder)).toEqual(all);
});

test("[STO-16][STO-17][DRF-4] a repair keeps forks, refusals and the audit journal, and what was heard from others not", async () => {
  await using place = await StoreFolder.makeQuick();
  const data = path.join(place.folder, "data");
  await fill(data);
  expect(await runHeddle("repair", data)).toMatchObject({ status: 0 });
  expect(await keptIn(`${data}-repaired`)).toEqual(ownOnly);
  expect(await keptIn(data)).toEqual(all);
});

test("[STO-10] verify finds a flipped bit in each of them, and an acknowledged lane that is unknown", async () => {
  await using place = await StoreFolder.makeQuick();
  await fill(place.folder);
  const damages = async () => {
    const { findings } = await verifyFolder(place.folder, { hash: testHash });
    return findings.filter(({ severity }) => severity === "damage").map(({ what }) => what);
  };
  expect(await damages()).toEqual([]);
  const ofPeers = { P: "peer cursor", O: "acknowledgement", F: "fork", N: "refused envelope" };
  const kinds = { ...ofPeers, j: "audit entry" };
  const entries = await place.entries();
  for (const [prefix, kind] of Object.entries(kinds)) {
    const [key, value] = entries.find(([bytes]) => bytes[0] === prefix.charCodeAt(0))!;
    const record = flipAnyBit(value, environment);
    await place.raw((database) => database.write([{ type: "put", key, value: record }]));
    const found = await damages();
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(`${kind} record`);
    await place.raw((database) => database.write([{ type: "put", key, value }]));
  }
  expect(await damages()).toEqual([]);
});
