import {
  beginningWith,
  defineProjection,
  isClean,
  jobPath,
  only,
  type EmittedCorrection,
} from "@heddle/reconcile";
import { describe, expect, test } from "vitest";

import { JobSite } from "./job-site.fixture.ts";
import { sumsDefinition } from "./light-projections.ts";
import type { LightContent } from "./memory-source.ts";

// Goal: a run does what it was asked, by itself, once, and goes on where it was.

const withRepair = (repair: "emit" | "never") =>
  defineProjection<LightContent>({ ...sumsDefinition, repair } as typeof sumsDefinition);

/** Partitions p10, p11, ... of one document each, all of whose totals somebody has changed. */
async function manyDrifted(count: number): Promise<JobSite> {
  const site = await JobSite.open();
  for (let partition = 10; partition < 10 + count; partition++) {
    site.source.edit(`p${partition}/only`, { likes: 1 });
  }
  await site.feed();
  for (let partition = 10; partition < 10 + count; partition++) {
    await site.setTotal(`p${partition}`, "likes", partition);
  }
  return site;
}

describe("going on", () => {
  test("[REC-6] a run that is told to stop goes on where it was, with what it had counted", async () => {
    const site = await manyDrifted(8);
    const stopping = new AbortController();
    const { store } = site;
    const apply = store.apply.bind(store);
    let corrections = 0;
    store.apply = async (batch, conditions) => {
      const outcome = await apply(batch, conditions);
      if (batch.audit?.length && ++corrections === 3) stopping.abort();
      return outcome;
    };
    const first = await site.job({ checkpointMs: 0 }).run(stopping.signal);
    expect(first).toMatchObject({
      outcome: "stopped",
      isResumed: false,
      counts: { corrections: 3 },
    });
    await site.reopen();
    await site.feed();
    const second = await site.run({ checkpointMs: 0 });
    expect(second).toMatchObject({
      outcome: "whole",
      isResumed: true,
      run: first.run,
      counts: { corrections: 8, drifts: 8 },
    });
    // What was done is not looked at again: of the partitions, the one in which it was stopped.
    expect(second.counts.partitions).toBe(8);
    expect(await site.wrong()).toEqual([]);
    expect((await site.run()).isResumed).toBe(false);
  });

  test("[REC-6] another scope or definition begins anew", async () => {
    const site = await manyDrifted(4);
    const stopped = new AbortController();
    stopped.abort();
    await site.job({ checkpointMs: 0 }).run(stopped.signal);
    const other = await site.run({ scope: { partitions: only("p11") } });
    expect(other).toMatchObject({ isResumed: false, counts: { corrections: 1 } });
  });

  test("[REC-6] a damaged record of a job costs its progress and nothing else", async () => {
    const site = await manyDrifted(2);
    const path = jobPath("sums", "test");
    await site.store.apply({ put: [{ path, value: new TextEncoder().encode("what") }] });
    expect(await site.run()).toMatchObject({ outcome: "whole", counts: { corrections: 2 } });
    expect((await site.run()).provenAtMs).toBeDefined();
  });

  test("a rebuild that is switched to in the middle ends the run: nothing is written into what goes", async () => {
    const site = await manyDrifted(3);
    site.rebuild();
    let isFirst = true;
    const { store } = site;
    const apply = store.apply.bind(store);
    store.apply = async (batch, conditions) => {
      if (batch.audit?.length && isFirst) {
        isFirst = false;
        store.apply = apply;
        await site.feed();
      }
      return await apply(batch, conditions);
    };
    const report = await site.run();
    expect(report.outcome).toBe("switched");
    expect(report.counts.corrections).toBe(0);
    expect(await site.wrong()).toEqual([]);
    expect(await site.run()).toMatchObject({ outcome: "whole", counts: { drifts: 0 } });
  });
});

