import path from "node:path";

import { toHex, type LaneDescriptor } from "@heddle/core";
import {
  compactStore,
  logFolderName,
  openLevelDatabase,
  verifyFolder,
} from "@heddle/storage-level";
import {
  collectChunks,
  testDocument,
  testEnvironment,
  testHash,
  TestWriter,
} from "@heddle/testkit";
import { describe, expect, test } from "vitest";
import * as Y from "yjs";

import { runHeddle } from "../processes/heddle-command.ts";
import { StoreFolder } from "./store-survey.ts";
import { checkpoint, inStore, textIn, TypedText } from "./written-store.ts";

// Goal: one damaged record costs what nothing else can say, and the report names just that.
// Method: change or drop records of one kind through LevelDB, whose own checksums are then right.

const words = (count: number, label: string) =>
  Array.from({ length: count }, (_, index) => `${label}${index} `);

interface Repaired {
  readonly ok: boolean;
  readonly damages: number;
  readonly groupsLost: number;
  readonly documents: readonly Record<string, unknown>[];
}

describe("a repaired store, when of the damaged one", () => {
  test("[STO-11] a lane has lost its descriptor: what it held is sealed in another", async () => {
    await using place = await StoreFolder.make();
    const { data, text } = await written(place);
    await change(data, (key) => key[0] === letter("L"), flipped);
    const { ok, documents } = await repair(data);
    expect(ok).toBe(false);
    expect(documents).toMatchObject([{ name: "notes", missing: [], resealed: 40 }]);
    expect(await savedText(data, text)).toBe(text.text);
  });

  test("[STO-11] the name of a document is lost: it is kept under its id", async () => {
    await using place = await StoreFolder.make();
    const { data, text } = await written(place);
    await change(data, (key) => key[0] === letter("D"), flipped);
    const { ok, documents } = await repair(data);
    expect(ok).toBe(false);
    const { id } = text.document;
    expect(documents).toMatchObject([{ id, name: id, isNameLost: true, missing: [] }]);
    expect(await savedText(data, text)).toBe(text.text);
  });

  test("[STO-11] the only record that names an empty document is gone: it is missed, and what waits in it kept", async () => {
    await using place = await StoreFolder.makeQuick();
    const { data } = await written(place);
    const environment = testEnvironment("empty", { timers: "real" });
    const [empty, waiting] = ["empty", "waiting"].map((name) => testDocument(environment, name));
    const update = { id: "ab".repeat(16), update: Uint8Array.of(1, 2), parkedAtMs: 1 };
    await inStore(data, async (store) => {
      await store.append({ documents: [empty!, waiting!] });
      await store.append({ park: [{ document: waiting!.id, update }] });
    });
    for (const { id } of [empty!, waiting!]) {
      const isRecord = (key: Uint8Array) => key[0] === letter("D") && toHex(key.subarray(1)) === id;
      await change(data, isRecord, undefined);
    }
    const { ok, documents } = await repair(data);
    expect(ok).toBe(false);
    const lost = documents.filter(({ isNameLost }) => isNameLost).map(({ id }) => id);
    expect(lost).toEqual([empty!.id, waiting!.id].toSorted());
    await inStore(`${data}-repaired`, async (store) => {
      expect(await store.readParked(waiting!.id)).toMatchObject([update]);
    });
  });

  test("[STO-11] an envelope below a checkpoint is gone: the document stands on that", async () => {
    await using place = await StoreFolder.make();
    const { data, text } = await written(place, true);
    await change(data, isEnvelope(3), undefined);
    const { ok, documents } = await repair(data);
    expect(ok).toBe(false);
    const [lane] = text.lanes;
    const historyLost = [{ lane, fromSeq: 1, toSeq: 20 }];
    expect(documents).toMatchObject([{ missing: [], historyLost, resealed: 0 }]);
    expect(await savedText(data, text)).toBe(text.text);
  });

  test("[STO-11] the checkpoint is damaged, too: what went before the gap is left", async () => {
    await using place = await StoreFolder.make();
    const { data, text } = await written(place, true);
    await change(data, isEnvelope(3), undefined);
    await change(data, (key) => key[0] === letter("C"), flipped);
    const { ok, documents } = await repair(data);
    expect(ok).toBe(false);
    const [lane, later] = text.lanes;
    expect(documents).toMatchObject([
      {
        missing: [
          { lane, fromSeq: 3, toSeq: 20 },
          { lane: later, fromSeq: 1, toSeq: 20 },
        ],
      },
    ]);
    expect(await savedText(data, text)).toBe("a1 a0 ");
  });

  test("[STO-11] a commit group is damaged: its envelopes are there, and the group is missed", async () => {
    await using place = await StoreFolder.make();
    const { data, text } = await written(place);
    await change(data, (key) => key[0] === letter("A") && key.at(-1) === 7, flipped);
    expect(await repair(data)).toMatchObject({ ok: false, groupsLost: 1 });
    expect(await savedText(data, text)).toBe(text.text);
  });
});

