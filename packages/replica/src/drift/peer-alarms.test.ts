import {
  HeddleError,
  HeddleErrorCode,
  logDigest,
  type DocumentId,
  type StoreId,
} from "@heddle/core";
import type { PeerStanding, SyncEvent } from "@heddle/sync";
import { expect, test } from "vitest";

import { environment } from "../replica.fixture.ts";
import { until, watchedReplicas, type WatchedReplica } from "./drift.fixture.ts";

// Goal: peers that say what is not so change nothing here, and make nobody look more often than so many times an hour;
// what is wrong is right again when somebody has looked, and not when somebody says so.

const openWatched = watchedReplicas();
const open = (times: object = {}) => openWatched({ firstAuditMs: 1e9, ...times });

const bytes = (length: number) => environment.random.bytes(length);
const peer = (fill: number) => fill.toString(16).padStart(2, "0").repeat(16) as StoreId;

/** A document that is open and right. */
async function written(replica: WatchedReplica) {
  const live = replica.live();
  live.ydoc.getText("text").insert(0, "right");
  await live.whenSaved();
  const [document] = (await replica.store.readDocumentIds()) as [DocumentId];
  const loaded = replica.replica.loaded(document)!;
  await loaded.whenSettled();
  const { vector, digests } = loaded.shown(true)!;
  const log = logDigest(environment.hash, vector);
  return { live, document, ours: { outcome: "digests" as const, log, ...digests[0]! } };
}
type Written = Awaited<ReturnType<typeof written>>;

/** Equal logs, and another document each time. */
function lie({ document, ours }: Written, store: StoreId): SyncEvent {
  const theirs = { ...ours, state: bytes(32), content: bytes(32) };
  return { name: "document.drifted", document, store, ours, theirs };
}

test("[DRF-10] a peer that shows something else each time is looked into so many times in an hour, and nothing changes here", async () => {
  const times = { heardPerPeerMax: 3, heardMax: 5, waitMs: 1, compareMs: 1, roundsMax: 1 };
  const a = await open(times);
  const doc = await written(a);
  const { ydoc } = doc.live;
  for (let turn = 0; turn < 40; turn++) {
    a.drift.onSyncEvent(lie(doc, peer(1)));
    await a.drift.settled();
  }
  const { counters } = a.drift;
  expect(counters.putOff).toBe(37);
  expect([...counters.found]).toEqual([["unexplained", 1]]);
  // Of the same outcome there is one entry: whoever lies does not fill the journal.
  expect((await a.journal()).map(({ cause, result }) => [cause, result])).toEqual([
    ["unexplained", "undetermined"],
  ]);
  // Another name does not help for long.
  for (let turn = 0; turn < 40; turn++) a.drift.onSyncEvent(lie(doc, peer(2 + turn)));
  await a.drift.settled();
  expect(counters.putOff).toBe(37 + 38);
  expect(doc.live.ydoc).toBe(ydoc);
  expect(ydoc.getText("text").toString()).toBe("right");
  await doc.live.close();
});

test("[DRF-10] what was given up because of peers makes room for what is wrong here", async () => {
  const a = await open({ casesMax: 1, waitMs: 1, compareMs: 1, roundsMax: 1 });
  const doc = await written(a);
  a.drift.onSyncEvent(lie(doc, peer(1)));
  await a.drift.settled();
  expect(a.drift.degraded).toEqual([doc.document]);
  const other = a.live("other");
  other.ydoc.getText("text").insert(0, "x😀y", { bold: true });
  await other.whenSaved();
  // The bug of Yjs 13.6 of protocol.md A3.6.
  other.ydoc.getText("text").format(0, 2, { bold: true });
  await a.drift.audit();
  await until(() => a.reports.some(({ stage }) => stage === "repaired"), "it is repaired");
  expect(other.ydoc.getText("text").toString()).toBe("x😀y");
  await Promise.all([doc.live.close(), other.close()]);
});

test("[DRF-2] a peer that shows the same says nothing of what was found wrong on this disk", async () => {
  const a = await open({ refetchMs: 1, roundsMax: 1 });
  const doc = await written(a);
  const survey = a.store.surveyDocument.bind(a.store);
  let isDamaged = true;
  a.store.surveyDocument = async (id) => {
    const found = await survey(id);
    return found && { ...found, others: isDamaged ? ["a parked update"] : [] };
  };
  await a.drift.audit();
  await a.drift.settled();
  expect(a.drift.degraded).toEqual([doc.document]);
  a.drift.onSyncEvent({ name: "document.agreed", document: doc.document, store: peer(1) });
  await a.drift.settled();
  expect(a.drift.degraded).toEqual([doc.document]);
  isDamaged = false;
  await a.drift.audit();
  await a.drift.settled();
  expect(a.drift.degraded).toEqual([]);
  await doc.live.close();
});

