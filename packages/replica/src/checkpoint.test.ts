import {
  decodeCheckpointVector,
  documentIdOf,
  MemoryDisk,
  openSpaceId,
  type DocumentId,
  type LogStore,
} from "@heddle/core";
import { expect, test, vi } from "vitest";
import * as Y from "yjs";

import { builderOn, digestsOf, storedDigests, Typist } from "./checkpoint.fixture.ts";
import { checkpointDocument, pruneDocument } from "./checkpointer.ts";
import { characterOf } from "./hostile.fixture.ts";
import type { ReplicaDocument } from "./replica-document.ts";
import { environment, notes, openReplica, type OpenReplica } from "./replica.fixture.ts";
import type { FoldResult } from "./state-folder.ts";

const id = documentIdOf(environment.hash, openSpaceId(environment.hash), notes);
const principal = (name: string) => ({ principal: new TextEncoder().encode(name) });

async function write(
  { replica }: OpenReplica,
  updates: readonly Uint8Array[],
  source = principal("ada"),
): Promise<void> {
  const document = await replica.acquire(notes);
  for (const update of updates) {
    document.submit(update, source);
    await document.whenSettled();
  }
  replica.release(document);
}

async function close({ replica, store }: OpenReplica): Promise<void> {
  await replica.close();
  await store.close();
}

async function build(store: LogStore, prune = false) {
  const outcome = await checkpointDocument(builderOn(store), id);
  if (outcome.outcome === "built" && prune) {
    await pruneDocument(builderOn(store), outcome.checkpoint);
  }
  return outcome;
}

async function envelopesIn(store: LogStore, document: DocumentId = id): Promise<number> {
  let count = 0;
  for await (const chunk of store.readLog(document)) count += chunk.length;
  return count;
}

test("[CKP-7][CKP-4] a document from its checkpoint is the one from its log, pruned or not", async () => {
  for (const prune of [false, true]) {
    const disk = new MemoryDisk();
    const typist = new Typist(7);
    for (const round of [0, 1, 2]) {
      // Each opening is a lane of its own.
      const open = await openReplica(disk);
      const updates = Array.from({ length: 30 }, (_, turn) => typist.type(round * 31 + turn));
      await write(open, updates);
      const before = await envelopesIn(open.store);
      expect(await build(open.store, prune)).toMatchObject({ outcome: "built", isWhole: true });
      expect(await envelopesIn(open.store)).toBe(prune ? 0 : before);
      expect(await storedDigests(open.store, id)).toBe(digestsOf(typist.updates));
      expect(await build(open.store)).toEqual({ outcome: "nothing-new" });
      await close(open);
    }
    const last = await openReplica(disk);
    const document = await last.replica.acquire(notes);
    expect(digestsOf([document.encodeSince()])).toBe(digestsOf(typist.updates));
    // All of it was known before, though nothing of it is in the log any more.
    expect(document.submit(Y.encodeStateAsUpdate(typist.doc), {})).toBe("duplicate");
    document.submit(typist.type(999), {});
    await document.whenSettled();
    expect(digestsOf([document.encodeSince()])).toBe(digestsOf(typist.updates));
    await close(last);
  }
});

test("[CKP-2] a checkpoint says which clients came in which lane", async () => {
  const disk = new MemoryDisk();
  const typists = [7, 300, 70_000].map((client) => new Typist(client));
  const lanes: string[] = [];
  for (const typist of typists) {
    const open = await openReplica(disk);
    await write(open, [typist.type(1), typists[0]!.type(2)]);
    for await (const { id: lane } of open.store.readLanes()) {
      if (!lanes.includes(lane)) lanes.push(lane);
    }
    await build(open.store, true);
    await close(open);
  }
  const open = await openReplica(disk);
  const [newest, ...older] = await open.store.readCheckpoints(id);
  expect(older).toEqual([]);
  const { clients, vector } = decodeCheckpointVector(newest!.vector);
  expect(lanes.map((lane) => clients.get(lane as never))).toEqual([[7], [300], [70_000]]);
  expect(vector.size).toBe(3);
  await close(open);
});

