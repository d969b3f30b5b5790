import {
  defineProjection,
  feedPath,
  decodeCursor,
  encodeCursor,
  encodeRow,
  encodeTotal,
  rowPath,
  totalPath,
} from "@heddle/reconcile";
import { describe, expect, test } from "vitest";

import { JobSite } from "./job-site.fixture.ts";
import { sums, sumsDefinition } from "./light-projections.ts";
import type { LightContent } from "./memory-source.ts";

// Goal: reconciliation does no harm. Each of the eight ways in which such jobs do is a test with its name.

const never = defineProjection<LightContent>({
  ...sumsDefinition,
  repair: "never",
} as typeof sumsDefinition);

async function drifted(documents = 20): Promise<JobSite> {
  const site = await JobSite.open();
  await site.fill(documents, { likes: 1 });
  await site.setTotal("a", "likes", 3);
  return site;
}

describe("failure mode 1, stale source read", () => {
  test("[REC-3] a source that knows of less than the projection is not compared with", async () => {
    const site = await JobSite.open();
    await site.fill(3, { likes: 1 });
    // A copy of the source from before the last edit: a read replica that lags, or a restored backup.
    const description = await site.source.describeFeed();
    site.source.edit("a/0", { likes: 9 });
    await site.feed();
    const { source } = site;
    const stale = {
      storeId: source.storeId,
      describeFeed: async () => description,
      readFeed: source.readFeed.bind(source),
      readDocuments: source.readDocuments.bind(source),
      describe: source.describe.bind(source),
      look: async () => ({ outcome: "whole", log: "of before" }) as const,
      read: async () =>
        ({ outcome: "whole", log: "of before", content: new Map([["likes", 1]]) }) as const,
      readChanges: source.readChanges.bind(source),
    };
    const report = await site.job({}, { source: stale }).run();
    expect(report).toMatchObject({ outcome: "source-behind", drifts: [] });
    expect(await site.total("a", "likes")).toBe(11);
    expect(site.environment.logger.lines.at(-1)).toMatchObject({
      level: "error",
      event: "reconcile.failed",
    });
  });

  test("[REC-3] nor one with another history", async () => {
    const site = await drifted();
    const [bytes] = await site.store.get([feedPath(site.generation)]);
    const cursor = decodeCursor(bytes as Uint8Array);
    const value = encodeCursor({ ...cursor, incarnation: "0".repeat(32) });
    await site.store.apply({ put: [{ path: feedPath(site.generation), value }] });
    expect((await site.run()).outcome).toBe("source-behind");
    expect(await site.total("a", "likes")).toBe(3);
  });

  test("[REC-2] what the feed has not come to is late and no drift", async () => {
    const site = await JobSite.open();
    await site.fill(3, { likes: 1 });
    site.source.edit("a/0", { likes: 5 });
    site.source.edit("a/new", { likes: 5 });
    const report = await site.run();
    expect(report.counts).toMatchObject({ drifts: 0, postponed: 2, corrections: 0 });
    await site.feed();
    expect((await site.run()).counts).toMatchObject({ drifts: 0, postponed: 0 });
  });
});

describe("failure mode 2, overload", () => {
  test("[REC-7] a job rests as its limits say, however much there is to do", async () => {
    const site = await JobSite.open();
    await site.fill(300, { likes: 1 });
    const { clock } = site.environment;
    let restedMs = 0;
    const scheduler = {
      after(delayMs: number, task: () => void) {
        restedMs += delayMs;
        clock.advance(delayMs);
        queueMicrotask(task);
        return () => undefined;
      },
    };
    site.environment.scheduler.after = scheduler.after;
    const report = await site.run({ pace: { readsPerSecond: 100, loopShare: 1 } });
    expect(report.outcome).toBe("whole");
    expect(report.load.reads).toBeGreaterThan(900);
    expect(restedMs).toBeGreaterThanOrEqual((report.load.reads / 100) * 1_000 * 0.95);
    expect(report.load.restedMs).toBeGreaterThan(9_000);
  });
});

