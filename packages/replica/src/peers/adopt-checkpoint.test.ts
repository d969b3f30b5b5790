import { decodeEnvelope, limits, toHex, type LaneId, type LanePosition } from "@heddle/core";
import { parseUpdate } from "@heddle/document";
import type { OfferedCheckpoint } from "@heddle/sync";
import { pictureOf } from "@heddle/testkit";
import { expect, test } from "vitest";
import * as Y from "yjs";

import { digestsOf, storedDigests, Typist } from "../checkpoint.fixture.ts";
import { recallable } from "../recallable.ts";
import { environment } from "../replica.fixture.ts";
import { covering, forged, Holder, holding, notesId } from "./adopt.fixture.ts";

// Goal: a checkpoint of another replica brings what the log cannot, and nothing that it does not prove.
// Method: replicas in memory that write, checkpoint and prune; what one serves the other adopts, as it
// is or changed; digests of what is on disk and on the screen of a client are compared.

const deflate = (bytes: Uint8Array) => environment.compression.deflateRaw(bytes);

async function typed(holder: Holder, typist: Typist, count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await holder.write(typist.type(turn * 3 + count));
}

function screenOf({ screen }: Holder): string {
  return digestsOf([Y.encodeStateAsUpdate(screen)]);
}

async function expectSame(holder: Holder, updates: readonly Uint8Array[]): Promise<void> {
  expect(await storedDigests(holder.store, notesId)).toBe(digestsOf(updates));
  expect(screenOf(holder)).toBe(digestsOf(updates));
  expect(holder.resets).toBe(0);
}

test("[CKP-13] who has nothing gets it all from a checkpoint and the log above it", async () => {
  const ann = new Typist(7);
  const from = await Holder.open();
  await typed(from, ann, 40);
  await from.checkpoint();
  await typed(from, ann, 3);
  const to = await Holder.open();
  const offered = await from.offer();
  expect(await to.replica.adopt(offered)).toMatchObject({ outcome: "adopted" });
  const [lane] = await from.document.whenDurable();
  expect(await to.store.readFloors(notesId)).toEqual(new Map([[lane![0], 40]]));
  expect(await to.store.readLane(lane![0])).toBeUndefined();
  expect(await from.push(to)).toEqual(["stored"]);
  await expectSame(to, ann.updates);
  expect((await to.store.readLane(lane![0]))?.id).toBe(lane![0]);
  // What it holds it can pass on, with the name that the author gave it.
  const again = await to.reopened();
  await expectSame(again, ann.updates);
  const third = await Holder.open();
  expect((await again.offer()).header.id).toEqual(offered.header.id);
  await third.replica.adopt(await again.offer());
  await again.push(third);
  await expectSame(third, ann.updates);
  for (const holder of [from, again, third]) await holder.close();
});

test("[CKP-13] who is behind keeps what only it has, and the log of lanes that were not behind", async () => {
  const [ann, bob] = [new Typist(7), new Typist(300)];
  const [from, to] = [await Holder.open(), await Holder.open()];
  await typed(from, ann, 10);
  expect(await from.push(to)).toEqual(["stored"]);
  await typed(to, bob, 5);
  await typed(from, ann, 30);
  await from.checkpoint();
  await typed(to, bob, 2);
  // Nothing of what it lacks is in the log any more.
  expect(await from.push(to)).toEqual([]);
  expect(await to.replica.adopt(await from.offer())).toMatchObject({ outcome: "adopted" });
  await expectSame(to, [...ann.updates, ...bob.updates]);
  const left = (await pictureOf(to.store)).documents[0]!.log;
  expect(left).toHaveLength(7);
  await typed(to, bob, 2);
  const again = await to.reopened();
  await expectSame(again, [...ann.updates, ...bob.updates]);
  // Of ten envelopes it knows who wrote them, of the others it never had that.
  const said = await again.store.readAttributions(notesId);
  expect(said.map(({ fromSeq, toSeq, envelopes }) => [fromSeq, toSeq, envelopes])).toEqual([
    [1, 10, 10],
  ]);
  for (const holder of [from, again]) await holder.close();
});

test("[CKP-13] two that pruned apart meet in checkpoints of their own", async () => {
  const [ann, bob] = [new Typist(7), new Typist(300)];
  const [here, there] = [await Holder.open(), await Holder.open()];
  await typed(here, ann, 20);
  await here.push(there);
  await typed(there, bob, 20);
  await typed(here, ann, 7);
  await here.checkpoint();
  await there.checkpoint();
  await typed(here, ann, 3);
  const [offeredHere, offeredThere] = [await here.offer(), await there.offer()];
  expect(await here.replica.adopt(offeredThere)).toMatchObject({ outcome: "adopted" });
  expect(await there.replica.adopt(offeredHere)).toMatchObject({ outcome: "adopted" });
  await here.push(there);
  for (const holder of [here, there]) await expectSame(holder, [...ann.updates, ...bob.updates]);
  expect((await there.offer()).header.id).not.toEqual(offeredHere.header.id);
  const vectors = await Promise.all([here, there].map(({ document }) => document.whenDurable()));
  expect(vectors[0]).toEqual(vectors[1]);
  for (const holder of [here, there]) {
    expect(await holder.store.readCheckpoints(notesId)).toHaveLength(1);
    const again = await holder.reopened();
    await expectSame(again, [...ann.updates, ...bob.updates]);
    await again.close();
  }
});