test("[REC-10] a report says what was found in which partition, and which of them cost most", async () => {
  const site = await manyDrifted(3);
  await site.fill(30, { likes: 1 }, "large");
  site.source.edit("p12/only", { likes: 3 }, { isFed: false });
  site.source.setDoubt("p12/only", "gap");
  const { partitions } = await site.run({ correctionsMax: 2 });
  const none = {
    drifts: 0,
    corrections: 0,
    emitted: 0,
    failures: 0,
    undetermined: 0,
    postponed: 0,
  };
  const corrected = { ...none, drifts: 1, corrections: 1 };
  expect(partitions.found).toEqual([
    { partition: "p10", ...corrected, largest: { key: "likes", size: 9 } },
    { partition: "p11", ...corrected, largest: { key: "likes", size: 10 } },
    { partition: "p12", ...none, undetermined: 1 },
  ]);
  const large = partitions.dearest.find(({ partition }) => partition === "large");
  expect(large).toMatchObject({ documents: 30 });
  expect(partitions.dearest).toHaveLength(4);
  const costs = partitions.dearest.map(({ workedMs }) => workedMs);
  expect(costs).toEqual(costs.toSorted((a, b) => b - a));
});

describe("leases", () => {
  test("[REC-4] a job that somebody else does is left alone, and so is a partition that one corrects", async () => {
    const site = await manyDrifted(2);
    const { store } = site;
    const other = await store.acquireLease("job/sums/test", "somebody", 60_000);
    expect(await site.run()).toMatchObject({ outcome: "held", drifts: [] });
    await store.releaseLease(other!);
    await store.acquireLease("partition/sums/p10", "somebody", 60_000);
    const report = await site.run();
    expect(report.counts).toMatchObject({ corrections: 1, postponed: 1 });
    expect(await site.total("p10", "likes")).toBe(10);
    expect(await site.total("p11", "likes")).toBe(1);
  });

  test("[REC-4] whoever was away for longer than its lease writes nothing, and learns of it", async () => {
    const site = await manyDrifted(1);
    const { store } = site;
    const apply = store.apply.bind(store);
    const readPage = store.readPage.bind(store);
    let isAway = false;
    store.readPage = async (range) => {
      const page = await readPage(range);
      if (range.under[0] === "row" && !isAway && range.under.length > 3) {
        isAway = true;
        // It stands still; its lease runs out, and another one does its work.
        site.environment.clock.advance(60_000);
        expect(await site.run({ holder: "another" })).toMatchObject({ counts: { corrections: 1 } });
        await store.apply({ put: [{ path: jobPath("sums", "away"), value: Uint8Array.of(1) }] });
      }
      return page;
    };
    const report = await site.run({ name: "test", holder: "away" });
    expect(isAway).toBe(true);
    expect(report.outcome).toBe("fenced");
    store.apply = apply;
    expect(await site.audited()).toHaveLength(1);
    expect((await site.audited())[0]!.by).toBe("another");
  });

  test("[REC-4] the same when nobody has done its work: the batch carries the token of its lease", async () => {
    const site = await manyDrifted(1);
    const { store } = site;
    const apply = store.apply.bind(store);
    store.apply = async (batch, conditions) => {
      // It stands still with a batch in its hands, of which everything that was read is still so.
      if (batch.audit?.length) site.environment.clock.advance(60_000);
      return await apply(batch, conditions);
    };
    expect((await site.run()).outcome).toBe("fenced");
    store.apply = apply;
    expect(await site.total("p10", "likes")).toBe(10);
    expect(await site.audited()).toEqual([]);
  });
});