describe("failure mode 3, wrong correction logic", () => {
  test("[REC-5] the cap stops a run that corrects too much, and nothing goes on until somebody says so", async () => {
    const site = await JobSite.open();
    await site.fill(50, { likes: 1 });
    // Somebody changed the code and forgot the version: every row is now to be "corrected".
    site.projection = {
      ...sums,
      derive: () => new Map([["likes", 1_000]]),
    } as unknown as typeof sums;
    const options = { isThorough: true, correctionsMax: 7 };
    const first = await site.run(options);
    expect(first).toMatchObject({ outcome: "capped", counts: { corrections: 7 } });
    expect(site.environment.logger.lines.at(-1)).toMatchObject({
      level: "error",
      event: "reconcile.capped",
    });
    expect(await site.audited()).toHaveLength(7);
    const second = await site.run(options);
    expect(second).toMatchObject({ outcome: "capped", counts: { corrections: 0 } });
    await site.reopen();
    await site.feed();
    expect((await site.run(options)).outcome).toBe("capped");
    expect(await site.audited()).toHaveLength(7);
    const accepted = await site.run({ ...options, acceptsCap: true });
    expect(accepted.counts.corrections).toBe(7);
  });

  test("[REC-5] the cap holds over a run that was killed in the middle", async () => {
    const site = await JobSite.open();
    for (let partition = 0; partition < 12; partition++) {
      await site.fill(1, { likes: 1 }, `p${10 + partition}`);
      await site.setTotal(`p${10 + partition}`, "likes", 5);
    }
    // The process ends after each correction: what it has not written is lost with it.
    for (let kill = 0; kill < 20; kill++) {
      const corrections = (await site.audited()).length;
      const { store } = site;
      const dying: typeof store = Object.create(store, {
        apply: {
          value: async (...args: Parameters<typeof store.apply>) => {
            if ((await site.audited()).length > corrections) throw new Error("killed");
            return await store.apply(...args);
          },
        },
        get: { value: store.get.bind(store) },
        readPage: { value: store.readPage.bind(store) },
        readAudit: { value: store.readAudit.bind(store) },
        acquireLease: { value: store.acquireLease.bind(store) },
        releaseLease: { value: store.releaseLease.bind(store) },
        renewLease: { value: store.renewLease.bind(store) },
      }) as typeof store;
      await site
        .job({ correctionsMax: 5, checkpointMs: 0 }, { store: dying })
        .run()
        .catch((error: unknown) => expect(String(error)).toContain("killed"));
    }
    expect(await site.audited()).toHaveLength(5);
    expect((await site.run({ correctionsMax: 5 })).outcome).toBe("capped");
  });
});

