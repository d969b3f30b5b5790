import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import {
  HeddleErrorCode,
  parseDocumentName,
  toHex,
  type LogStore,
  type RecalledEnvelope,
} from "@heddle/core";
import { Replica } from "@heddle/replica";
import { ephemeralDeviceKey, nodeEnvironment, openReplica } from "@heddle/replica/node";
import { openLevelStore } from "@heddle/storage-level";
import { afterEach, beforeEach, expect, test } from "vitest";
import * as Y from "yjs";

import { openLogger } from "./logger.ts";
import { main } from "./main.ts";

const notes = parseDocumentName("notes");
const quarantinedId = "0b".repeat(16);
const notKeptId = "0c".repeat(16);
const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const never = new AbortController().signal;
let data: string;
let out: string[] = [];
let errors: string[] = [];
const io = {
  out: (line: string) => void out.push(line),
  err: (line: string) => void errors.push(line),
  isTTY: false,
};
const environment = nodeEnvironment(openLogger(io, { level: "silent" }));

function heddle(...argv: string[]): Promise<number> {
  [out, errors] = [[], []];
  return main(["quarantine", ...argv], io, never);
}

async function withStore<Value>(task: (store: LogStore) => Promise<Value>): Promise<Value> {
  const store = await openLevelStore(data, { environment });
  try {
    return await task(store);
  } finally {
    await store.close();
  }
}

/** What the document says, after each of `updates` became an envelope of its own. */
async function textOf(store: LogStore, ...updates: Uint8Array[]): Promise<string> {
  const signer = ephemeralDeviceKey();
  const replica = await Replica.open({ store, environment, signer, engine: "test" });
  const document = await replica.acquire(notes);
  for (const update of updates) {
    document.submit(update, {});
    await document.whenSettled();
  }
  const doc = new Y.Doc();
  Y.applyUpdate(doc, document.encodeSince());
  await replica.close();
  return doc.getText("text").toString();
}

async function openNotes(store: LogStore) {
  const replica = await openReplica({ store, signer: ephemeralDeviceKey() });
  return { replica, live: await replica.open("notes") };
}

async function firstDocument(store: LogStore) {
  for await (const document of store.readDocuments()) return document;
  throw new Error("the store has no document");
}

let envelopeId: string;
let payload: Uint8Array;

beforeEach(async () => {
  data = await mkdtemp(path.join(tmpdir(), "heddle-release-"));
  const author = new Y.Doc();
  const updates: Uint8Array[] = [];
  author.on("update", (update: Uint8Array) => updates.push(update));
  for (const word of ["one ", "two "]) author.getText("text").insert(0, word);
  payload = updates[1]!;
  await withStore(async (store) => {
    expect(await textOf(store, ...updates)).toBe("two one ");
    const { id: document, vector } = await firstDocument(store);
    const [lane, { seq, head }] = [...vector][0]!;
    envelopeId = toHex(head);
    const note = { reason: "timeout: odd", validatorVersion: 1, atMs: 1_000 };
    const update = { id: quarantinedId, update: Uint8Array.of(1, 2, 3), size: 3, ...note };
    await store.append({
      recall: [{ document, envelope: { id: envelopeId, lane, seq, ...note } }],
      quarantine: [
        { document, update },
        { document, update: { id: notKeptId, size: 70_000, ...note } },
      ],
    });
    expect(await textOf(store)).toBe("one ");
  });
});

afterEach(() => rm(data, { recursive: true, force: true }));

