import { cp, rm } from "node:fs/promises";

import type { StoreId } from "@heddle/core";
import { collectChunks, testDocument, testEnvironment, TestWriter } from "@heddle/testkit";
import { afterEach, beforeEach, expect, it } from "vitest";

import { FaultyLevel, type WriteFault } from "./faulty-database.fixture.ts";
import { openLevelStore } from "./open-level-store.ts";
import { temporaryFolder, type TemporaryFolder } from "./temporary-folder.fixture.ts";

// Goal: a store that is an older state of itself forgets what it heard, however often its opening fails.
// Method: real LevelDB in a copied folder; each write of the opening fails in turn.

const environment = testEnvironment("forgotten peers");
const peer = "9e".repeat(16) as StoreId;
let original: TemporaryFolder;
let copy: TemporaryFolder;

beforeEach(async () => {
  original = await temporaryFolder();
  copy = await temporaryFolder();
});
afterEach(async () => {
  await original.remove();
  await copy.remove();
});

const cases: readonly (readonly [WriteFault, number])[] = [
  ["fails", 1],
  ["lands but fails", 1],
  ["fails", 2],
  ["lands but fails", 2],
  ["fails", 3],
];
it.each(cases)(
  "[STO-16] forgets peers when write %s at operation %i of the opening",
  async (fault, operation) => {
    const writer = await TestWriter.open(environment);
    const notes = testDocument(environment, "notes");
    const store = await openLevelStore(original.folder, { environment });
    const cursor = { store: peer, incarnation: new Uint8Array(16), arrival: 1 };
    const ack = { store: peer, document: notes.id, lane: writer.lane.id, seq: 1 };
    await store.append({ documents: [notes], lanes: [writer.lane] });
    await store.append({ envelopes: [writer.seal(notes.id)], cursors: [cursor], acks: [ack] });
    await store.close();
    await rm(copy.folder, { recursive: true });
    await cp(original.folder, copy.folder, { recursive: true });
    const level = new FaultyLevel();
    const sound = Array.from({ length: operation - 1 }, () => undefined);
    level.writeFaults.push(...sound, fault);
    const opening = openLevelStore(copy.folder, { environment, openDatabase: level.open });
    await expect(opening).rejects.toThrow();
    const opened = await openLevelStore(copy.folder, { environment });
    expect(await opened.readCursors()).toEqual([]);
    expect(await collectChunks(opened.readAcks(peer))).toEqual([]);
    await opened.close();
  },
);