test("[CKP-6] who wrote what is known after the envelopes are gone", async () => {
  const disk = new MemoryDisk();
  const open = await openReplica(disk);
  const [ada, bo] = [new Typist(7), new Typist(300)];
  await write(open, [ada.type(1), ada.type(2)], principal("ada"));
  await write(open, [bo.type(1)], principal("bo"));
  await write(open, [ada.type(3)], principal("ada"));
  await build(open.store, true);
  const attributions = await open.store.readAttributions(id);
  const said = attributions.map(({ principal: who, clients, envelopes, fromSeq, toSeq }) => {
    const name = new TextDecoder().decode(who);
    return { name, clients: Object.fromEntries(clients), envelopes, fromSeq, toSeq };
  });
  const end = Y.getState(ada.doc.store, 7);
  const endOfBo = Y.getState(bo.doc.store, 300);
  expect(said).toEqual([
    { name: "ada", clients: { 7: [0, end] }, envelopes: 3, fromSeq: 1, toSeq: 4 },
    { name: "bo", clients: { 300: [0, endOfBo] }, envelopes: 1, fromSeq: 3, toSeq: 3 },
  ]);
  await close(open);
});

test("[CKP-4] parking survives, and is released by what comes after the log was pruned", async () => {
  const disk = new MemoryDisk();
  const open = await openReplica(disk);
  const typist = new Typist(7);
  const updates = [1, 2, 3, 5].map((what) => typist.type(what));
  await write(open, [updates[0]!, updates[1]!, updates[3]!]);
  expect(await open.store.readParked(id)).toHaveLength(1);
  expect(await build(open.store, true)).toMatchObject({ outcome: "built" });
  await close(open);
  const again = await openReplica(disk);
  await write(again, [updates[2]!]);
  await vi.waitFor(async () => expect(await again.store.readParked(id)).toEqual([]));
  expect(await storedDigests(again.store, id)).toBe(digestsOf(updates));
  await close(again);
});

test("[CKP-4] what is recalled stays in the log, and a checkpoint carries what it holds aside", async () => {
  const disk = new MemoryDisk();
  const open = await openReplica(disk);
  const [ada, bo] = [new Typist(7), new Typist(300)];
  await write(open, [ada.type(1)]);
  await write(open, [bo.type(1)]);
  await write(open, [bo.type(2), ada.type(2)]);
  const without = digestsOf(ada.updates);
  // A checkpoint from before the recall holds what is recalled.
  expect(await build(open.store)).toMatchObject({ outcome: "built" });
  const [, second] = await firstEnvelopes(open.store);
  const note = { reason: "test", validatorVersion: 1, atMs: 1 };
  await open.store.append({ recall: [{ document: id, envelope: { ...second!, ...note } }] });
  expect(await storedDigests(open.store, id)).toBe(without);
  const outcome = await build(open.store, true);
  expect(outcome).toMatchObject({ outcome: "built", checkpoint: { header: { heldEnvelopes: 2 } } });
  expect(await envelopesIn(open.store)).toBe(4);
  await close(open);
  const again = await openReplica(disk);
  const document = await again.replica.acquire(notes);
  expect(digestsOf([document.encodeSince()])).toBe(without);
  expect(document.refused.held).toBe(2);
  // Those who saw it before the recall bring it again: it is in the log and is not taken twice.
  expect(document.submit(Y.encodeStateAsUpdate(bo.doc), {})).toBe("held");
  await close(again);
});

async function firstEnvelopes(store: LogStore) {
  const { decodeEnvelope, toHex } = await import("@heddle/core");
  const found = [];
  for await (const chunk of store.readLog(id)) {
    for (const { lane, seq, bytes } of chunk) {
      found.push({ lane, seq, id: toHex(decodeEnvelope(environment.hash, bytes).id) });
    }
  }
  return found;
}

