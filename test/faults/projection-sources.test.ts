import { documentIdOf, openSpaceId, parseDocumentName, toHex } from "@heddle/core";
import { decodeRow, ReconcileJob } from "@heddle/reconcile";
import { LogSource, ProjectionHost } from "@heddle/replica";
import { openLevelProjectionStore, openLevelStore } from "@heddle/storage-level";
import { collect } from "@heddle/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";

import { environment, projectionsIn, rowsOf, writePosts } from "./built-projection.ts";
import { likes } from "./likes-projection.ts";
import { StoreFolder } from "./store-survey.ts";

const { hash } = environment;
const documents = 4;
const idOf = (name: string) => documentIdOf(hash, openSpaceId(hash), parseDocumentName(name));

let place: StoreFolder;
beforeEach(async () => {
  place = await StoreFolder.makeQuick();
  await writePosts(place.folder, documents);
});
afterEach(() => place[Symbol.asyncDispose]());

/** The log, and the projection beside it, followed to the end. */
async function openSite() {
  const log = await openLevelStore(place.folder, { environment });
  const { store } = await openLevelProjectionStore(projectionsIn(place.folder), { environment });
  const source = new LogSource({ store: log, environment });
  const host = new ProjectionHost({
    store,
    source,
    environment,
    projections: [likes],
    stalledMs: 20,
  });
  host.start();
  await host.whenCaughtUp({ signal: AbortSignal.timeout(20_000) });
  return {
    log,
    source,
    counters: host.statuses[0]!.counters,
    async likes() {
      const rows = await rowsOf(store);
      return new Map(
        rows.map(({ path, value }) => [path[4], decodeRow(value as Uint8Array).value]),
      );
    },
    reconcile(isThorough: boolean) {
      const pace = { readsPerSecond: 1e9, loopShare: 1 };
      const job = { name: "test", holder: "tests", pace, isThorough };
      return ReconcileJob.of({ projection: likes, source, store, environment }, job).run();
    },
    async [Symbol.asyncDispose]() {
      await host.close();
      await store.close();
      await log.close();
    },
  };
}

// Goal: one document whose record is damaged hides none of the others, and is taken in once it is mended.
// Method: the record of one of four documents is flipped on the disk before anything follows; then it is put back.
test("[PRJ-10] [REC-3] a document whose record is damaged stops neither a follower nor a job", async () => {
  const broken = idOf("post 1");
  const entries = await place.entries();
  const [key, value] = entries.find(([at]) => toHex(at).endsWith(broken) && at.length === 17)!;
  const at = value.length >> 1;
  const write = (bytes: Uint8Array) =>
    place.raw((database) => database.write([{ type: "put", key, value: bytes }]));
  await write(value.with(at, value[at]! ^ 8));
  {
    await using site = await openSite();
    expect([...(await site.likes()).keys()]).not.toContain(broken);
    expect([...(await site.likes()).values()]).toEqual([2, 2, 2]);
    expect(site.counters.undetermined.get("damaged")).toBeGreaterThan(0);
    for (const isThorough of [false, true]) {
      const report = await site.reconcile(isThorough);
      expect(report).toMatchObject({ outcome: "whole", counts: { drifts: 0, undetermined: 1 } });
      expect(report.undetermined).toEqual([{ document: broken, reason: "damaged" }]);
    }
  }
  await write(value);
  await using site = await openSite();
  await expect.poll(async () => (await site.likes()).get(broken), { timeout: 20_000 }).toBe(2);
  expect((await site.reconcile(true)).counts).toMatchObject({ drifts: 0, undetermined: 0 });
});

// Goal: what a recall takes out of a document goes out of its rows, although the feed says nothing of it.
// Method: the last change of a document is recalled in the store; the follower is idle, and a job runs.
test("[REC-1] rows of before a recall are found and corrected, once", async () => {
  await using site = await openSite();
  const id = idOf("post 2");
  const reading = await site.source.readChanges(id, new Map());
  if (reading.outcome !== "whole") throw new Error(reading.outcome);
  const { lane, seq, id: envelope } = (await collect(reading.changes)).flat().at(-1)!;
  const refusal = { reason: "broken", validatorVersion: 1, atMs: 1 };
  await site.log.append({
    recall: [{ document: id, envelope: { lane, seq, id: toHex(envelope), ...refusal } }],
  });
  const report = await site.reconcile(false);
  expect(report.counts).toMatchObject({ drifts: 1, corrections: 1, undetermined: 0 });
  expect(report.drifts).toMatchObject([{ document: id, cause: "missed" }]);
  expect((await site.likes()).get(id) ?? 0).toBeLessThan(2);
  expect((await site.reconcile(true)).counts).toMatchObject({ drifts: 0, undetermined: 0 });
});