test("[CKP-13] what waits for an update is let in by the checkpoint that holds it", async () => {
  const ann = new Typist(7);
  const updates = [1, 2, 3, 5, 6].map((what) => ann.type(what));
  const [from, to] = [await Holder.open(), await Holder.open()];
  await from.write(...updates.slice(0, 4));
  await from.checkpoint();
  await to.write(updates[4]!);
  expect(await to.store.readParked(notesId)).toHaveLength(1);
  await to.replica.adopt(await from.offer());
  await to.document.whenSettled();
  await expectSame(to, updates);
  expect(await to.store.readParked(notesId)).toEqual([]);
  for (const holder of [from, to]) await holder.close();
});

test("[CKP-13] clients write on while a checkpoint is adopted", async () => {
  const [ann, bob] = [new Typist(7), new Typist(300)];
  const [from, to] = [await Holder.open(), await Holder.open()];
  await typed(from, ann, 20);
  await from.checkpoint();
  const adopting = to.replica.adopt(await from.offer());
  for (let turn = 0; turn < 20; turn++) {
    to.document.submit(bob.type(turn), {});
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await adopting).toMatchObject({ outcome: "adopted" });
  await to.document.whenSettled();
  const again = await to.reopened();
  await expectSame(again, [...ann.updates, ...bob.updates]);
  for (const holder of [from, again]) await holder.close();
});

test("[CKP-13] more than one update may bring has the document opened anew", async () => {
  const from = await Holder.open();
  const ann = new Typist(7);
  const half = "x".repeat(limits.updateBytesMax - 1_000);
  for (let part = 0; part < 2; part++) {
    ann.doc.getText("t").insert(0, half);
    await from.write(ann.updates[part]!);
  }
  await from.checkpoint();
  const to = await Holder.open();
  await to.replica.adopt(await from.offer(10_000_000));
  expect(to.resets).toBe(1);
  expect(await storedDigests(to.store, notesId)).toBe(digestsOf(ann.updates));
  for (const holder of [from, to]) await holder.close();
});

/** A pruned document, and another replica that has the first part of it and something of its own. */
async function pair() {
  const [ann, bob] = [new Typist(7), new Typist(300)];
  const [from, to] = [await Holder.open(), await Holder.open()];
  await typed(from, ann, 12);
  await from.push(to);
  await typed(to, bob, 6);
  await to.push(from);
  await typed(from, ann, 12);
  await from.checkpoint();
  const [, own] = [...(await to.document.whenDurable()).keys()];
  const offered = await from.offer();
  const less = new Y.Doc();
  for (const update of ann.updates) Y.applyUpdate(less, update);
  const close = async () => {
    for (const holder of [from, to]) await holder.close();
  };
  return { from, to, ann, bob, own: own as LaneId, offered, less, close };
}

type Pair = Awaited<ReturnType<typeof pair>>;
type Forgery = (pair: Pair) => Promise<OfferedCheckpoint>;

