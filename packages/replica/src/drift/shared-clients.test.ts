import { decodeEnvelope, logDigest, toHex, type DocumentId, type LaneId } from "@heddle/core";
import { expect, test } from "vitest";
import * as Y from "yjs";

import type { LiveDocument } from "../live/live-document.ts";
import { environment, notes } from "../replica.fixture.ts";
import { until, watchedReplicas, type WatchedReplica } from "./drift.fixture.ts";
import { findSharedClients } from "./shared-clients.ts";

// Goal: what two lanes wrote under one Yjs client is left out alike by everybody who has the same log, whoever notices
// first, and nothing of those who only send on what others wrote.

const open = watchedReplicas();

const text = (live: LiveDocument) => live.ydoc.getText("text");

test("[DRF-5][DRF-8] of two lanes under one client the first keeps all that it wrote, in whatever order they came", async () => {
  const [a, b] = [await open(deaf), await open(deaf)];
  const [ofA, ofB] = [cloned(), cloned()];
  await write(a, ofA, "one");
  await write(b, ofB, "two");
  const [first] = await lanesIn(a);
  // What comes second was written before what the first goes on with.
  await write(b, ofB, " to be left out");
  await write(a, ofA, " to be kept");
  a.meet(b);
  await until(
    async () => (await sharedIn(a)).length === 2 && (await sharedIn(b)).length === 2,
    "they meet",
  );
  const [shared, others] = [await sharedIn(a), await sharedIn(b)];
  expect(shared).toEqual(others);
  expect(shared.map(({ client, seq }) => [client, seq])).toEqual([
    [77, 1],
    [77, 2],
  ]);
  expect(new Set(shared.map(({ lane }) => lane))).toEqual(new Set([shared[0]!.lane]));
  await until(() => isDone(a) && isDone(b), "both are repaired");
  await until(async () => (await agreeOn(a, b)).length === 1, "both answer the same digests");
  const live = a.live();
  await live.whenLoaded();
  const isFirst = shared[0]!.lane !== first;
  expect(text(live).toString()).toBe(isFirst ? "one to be kept" : "two to be left out");
  await live.close();
});

/** As it is with somebody whose profile was cloned: the Yjs client of somebody else. */
function cloned(): Y.Doc {
  const doc = new Y.Doc();
  doc.clientID = 77;
  return doc;
}

async function write(replica: WatchedReplica, doc: Y.Doc, words: string): Promise<void> {
  const before = Y.encodeStateVector(doc);
  doc.getText("text").insert(doc.getText("text").length, words);
  const document = await replica.replica.acquire(notes);
  document.submit(Y.encodeStateAsUpdate(doc, before), {});
  await document.whenSettled();
}

const isDone = ({ reports }: WatchedReplica): boolean =>
  reports.some(({ stage }) => stage === "repaired");

/** Nobody looks by itself, and no schedule compares: who hears of it hears of what is left out elsewhere. */
const deaf = { firstAuditMs: 1e9, auditIntervalMs: 1e9 };

test.each([
  ["only the writer of 'one' notices", deaf, [0]],
  ["only the writer of 'two' notices", deaf, [1]],
  ["both notice at once", deaf, [0, 1]],
  ["the wire notices", { firstAuditMs: 1e9 }, []],
])(
  "[DRF-5][DRF-8] a cloned profile is left out alike on both sides where %s",
  async (_name, times, noticing) => {
    const both = [await open(times), await open(times)] as const;
    const [a, b] = both;
    await write(a, cloned(), "one");
    await write(b, cloned(), "two");
    const [laneOfA] = await lanesIn(a);
    const lives = both.map((replica) => replica.live());
    const resets = lives.map(() => [] as string[]);
    for (const [index, live] of lives.entries()) {
      await live.whenLoaded();
      live.on("reset", ({ error }) => resets[index]!.push(error.code));
    }
    a.meet(b);
    await until(
      async () => (await sharedIn(a)).length * (await sharedIn(b)).length > 0,
      "they meet",
    );
    await Promise.all(noticing.map((index) => both[index]!.drift.audit()));
    await until(() => both.every(isDone), "both are repaired");
    await until(async () => (await agreeOn(...both)).length === 1, "both answer the same digests");
    const [shared] = await sharedIn(a);
    const kept = shared!.lane === laneOfA ? "two" : "one";
    await until(() => lives.every((live) => text(live).toString() === kept), "both show the first");
    for (const { store, drift, reports } of both) {
      await drift.settled();
      // What is left out is in the log, with its reason, and can be looked at and released.
      const [id] = (await store.readDocumentIds()) as [DocumentId];
      const reason = "client 77 was written by another lane before";
      expect(await store.readRecalls(id)).toMatchObject([{ id: shared!.id, reason }]);
      expect(drift.degraded).toEqual([]);
      expect(reports.map(({ stage, cause }) => [stage, cause])).toEqual([
        ["found", "fork"],
        ["repaired", "fork"],
      ]);
    }
    for (const replica of both) {
      const verified = (await replica.journal()).filter(({ result }) => result === "verified");
      expect(verified).toMatchObject([{ cause: "fork", action: "exchanged" }]);
      expect(verified[0]!.before!.digest).toHaveLength(32);
      expect(verified[0]!.after!.digest).toHaveLength(32);
    }
    expect(resets).toEqual([["HEDDLE_DOCUMENT_RESET"], ["HEDDLE_DOCUMENT_RESET"]]);
    await Promise.all(lives.map((live) => live.close()));
  },
);