describe("what a projection says about repair", () => {
  test("[REC-8] never: reported in every run, in the journal once, and not a byte is written over", async () => {
    const site = await manyDrifted(3);
    site.projection = withRepair("never");
    const before = await site.total("p10", "likes");
    for (let run = 0; run < 3; run++) {
      const report = await site.run({ correctionsMax: 0 });
      expect(report.outcome).toBe("whole");
      expect(report.drifts.map(({ action }) => action)).toEqual([
        "reported",
        "reported",
        "reported",
      ]);
      expect(isClean(report)).toBe(false);
    }
    expect(await site.total("p10", "likes")).toBe(before);
    expect((await site.audited()).map(({ action }) => action)).toEqual(["none", "none", "none"]);
  });

  test("[REC-8] emit: handed to the application, counted against the cap, and a refusal is a failure", async () => {
    const site = await manyDrifted(3);
    site.projection = withRepair("emit");
    const emitted: EmittedCorrection[] = [];
    const onCorrection = async (correction: EmittedCorrection): Promise<void> => {
      if (correction.partition === "p11") throw new Error("not now");
      emitted.push(correction);
    };
    const report = await site.run({ onCorrection });
    expect(report.counts).toMatchObject({ drifts: 3, emitted: 2, failures: 1, corrections: 0 });
    expect(emitted.map(({ partition, keys }) => [partition, keys])).toEqual([
      ["p10", [{ key: "likes", before: 10, after: 1 }]],
      ["p12", [{ key: "likes", before: 12, after: 1 }]],
    ]);
    expect(await site.total("p10", "likes")).toBe(10);
    expect((await site.audited()).map(({ action, result }) => [action, result])).toEqual([
      ["emitted", "reported"],
      ["corrected", "failed"],
      ["emitted", "reported"],
    ]);
    expect((await site.run({ onCorrection, correctionsMax: 1 })).outcome).toBe("capped");
    expect(() => site.job()).toThrow("nobody takes them");
  });

  test("[REC-8] a dry run finds the same and writes nothing: no correction, no entry, no record, no lease", async () => {
    const site = await manyDrifted(3);
    const records = JSON.stringify([...site.disk.records]);
    const { batches } = site.store.counters;
    const report = await site.run({ isDryRun: true });
    expect(report).toMatchObject({ isDryRun: true, counts: { drifts: 3, corrections: 0 } });
    expect(JSON.stringify([...site.disk.records])).toBe(records);
    expect(site.store.counters.batches).toBe(batches);
    expect(site.disk.tokens.size).toBe(0);
    expect(await site.audited()).toEqual([]);
  });
});

describe("scope", () => {
  test("a partition, the partitions of a tenant, a document, keys: each is all that is looked at", async () => {
    const site = await manyDrifted(12);
    const scopes = async (options: Parameters<typeof site.run>[0]) => {
      const report = await site.run({ isDryRun: true, ...options });
      return report.drifts.map(({ partition }) => partition);
    };
    expect(await scopes({ scope: { partitions: only("p13") } })).toEqual(["p13"]);
    expect(await scopes({ scope: { partitions: beginningWith("p2") } })).toEqual(["p20", "p21"]);
    expect(await scopes({ scope: { partitions: { from: "p12", to: "p14" } } })).toEqual([
      "p12",
      "p13",
    ]);
    const [document] = await site.source.readDocuments(undefined, 1);
    const [name] = document!.name.split("/");
    expect(await scopes({ scope: { documents: [document!.id] } })).toEqual([name]);
    expect(await scopes({ scope: { keys: only("views") } })).toEqual([]);
    expect(await scopes({ scope: { keys: beginningWith("li") } })).toHaveLength(12);
    expect(await scopes({ scope: { documents: [] } })).toEqual([]);
  });

  test("documents of the source that a projection lacks are found within the scope only", async () => {
    const site = await manyDrifted(0);
    for (const name of ["x/1", "y/1", "private/1"])
      site.source.edit(name, { likes: 1 }, { isFed: false });
    await site.feed();
    const report = await site.run({ scope: { partitions: only("y") } });
    expect(report.drifts).toMatchObject([{ partition: "y", cause: "missed" }]);
    expect(await site.total("x", "likes")).toBeUndefined();
  });
});

test("options that cannot be meant are refused with a code", async () => {
  const site = await manyDrifted(0);
  const wrong = [
    { name: "" },
    { holder: "two words" },
    { pace: { readsPerSecond: 0, loopShare: 1 } },
    { pace: { readsPerSecond: 1, loopShare: 1.5 } },
    { correctionsMax: -1 },
    { leaseMs: 1 },
  ];
  for (const options of wrong) {
    expect(() => site.job(options)).toThrow(
      expect.objectContaining({ code: "HEDDLE_CONFIG_INVALID" }),
    );
  }
});