const forgeries: Record<string, readonly [reason: string, why: string, Forgery]> = {
  "a byte of the state": [
    "damaged",
    "hashes",
    async ({ offered }) => ({ ...offered, payload: offered.payload.with(9, 1) }),
  ],
  "a vector that is cut off": [
    "damaged",
    "damaged",
    async ({ offered }) => ({ ...offered, vector: offered.vector.subarray(0, -1) }),
  ],
  "a state that is no deflate": [
    "content",
    "no deflate",
    ({ offered }) => holding(offered, new Uint8Array(100).fill(0xff), 1_000),
  ],
  "a state that is longer than it says": [
    "content",
    "longer than it says",
    async ({ offered }) => holding(offered, await deflate(new Uint8Array(1_000_000)), 1_000),
  ],
  "a state that is shorter than it says": [
    "content",
    "shorter",
    ({ offered: one }) => forged(one, { stateBytes: one.header.stateBytes + 1 }),
  ],
  "a state that is no update": [
    "content",
    "no valid update",
    async ({ offered }) => holding(offered, await deflate(new Uint8Array(50).fill(9)), 50),
  ],
  "a state that refers to what it lacks": [
    "content",
    "pending",
    async ({ offered, ann }) => {
      const last = ann.updates.findLast((update) => update.length > 20)!;
      return holding(offered, await deflate(last), last.length);
    },
  ],
  "digest S of something else": [
    "content",
    "digests",
    ({ offered }) => forged(offered, { digestS: new Uint8Array(32) }),
  ],
  "digest C of something else": [
    "content",
    "digests",
    ({ offered }) => forged(offered, { digestC: new Uint8Array(32) }),
  ],
  "digest L of something else": [
    "content",
    "digest L",
    ({ offered }) => forged(offered, { digestL: new Uint8Array(32) }),
  ],
  "another number of lanes": [
    "content",
    "digest L",
    ({ offered }) => forged(offered, { lanes: 3 }),
  ],
  "a lane without end": [
    "content",
    "longer than any",
    ({ offered }) => {
      return covering(offered, ({ vector, clients }) => {
        const [[lane, { head }]] = [...vector] as [[LaneId, LanePosition], ...unknown[]];
        return { vector: new Map([...vector, [lane, { seq: limits.clockMax, head }]]), clients };
      });
    },
  ],
  "recalls of somebody else": [
    "content",
    "recalled over there",
    ({ offered }) => forged(offered, { recallsHash: new Uint8Array(32) }),
  ],
  "more of the lane that is written here than was written": [
    "forked",
    "written here",
    ({ offered, own }) => {
      return covering(offered, ({ vector, clients }) => {
        const { seq, head } = vector.get(own)!;
        return { vector: new Map([...vector, [own, { seq: seq + 1, head }]]), clients };
      });
    },
  ],
  "a state without what was acknowledged to us": [
    "content",
    "client 300",
    async ({ offered, less }) => {
      const state = Y.encodeStateAsUpdate(less);
      const other = await holding(offered, await deflate(state), state.length);
      return forged(other, { engine: "another engine" });
    },
  ],
  "a state without a delete that we know": [
    "content",
    "a delete",
    async ({ offered, ann, bob }) => {
      const omitted = ann.updates.find((update) => parseUpdate(update).runs.length === 0);
      const doc = new Y.Doc();
      for (const update of [...ann.updates, ...bob.updates]) {
        if (update !== omitted) Y.applyUpdate(doc, update);
      }
      const state = Y.encodeStateAsUpdate(doc);
      const other = await holding(offered, await deflate(state), state.length);
      return forged(other, { engine: "another engine" });
    },
  ],
};

test.each(Object.keys(forgeries))("[CKP-14] nothing is taken from %s", async (name) => {
  const [reason, why, forge] = forgeries[name]!;
  const both = await pair();
  const { to, ann, bob, offered, close } = both;
  const before = await pictureOf(to.store);
  const answer = await to.replica.adopt(await forge(both));
  expect(answer).toMatchObject({ outcome: "refused", reason });
  expect(answer.outcome === "refused" && answer.why).toContain(why);
  expect(await pictureOf(to.store)).toEqual(before);
  expect(to.resets).toBe(0);
  // What it was made of is taken.
  expect(await to.replica.adopt(offered)).toMatchObject({ outcome: "adopted" });
  await expectSame(to, [...ann.updates, ...bob.updates]);
  await close();
});

test("[CKP-14] nothing is taken while a part of the document is recalled here", async () => {
  const both = await pair();
  const { to, ann, bob, offered, close } = both;
  const id = (await envelopesIn(to)).find(({ lane }) => lane !== both.own);
  const note = { reason: "test", validatorVersion: 1, atMs: 1 };
  const recall = { document: notesId, envelope: { ...id!, ...note } };
  await to.store.append({ recall: [recall] });
  const before = await pictureOf(to.store);
  const refused = {
    outcome: "refused",
    reason: "content",
    why: expect.stringContaining("recalled"),
  };
  expect(await to.replica.adopt(offered)).toMatchObject(refused);
  expect(await pictureOf(to.store)).toEqual(before);
  const released = { ...recall.envelope, release: { atMs: 2, by: "test" } };
  await to.store.append({ recall: [{ document: notesId, envelope: released }] });
  expect(await to.replica.adopt(offered)).toMatchObject({ outcome: "adopted" });
  await expectSame(to, [...ann.updates, ...bob.updates]);
  await close();
});

async function envelopesIn({ store }: Holder) {
  const found = [];
  for await (const chunk of store.readLog(notesId)) {
    for (const { lane, seq, bytes } of chunk) {
      found.push({ lane, seq, id: toHex(decodeEnvelope(environment.hash, bytes).id) });
    }
  }
  return found;
}

test("[CKP-14] who cannot fold takes nothing", async () => {
  const ann = new Typist(7);
  const from = await Holder.open();
  await typed(from, ann, 4);
  await from.checkpoint();
  const to = await Holder.open(undefined, { folder: undefined });
  expect(await to.replica.adopt(await from.offer())).toMatchObject({ outcome: "refused" });
  expect((await pictureOf(to.store)).documents).toEqual([]);
  for (const holder of [from, to]) await holder.close();
});

test("[CKP-13] nothing that a checkpoint of others covers is recalled from its state", async () => {
  const both = await pair();
  const { to, offered, close } = both;
  await to.replica.adopt(offered);
  const own = (await envelopesIn(to)).find(({ lane }) => lane === both.own);
  const note = { reason: "test", validatorVersion: 1, atMs: 1 };
  const tools = { store: to.store, environment };
  expect(await recallable(tools, notesId, [{ ...own!, ...note }])).toEqual([]);
  const above = { ...own!, seq: 99, ...note };
  expect(await recallable(tools, notesId, [above])).toEqual([above]);
  await close();
});