test("[STO-8] what is released belongs to its document again, for good, and says by whose word", async () => {
  const release = ["release", data, "--doc", "notes", "--by", "ada: looked at it"];
  expect(await heddle(...release, envelopeId.slice(0, 12), quarantinedId)).toBe(0);
  await withStore(async (store) => {
    expect(await textOf(store)).toBe("two one ");
    const { id } = await firstDocument(store);
    const [recall] = await store.readRecalls(id);
    expect(recall).toMatchObject({ id: envelopeId, release: { by: "ada: looked at it" } });
    expect((await store.readQuarantine(id)).map((one) => [one.id, one.release?.by])).toEqual([
      [quarantinedId, "ada: looked at it"],
      [notKeptId, undefined],
    ]);
  });
  expect(await heddle("list", data)).toBe(0);
  expect(out.filter((line) => line.includes("released at"))).toHaveLength(2);
  expect(out.join()).toContain("70000 bytes (not kept)");
  expect(await heddle(...release, "--all")).toBe(0);
  expect(out).toEqual([`released update ${notKeptId}`]);
});

test("[STO-8] what is refused can be had as bytes, in a file that was not there before", async () => {
  const file = path.join(data, "update.bin");
  const exporting = ["export", data, "--doc", "notes", "--out", file];
  expect(await heddle(...exporting, envelopeId)).toBe(0);
  expect(new Uint8Array(await readFile(file))).toEqual(payload);
  expect(await heddle(...exporting, quarantinedId)).toBe(2);
  expect(new Uint8Array(await readFile(file))).toEqual(payload);
  expect(await heddle(...exporting, notKeptId)).toBe(2);
  expect(errors.join()).toContain("not the bytes");
});

test("[STO-5] nothing is released under a running relay, nor by an id that is nobody's", async () => {
  const release = ["release", data, "--doc", "notes", "--by", "ada"];
  const before = await withStore(async (store) => {
    expect(await heddle(...release, envelopeId)).toBe(1);
    expect(errors.join()).toContain(HeddleErrorCode.storageLocked);
    return store.readRecalls((await firstDocument(store)).id);
  });
  expect(await heddle(...release, "ff".repeat(32))).toBe(2);
  expect(await heddle(...release, "0")).toBe(2);
  expect(await heddle(...release)).toBe(2);
  await withStore(async (store) => {
    expect(await store.readRecalls((await firstDocument(store)).id)).toEqual(before);
  });
});

test("[OBS-1] what an application said of a refused edit is shown, and found by its id", async () => {
  const [correlationId, editReason] = [Uint8Array.of(7, 8), new TextEncoder().encode("invoice\n7")];
  await withStore(async (store) => {
    const { id: document } = await firstDocument(store);
    const [{ lane, seq }] = (await store.readRecalls(document)) as [RecalledEnvelope];
    const note = { reason: "odd", validatorVersion: 1, atMs: 2_000, correlationId, editReason };
    await store.append({
      recall: [{ document, envelope: { id: envelopeId, lane, seq, ...note } }],
      quarantine: [{ document, update: { id: quarantinedId, size: 3, ...note } }],
    });
    const { replica, live } = await openNotes(store);
    const edit = { reason: "paid", correlationId: "00-" + traceId + "-00f067aa0ba902b7-01" };
    live.transact(() => live.ydoc.getText("text").insert(0, "."), edit);
    await live.whenSaved();
    await replica.close();
  });
  expect(await heddle("list", data)).toBe(0);
  expect(out.filter((line) => line.includes('; edit 0708 "invoice\\\\u{a}7"'))).toHaveLength(2);
  const find = async (id: string) => {
    const status = await main(["inspect", data, "--json", "--edit", id], io, never);
    return [status, (JSON.parse(out.pop()!) as { edits: unknown[] }).edits];
  };
  expect(await find("0708")).toEqual([
    0,
    [expect.objectContaining({ state: "quarantined", reason: "invoice\\u{a}7" })],
  ]);
  const logged = { document: "notes", state: "in the log", seq: 1, reason: "paid" };
  expect(await find(traceId)).toEqual([0, [expect.objectContaining(logged)]]);
  expect(await find("0709")).toEqual([1, []]);
  expect(await main(["inspect", data, "--edit", "x"], io, never)).toBe(2);
});