test("[DRF-2] a look that fails in the middle of a repair ends no case: it is looked at again", async () => {
  const a = await open();
  const doc = await written(a);
  doc.live.ydoc.getText("text").insert(0, "x😀y", { bold: true });
  await doc.live.whenSaved();
  doc.live.ydoc.getText("text").format(0, 2, { bold: true });
  const survey = a.store.surveyDocument.bind(a.store);
  let looks = 0;
  a.store.surveyDocument = async (id) => {
    looks++;
    if (looks === 2) throw new HeddleError(HeddleErrorCode.storageIo, "not now");
    return survey(id);
  };
  await a.drift.audit();
  await a.drift.settled();
  expect(looks).toBeGreaterThan(2);
  expect(a.reports.map(({ stage }) => stage)).toEqual(["found", "repaired"]);
  expect(a.drift.degraded).toEqual([]);
  await doc.live.close();
});

test("[DRF-5] a document that cannot be looked at now keeps no other from its audit", async () => {
  const a = await open();
  const doc = await written(a);
  const other = a.live("other");
  other.ydoc.getText("text").insert(0, "fine");
  await other.whenSaved();
  const survey = a.store.surveyDocument.bind(a.store);
  const ids = await a.store.readDocumentIds();
  a.store.surveyDocument = async (id) => {
    const found = await survey(id);
    if (id === ids[0]) throw new HeddleError(HeddleErrorCode.storageVersion, "of a newer heddle");
    return found && { ...found, others: ["a parked update"] };
  };
  await a.drift.audit();
  expect(a.reports.map(({ document, cause }) => [document, cause])).toEqual([
    [ids[1], "damaged-store"],
  ]);
  expect(a.drift.counters.audits).toBe(1);
  await Promise.all([doc.live.close(), other.close()]);
});

test("[DRF-1][DRF-6] a lane with two histories is told, counted and written down, once", async () => {
  const a = await open();
  const { document, live } = await written(a);
  const entry = (await a.store.readDocument(document))!;
  const lane = [...entry.vector.keys()][0]!;
  a.drift.onSyncEvent({ name: "lane.forked", entry, document, lane, seq: 1 });
  await a.drift.settled();
  const said = a.reports.map(({ stage, cause, side, result }) => [stage, cause, side, result]);
  expect(said).toEqual([
    ["found", "fork", "both", undefined],
    ["degraded", "fork", "both", "reported"],
  ]);
  const [noted, ...others] = await a.journal();
  expect(others).toEqual([]);
  expect(noted).toMatchObject({ cause: "fork", action: "exchanged", result: "reported" });
  expect(noted!.detail).toBe(`both: lane ${lane} has two histories, from 1`);
  expect(noted!.before).toEqual(noted!.after);
  expect([...a.drift.counters.found]).toEqual([["fork", 1]]);
  await live.close();
});

const nothing = (): void => undefined;

test("[DRF-9] a side that stays behind is a case until it has caught up, or until nobody is there to tell", async () => {
  const a = await open({ waitMs: 1, restMsMin: 1, roundsMax: 1 });
  const { document, live } = await written(a);
  let standing: PeerStanding | undefined = { logs: "behind", hasGap: false };
  a.drift.attach({
    compare: nothing,
    reload: nothing,
    want: () => nothing,
    standing: () => standing,
  });
  const lags = async (): Promise<string | undefined> => {
    a.drift.onSyncEvent({ name: "document.lagging", document, store: peer(1) });
    await a.drift.settled();
    return a.reports.findLast(({ stage }) => stage === "found")?.cause;
  };
  expect(await lags()).toBe("behind");
  expect(a.drift.degraded).toEqual([document]);
  // Settled with somebody else: this one is still ahead.
  a.drift.onSyncEvent({ name: "document.settled", document, peer: 7 });
  await a.drift.settled();
  expect(a.drift.degraded).toEqual([document]);
  standing = { logs: "equal", hasGap: false };
  a.drift.onSyncEvent({ name: "document.settled", document, peer: 1 });
  await a.drift.settled();
  expect(a.drift.degraded).toEqual([]);
  expect((await a.journal()).at(-1)).toMatchObject({ cause: "behind", result: "verified" });
  standing = { logs: "behind", hasGap: true };
  expect(await lags()).toBe("gap");
  expect(a.drift.degraded).toEqual([document]);
  standing = undefined;
  await a.drift.audit();
  expect(a.drift.degraded).toEqual([]);
  expect(a.reports.at(-1)).toMatchObject({ stage: "degraded", cause: "gap", side: "there" });
  await live.close();
});
