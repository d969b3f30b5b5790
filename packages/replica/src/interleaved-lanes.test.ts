import { MemoryDisk, MemoryLogStore, toHex } from "@heddle/core";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import * as Y from "yjs";

import { builderOn, digestsOf } from "./checkpoint.fixture.ts";
import { checkpointDocument, pruneDocument } from "./checkpointer.ts";
import { InterleavedLanes } from "./interleaved-lanes.fixture.ts";
import { loadDocument } from "./load-document.ts";
import type { LogTrials } from "./log-trials.ts";
import { readCheckpoint } from "./read-checkpoint.ts";
import { recover } from "./recovery.ts";
import { environment } from "./replica.fixture.ts";
import { sendLog } from "./send-log.ts";

// Goal: a document whose lanes depend on each other both ways is what a Y.Doc makes of its updates in
// the order in which they were made: loaded cold, above a checkpoint, pruned, recovered, audited.

const openStore = (disk = new MemoryDisk()) => MemoryLogStore.open(disk, environment.random);

async function loadedText(store: MemoryLogStore, { entry }: InterleavedLanes): Promise<string> {
  const { fold } = await loadDocument(store, environment, entry);
  const doc = new Y.Doc();
  Y.applyUpdate(doc, fold.encodeSince());
  return doc.getText("text").toString();
}

test("[DOC-3][STO-15] two lanes that build on each other load as one text", async () => {
  const disk = new MemoryDisk();
  const store = await openStore(disk);
  const text = await InterleavedLanes.open(store, 2);
  await text.typeWords(60);
  expect(await loadedText(store, text)).toBe(text.text);
  const { fold } = await loadDocument(store, environment, text.entry);
  expect(digestsOf([fold.encodeSince()])).toBe(digestsOf([Y.encodeStateAsUpdate(text.reference)]));
  await store.close();
  const again = await openStore(disk);
  const recovery = await recover(again, environment);
  expect(recovery).toMatchObject({ documentsRecovered: 1, envelopesVerified: 60 });
  expect(await loadedText(again, text)).toBe(text.text);
});

test("[CKP-3][STO-15] checkpoints are built, read and pruned below in the order of arrival", async () => {
  const store = await openStore();
  const text = await InterleavedLanes.open(store, 2);
  await text.typeWords(40);
  const builder = builderOn(store);
  // A build that stops early covers causes before effects, whichever lane they are in.
  const small = { ...builder, payloadBytesMax: 400 };
  const first = await checkpointDocument(small, text.entry.id);
  expect(first).toMatchObject({ outcome: "built", isWhole: false });
  expect(await loadedText(store, text)).toBe(text.text);
  await pruneAll(store, text);
  const kept = await lengthOfLog(store, text);
  expect(kept).toBeGreaterThan(0);
  expect(kept).toBeLessThan(40);
  expect(await loadedText(store, text)).toBe(text.text);
  await text.openLane();
  await text.typeWords(30);
  expect(await loadedText(store, text)).toBe(text.text);
  await checkpointDocument(builder, text.entry.id);
  await pruneAll(store, text);
  expect(await lengthOfLog(store, text)).toBe(0);
  await text.typeWords(9);
  expect(await loadedText(store, text)).toBe(text.text);
});

test("[DOC-9][STO-15] an audit is handed causes before effects", async () => {
  const store = await openStore();
  const text = await InterleavedLanes.open(store, 2);
  await text.typeWords(30);
  const payloads: Uint8Array[] = [];
  const trials: Pick<LogTrials, "add"> = {
    add: async (tried) => void payloads.push(...tried.map(({ payload }) => payload)),
  };
  const places = await sendLog({
    store,
    environment,
    document: text.entry.id,
    trials: trials as LogTrials,
  });
  expect(places.map((place) => place?.id)).toEqual(text.envelopes.map(({ id }) => toHex(id)));
  const doc = new Y.Doc();
  for (const payload of payloads) {
    Y.applyUpdate(doc, payload);
    expect(doc.store.pendingStructs).toBeNull();
  }
  expect(doc.getText("text").toString()).toBe(text.text);
});

test("[DOC-9][STO-15] what depends on a recalled envelope is held, in whichever lane it is", async () => {
  const store = await openStore();
  const text = await InterleavedLanes.open(store, 2);
  await text.typeWords(10);
  const before = text.text;
  const bad = await text.type(0, "bad");
  await text.type(1, "on top of it");
  const note = { reason: "odd", validatorVersion: 1, atMs: 5 };
  const envelope = { id: toHex(bad.id), lane: bad.lane, seq: bad.seq, ...note };
  await store.append({ recall: [{ document: text.entry.id, envelope }] });
  expect(await loadedText(store, text)).toBe(before);
  const { heldEnvelopes } = await loadDocument(store, environment, text.entry);
  expect(heldEnvelopes).toBe(2);
});

test("[DOC-3][STO-15] any interleaving of lanes, builds and prunes loads as its Y.Doc", async () => {
  const steps = fc.array(
    fc.oneof(
      { weight: 8, arbitrary: fc.record({ who: fc.nat(2), deletes: fc.boolean() }) },
      { weight: 1, arbitrary: fc.constantFrom("build", "build a part", "prune") },
    ),
    { minLength: 5, maxLength: 40 },
  );
  const property = fc.asyncProperty(steps, async (history) => {
    const store = await openStore();
    const text = await InterleavedLanes.open(store, 3);
    let words = 0;
    for (const step of history) {
      if (typeof step !== "string") await text.type(step.who, `w${words++} `, step.deletes);
      else if (step === "prune") await pruneAll(store, text);
      else {
        const payloadBytesMax = step === "build" ? 1e6 : 60;
        await checkpointDocument({ ...builderOn(store), payloadBytesMax }, text.entry.id);
      }
    }
    expect(await loadedText(store, text)).toBe(text.text);
    await store.close();
  });
  await fc.assert(property, { numRuns: 25 });
});

async function pruneAll(store: MemoryLogStore, { entry }: InterleavedLanes): Promise<void> {
  const builder = builderOn(store);
  const newest = await readCheckpoint(builder, entry.id, []);
  if (newest) await pruneDocument(builder, newest);
}

async function lengthOfLog(store: MemoryLogStore, { entry }: InterleavedLanes): Promise<number> {
  let count = 0;
  for await (const chunk of store.readLog(entry.id)) count += chunk.length;
  return count;
}