test("[CKP-2] a damaged checkpoint is passed over where the log is whole, and not where it is not", async () => {
  for (const prune of [false, true]) {
    const disk = new MemoryDisk();
    const open = await openReplica(disk);
    const typist = new Typist(7);
    await write(open, [typist.type(1), typist.type(2), typist.type(3)]);
    await build(open.store, prune);
    const inner = open.store;
    const damaged = new Proxy(inner, {
      get(target, property) {
        if (property === "readCheckpointState") {
          return async (document: DocumentId, number: number) => {
            const state = await inner.readCheckpointState(document, number);
            return state.with(5, state[5]! ^ 1);
          };
        }
        const value: unknown = Reflect.get(target, property, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const digests = storedDigests(damaged, id);
    if (prune) await expect(digests).rejects.toMatchObject({ code: "HEDDLE_STORAGE_CORRUPT" });
    else expect(await digests).toBe(digestsOf(typist.updates));
    await close(open);
  }
});

test("[CKP-8] nothing is published when the folds differ, from each other or from the log", async () => {
  const disk = new MemoryDisk();
  const open = await openReplica(disk);
  const typist = new Typist(7);
  await write(
    open,
    [1, 2, 3, 4].map((what) => typist.type(what)),
  );
  const lies: ((result: FoldResult & { outcome: "folded" }) => unknown)[] = [
    (result) => ({ ...result, loaded: { ...result.loaded, digestC: new Uint8Array(32) } }),
    (result) => ({ ...result, loaded: { ...result.loaded, deletes: [] } }),
    (result) => ({ ...result, loaded: { ...result.loaded, stateVector: Uint8Array.of(0) } }),
    (result) => {
      const built = { ...result.built, deletes: [] };
      return { ...result, built, loaded: { ...built } };
    },
    (result) => {
      const built = { ...result.built, stateVector: Uint8Array.of(1, 7, 2) };
      return { ...result, built, loaded: { ...built } };
    },
    () => ({ outcome: "failed", reason: "no luck" }),
    () => ({ outcome: "pending" }),
  ];
  for (const lie of lies) {
    const builder = builderOn(open.store);
    const lying = {
      fold: async (job: Parameters<typeof builder.folder.fold>[0]) => {
        return lie((await builder.folder.fold(job)) as never) as FoldResult;
      },
      close: async () => undefined,
    };
    const outcome = await checkpointDocument({ ...builder, folder: lying }, id);
    expect(outcome.outcome).toBe("refused");
    expect(await open.store.readCheckpoints(id)).toEqual([]);
  }
  await close(open);
});

test("[CKP-8] a log that refers to what is not there gets no checkpoint", async () => {
  const disk = new MemoryDisk();
  const open = await openReplica(disk);
  await write(open, [characterOf(7)]);
  const builder = builderOn(open.store);
  const [update] = [characterOf(9, 5)];
  const result = await builder.folder.fold({ updates: [update!], stateBytesMax: 1_000 });
  expect(result).toEqual({ outcome: "pending" });
  const long = { updates: [characterOf(9, 0, "x".repeat(2_000))], stateBytesMax: 1_000 };
  expect(await builder.folder.fold(long)).toEqual({ outcome: "too-large" });
  await close(open);
});

test("[CKP-7] a log that is too long for one build is covered in several", async () => {
  const disk = new MemoryDisk();
  const open = await openReplica(disk);
  const typist = new Typist(7);
  await write(
    open,
    Array.from({ length: 40 }, (_, turn) => typist.type(turn)),
  );
  const builder = { ...builderOn(open.store), payloadBytesMax: 150 };
  const outcomes: unknown[] = [];
  for (;;) {
    const outcome = await checkpointDocument(builder, id);
    if (outcome.outcome !== "built") break;
    outcomes.push(outcome.isWhole);
    await pruneDocument(builder, outcome.checkpoint);
    expect(await storedDigests(open.store, id)).toBe(digestsOf(typist.updates));
  }
  expect(outcomes.length).toBeGreaterThan(3);
  expect(await envelopesIn(open.store)).toBe(0);
  await close(open);
});

test("a document keeps what was decided for its history, and can be told otherwise", async () => {
  const disk = new MemoryDisk();
  const open = await openReplica(disk, { history: "prune" });
  await write(open, [characterOf(7)]);
  expect((await open.store.readDocument(id))?.history).toBe("prune");
  await close(open);
  const again = await openReplica(disk, { history: "keep" });
  const document: ReplicaDocument = await again.replica.acquire(notes);
  expect(document.logged.history).toBe("prune");
  await again.replica.setHistory(notes, "keep");
  expect(document.logged.history).toBe("keep");
  expect((await again.store.readDocument(id))?.history).toBe("keep");
  await close(again);
});