test("[DRF-8] of three lanes under one client, two are left out by everybody, whoever met whom before", async () => {
  const all = [await open(deaf), await open(deaf), await open(deaf)] as const;
  const [a, b, c] = all;
  for (const [index, word] of ["one", "two", "six"].entries())
    await write(all[index]!, cloned(), word);
  a.meet(b);
  await until(async () => (await sharedIn(b)).length === 1, "two of them meet");
  const before = await sharedIn(b);
  await until(() => isDone(a) && isDone(b), "the two are repaired");
  b.meet(c);
  await until(
    async () => (await Promise.all(all.map(sharedIn))).every(({ length }) => length === 2),
    "all meet",
  );
  // What was left out stays so: nobody has to take a word back.
  expect(await sharedIn(c)).toEqual(expect.arrayContaining([...before]));
  await until(async () => (await agreeOn(...all)).length === 1, "all answer the same digests");
  expect(all.flatMap(({ drift }) => drift.degraded)).toEqual([]);
});

test("[DRF-8] the same operations in two lanes, however they are split, are nobody's clone", async () => {
  const [a, b] = [await open({ firstAuditMs: 1e9 }), await open({ firstAuditMs: 1e9 })];
  const author = new Y.Doc();
  author.clientID = 77;
  const updates: Uint8Array[] = [];
  author.on("update", (update: Uint8Array) => updates.push(update));
  for (const letter of "several") author.getText("text").insert(0, letter);
  author.getText("text").delete(1, 3);
  const ofA = await a.replica.acquire(notes);
  for (const update of updates) {
    ofA.submit(update, {});
    await ofA.whenSettled();
  }
  const ofB = await b.replica.acquire(notes);
  ofB.submit(Y.encodeStateAsUpdate(author), {});
  await ofB.whenSettled();
  a.meet(b);
  await until(async () => (await lanesIn(a)).length * (await lanesIn(b)).length === 4, "they meet");
  await until(async () => (await agreeOn(a, b)).length === 1, "they agree");
  expect(await sharedIn(a)).toEqual([]);
  const live = a.live();
  await live.whenLoaded();
  await a.drift.audit();
  await a.drift.settled();
  expect(a.drift.counters.documentsAudited).toBe(1);
  expect([...a.reports, ...b.reports]).toEqual([]);
  await live.close();
});

async function lanesIn({ store }: WatchedReplica): Promise<readonly LaneId[]> {
  const [id] = await store.readDocumentIds();
  const survey = id && (await store.surveyDocument(id));
  return survey ? survey.lanes.map(({ lane }) => lane) : [];
}

/** What the two say that they show: one thing, where they agree. */
async function agreeOn(...replicas: readonly WatchedReplica[]): Promise<readonly string[]> {
  const said = await Promise.all(
    replicas.map(async ({ store, drift }) => {
      const [id] = (await store.readDocumentIds()) as [DocumentId];
      const ends = (await store.surveyDocument(id))!.lanes.map(({ lane, last, lastSeq }) => {
        return [lane, { seq: lastSeq, head: decodeEnvelope(environment.hash, last!).id }] as const;
      });
      const log = logDigest(environment.hash, new Map(ends));
      const answer = await drift.digests.answer(id, log, true);
      // Nothing said is not the same as what another says.
      if (answer.outcome !== "digests") return toHex(environment.random.bytes(8));
      return [answer.engine, toHex(answer.state), toHex(answer.content!)].join(" ");
    }),
  );
  return [...new Set(said)];
}

async function sharedIn({ store }: WatchedReplica): ReturnType<typeof findSharedClients> {
  const [id] = (await store.readDocumentIds()) as [DocumentId];
  return findSharedClients({ store, environment }, id);
}