describe("failure mode 4, repair against live updates", () => {
  test("[REC-2] 10,000 edits while jobs run on what a hand has changed: the final value is exact", async () => {
    const site = await JobSite.open();
    const documents = 50;
    await site.fill(documents, { likes: 0 });
    let edits = 0;
    const writing = { isOver: false };
    const write = async (): Promise<void> => {
      while (edits < 10_000) {
        for (let burst = 0; burst < 250; burst++) {
          edits++;
          site.source.edit(`a/${edits % documents}`, { likes: edits });
        }
        await site.feed();
        if (edits % 500 === 0) await site.setTotal("a", "likes", -1);
        await new Promise((resolve) => setImmediate(resolve));
      }
      writing.isOver = true;
    };
    const reports: Awaited<ReturnType<typeof site.run>>[] = [];
    const reconcile = async (): Promise<void> => {
      while (!writing.isOver) {
        reports.push(await site.run({ correctionsMax: 1_000 }));
        for (let turn = 0; turn < 8; turn++) await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await Promise.all([write(), reconcile()]);
    await site.feed();
    reports.push(await site.run({ correctionsMax: 1_000 }));
    const right = Array.from({ length: documents }, (_, index) => 10_000 - index);
    expect(await site.total("a", "likes")).toBe(right.reduce((a, b) => a + b));
    expect(await site.wrong()).toEqual([]);
    expect(reports.every(({ counts }) => counts.failures === 0)).toBe(true);
    expect(reports.reduce((n, { counts }) => n + counts.corrections, 0)).toBeGreaterThan(0);
    expect((await site.run()).counts).toMatchObject({ drifts: 0, postponed: 0 });
  });
});

describe("failure mode 5, drift detected but not alerted", () => {
  test("[REC-10] what is found is in the report, the counts, and an event that names no content", async () => {
    const site = await drifted();
    site.projection = never;
    const report = await site.run();
    expect(report.counts.drifts).toBe(1);
    const line = site.environment.logger.lines.find(({ level }) => level === "warn");
    expect(line).toMatchObject({
      event: "reconcile.drift_found",
      fields: { projection: "sums", drifts: 1, corrections: 0, reconcileRun: report.run },
    });
    // Of a relay's log it is the process: a line with two of them is no JSON that everybody reads.
    expect(site.environment.logger.lines.some(({ fields }) => "run" in fields)).toBe(false);
    expect(JSON.stringify(site.environment.logger.lines)).not.toContain("likes");
  });
});

describe("failure mode 6, sampling", () => {
  test("[REC-10] everything is looked at unless a sample is asked for, and then the report says what was not", async () => {
    const site = await JobSite.open();
    for (let partition = 0; partition < 40; partition++)
      await site.fill(1, { likes: 1 }, `p${partition}`);
    const all = await site.run();
    expect(all.counts).toMatchObject({ partitions: 40, partitionsSkipped: 0 });
    expect(all.provenAtMs).toBe(all.startedAtMs);
    const sample = { ratio: 0.25, seed: "monday" };
    const some = await site.run({ scope: { sample } });
    const { partitions, partitionsSkipped } = some.counts;
    expect(partitions + partitionsSkipped).toBe(40);
    expect(partitionsSkipped).toBeGreaterThan(20);
    expect(some.scope.sample).toEqual(sample);
    // A part that was looked at proves nothing of the rest.
    expect(some.provenAtMs).toBe(all.provenAtMs);
    const other = await site.run({ scope: { sample: { ratio: 0.25, seed: "tuesday" } } });
    expect(other.counts.partitions + other.counts.partitionsSkipped).toBe(40);
    expect(() => site.job({ scope: { sample: { ratio: 1.5, seed: "" } } })).toThrow("sample");
  });
});

describe("failure mode 7, newer overwritten by older", () => {
  test("[REC-2] what changes between the reading and the writing of a correction is not written over", async () => {
    const site = await JobSite.open();
    await site.fill(2, { likes: 1 });
    const [document] = await site.source.readDocuments(undefined, 1);
    // The correction of a lost event is made from likes 5 ...
    site.source.edit(document!.name, { likes: 5 }, { isFed: false });
    await site.feed();
    let isFirst = true;
    site.source.onRead = async () => {
      if (!isFirst) return;
      isFirst = false;
      // ... while somebody writes 8, and the feed brings it, before the correction is written.
      site.source.onRead = undefined;
      site.source.edit(document!.name, { likes: 8 });
      await site.feed();
    };
    const report = await site.run();
    expect(isFirst).toBe(false);
    expect(await site.total("a", "likes")).toBe(9);
    expect(await site.wrong()).toEqual([]);
    expect(report.counts.corrections).toBe(0);
  });

  test("[REC-2] a source that moves on before the feed tells of it is read again, and nothing older is written", async () => {
    const site = await JobSite.open();
    await site.fill(2, { likes: 1 });
    const [document] = await site.source.readDocuments(undefined, 1);
    // A hand on a row; while the row is made anew somebody writes.
    const path = rowPath(site.generation, "a", document!.id, "likes");
    await site.store.apply({ put: [{ path, value: encodeRow({ value: 50 }) }] });
    site.source.onRead = async () => {
      site.source.onRead = undefined;
      site.source.edit(document!.name, { likes: 8 });
    };
    const report = await site.run();
    expect(report.counts).toMatchObject({ corrections: 0, drifts: 0, moved: 1, postponed: 2 });
    expect(await site.audited()).toEqual([]);
    await site.feed();
    expect(await site.total("a", "likes")).toBe(9);
    expect(await site.wrong()).toEqual([]);
    expect((await site.run()).counts).toMatchObject({ drifts: 0, postponed: 0 });
  });

  test("[REC-2] what moves each time is tried five times, put off to the end, and left to the next run", async () => {
    const site = await drifted();
    const { store } = site;
    const apply = store.apply.bind(store);
    let tries = 0;
    store.apply = async (batch, conditions) => {
      if (batch.audit?.length) {
        tries++;
        // Somebody else has written the total in between, and it is still not right.
        await site.setTotalBy(apply, "a", "likes", 100 + tries);
      }
      return await apply(batch, conditions);
    };
    const report = await site.run();
    expect(report.counts).toMatchObject({ corrections: 0, postponed: 1, moved: 10 });
    expect(tries).toBe(10);
    store.apply = apply;
    expect((await site.run()).counts).toMatchObject({ corrections: 1, postponed: 0 });
    expect(await site.wrong()).toEqual([]);
  });

  test("[REC-2] a total that somebody writes meanwhile is not written over either", async () => {
    const site = await drifted();
    const { store } = site;
    const path = totalPath(site.generation, "a", "likes");
    let isFirst = true;
    const apply = store.apply.bind(store);
    store.apply = async (batch, conditions) => {
      if (isFirst && batch.audit?.length) {
        isFirst = false;
        await apply({ put: [{ path, value: encodeTotal({ value: 20, documents: 20 }) }] });
      }
      return await apply(batch, conditions);
    };
    const report = await site.run();
    expect(report.counts).toMatchObject({ moved: 1, corrections: 0, drifts: 0 });
    expect(await site.total("a", "likes")).toBe(20);
    expect(await site.audited()).toEqual([]);
  });
});

describe("failure mode 8, missing audit", () => {
  test("[REC-1] a correction and its entry are one batch: neither is there without the other", async () => {
    const site = await drifted();
    const { store } = site;
    const apply = store.apply.bind(store);
    const batches: { corrects: boolean; entries: number }[] = [];
    store.apply = (batch, conditions) => {
      const kinds = new Set((batch.put ?? []).map(({ path }) => path[0]));
      batches.push({
        corrects: kinds.has("total") || kinds.has("row"),
        entries: batch.audit?.length ?? 0,
      });
      return apply(batch, conditions);
    };
    await site.run();
    expect(batches.filter(({ corrects }) => corrects)).toEqual([{ corrects: true, entries: 1 }]);
    const again = await drifted();
    again.store.apply = async () => {
      throw new Error("the disk is full");
    };
    await expect(again.run()).rejects.toThrow("full");
    expect(await again.total("a", "likes")).toBe(3);
    expect(await again.audited()).toEqual([]);
  });
});

test("[REC-3] a document with a gap is counted, told, and never corrected from", async () => {
  for (const doubt of ["gap", "pending", "quarantine", "degraded", "damaged", "pruned"] as const) {
    const site = await JobSite.open();
    await site.fill(3, { likes: 1 });
    site.source.edit("a/1", { likes: 50 }, { isFed: false });
    site.source.setDoubt("a/1", doubt);
    const report = await site.run();
    expect(report.counts).toMatchObject({ undetermined: 1, corrections: 0, drifts: 0 });
    expect(report.undetermined).toMatchObject([{ reason: doubt }]);
    expect(report.provenAtMs).toBeUndefined();
    expect(await site.total("a", "likes")).toBe(3);
    const { level, event } = site.environment.logger.lines.at(-1)!;
    expect([level, event]).toEqual(["warn", "reconcile.drift_found"]);
  }
});

test("[REC-3] a total is not added up from a row that a hand has changed while its document cannot be told", async () => {
  const site = await JobSite.open();
  await site.fill(3, { likes: 1 });
  const { id } = site.source.edit("a/1", { likes: 1 });
  await site.feed();
  const path = rowPath(site.generation, "a", id, "likes");
  await site.store.apply({ put: [{ path, value: encodeRow({ value: 50 }) }] });
  site.source.setDoubt("a/1", "gap");
  const scopes = [{}, { documents: [id] }];
  for (const scope of scopes) {
    const report = await site.run({ scope });
    expect(report.counts).toMatchObject({ undetermined: 1, corrections: 0, postponed: 1 });
    expect(await site.total("a", "likes")).toBe(3);
  }
  site.source.setDoubt("a/1", undefined);
  expect((await site.run()).counts).toMatchObject({ corrections: 1, postponed: 0 });
  expect(await site.wrong()).toEqual([]);
});