test("[STO-11] above a gap in a lane, what others wrote in it is sealed in another", async () => {
  await using place = await StoreFolder.make();
  const data = path.join(place.folder, "data");
  const environment = testEnvironment("shared lane", { timers: "real" });
  const document = testDocument(environment, "shared");
  // As in a relay: one lane, many clients, none of which builds on another.
  await inStore(data, async (store) => {
    const writer = await TestWriter.open(environment);
    await store.append({ documents: [document], lanes: [writer.lane] });
    for (let client = 1; client <= 6; client++) {
      const person = new Y.Doc();
      person.clientID = client;
      person.getMap("by").set(String(client), "here");
      const update = Y.encodeStateAsUpdate(person);
      await store.append({ envelopes: [writer.seal(document.id, update)] });
    }
  });
  await change(data, isEnvelope(3), undefined);
  const { documents } = await repair(data);
  expect(documents).toMatchObject([
    { envelopes: 5, resealed: 3, missing: [{ fromSeq: 3, toSeq: 3 }] },
  ]);
});

function letter(text: string): number {
  return text.charCodeAt(0);
}

/** The first envelope in the order of keys that has this seq. */
function isEnvelope(seq: number): (key: Uint8Array) => boolean {
  let isDone = false;
  return (key) => {
    if (isDone || key[0] !== letter("E") || key.at(-1) !== seq) return false;
    isDone = true;
    return true;
  };
}

async function written(place: StoreFolder, isCheckpointed = false) {
  const data = path.join(place.folder, "data");
  const typed = new TypedText("records", "notes");
  const lanes: LaneDescriptor["id"][] = [];
  await inStore(data, async (store) => {
    lanes.push(await typed.type(store, words(20, "a")));
    if (isCheckpointed) await checkpoint(store, typed);
    lanes.push(await typed.type(store, words(20, "b")));
  });
  const { document, text } = typed;
  return { data, text: { document, text, lanes } };
}

/** Puts `replace(record)` in the place of records, or nothing. */
async function change(
  data: string,
  isMeant: (key: Uint8Array) => boolean,
  replace: ((record: Uint8Array) => Uint8Array) | undefined,
): Promise<void> {
  const folder = path.join(data, logFolderName);
  const database = await openLevelDatabase(folder, { createIfMissing: false });
  try {
    const everything = { gte: new Uint8Array(), lt: Uint8Array.of(0xff) };
    for (const [key, value] of await collectChunks(database.entries(everything))) {
      if (!isMeant(key)) continue;
      if (replace) await database.write([{ type: "put", key, value: replace(value) }]);
      else await database.write([{ type: "del", key }]);
    }
  } finally {
    await database.close();
  }
  // Older versions would prove themselves: LevelDB has to throw them away.
  await compactStore(data, testHash);
}

function flipped(record: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(record);
  copy[copy.length - 1]! ^= 1;
  return copy;
}

async function repair(data: string): Promise<Repaired> {
  const { status, out, err } = await runHeddle("repair", data, "--json");
  expect(err).toBe("");
  const repaired = JSON.parse(out) as Repaired;
  expect(status).toBe(repaired.ok ? 0 : 1);
  const { findings } = await verifyFolder(`${data}-repaired`, { hash: testHash });
  expect(findings.filter(({ severity }) => severity === "damage")).toEqual([]);
  return repaired;
}

function savedText(data: string, { document }: Pick<TypedText, "document">): Promise<string> {
  return inStore(`${data}-repaired`, (store) => textIn(store, document));
}
