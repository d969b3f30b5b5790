import { toHex } from "@heddle/core";
import {
  defineProjection,
  encodePath,
  encodeTotal,
  isClean,
  LookMemory,
  only,
  totalPath,
  type JobOptions,
  type JobReport,
} from "@heddle/reconcile";
import { describe, expect, test } from "vitest";

import { JobSite } from "./job-site.fixture.ts";
import { sumsDefinition } from "./light-projections.ts";
import type { LightContent } from "./memory-source.ts";

// Goal: what one run finds and does not make right is looked at by the next planned one, whichever run it was and
// however it ended.
// Method: a site with a clean look behind it and a hand on its files, of which the stores do not hear, so that nothing
// but a run can tell of it.

class LeftSite {
  readonly memory = new LookMemory();
  readonly site: JobSite;

  private constructor(site: JobSite) {
    this.site = site;
  }

  /** Partitions p10 to p29 of one document each. */
  static async open(site?: JobSite): Promise<LeftSite> {
    const left = new LeftSite(site ?? (await JobSite.open()));
    for (let index = 10; index < 30; index++) {
      left.site.source.edit(`p${index}/only`, { likes: 1 });
    }
    await left.site.feed();
    return left;
  }

  static neverRepaired(): Promise<JobSite> {
    const definition = { ...sumsDefinition, repair: "never" } as typeof sumsDefinition;
    return JobSite.open(defineProjection<LightContent>(definition));
  }

  asked(options: Partial<JobOptions> = {}): Promise<JobReport> {
    return this.site.run({ memory: this.memory, name: "asked", ...options });
  }

  planned(options: Partial<JobOptions> = {}): Promise<JobReport> {
    return this.site.run({ memory: this.memory, isOnlyMoved: true, ...options });
  }

  tamperOnDisk(partition: string): void {
    const { disk, generation } = this.site;
    const key = toHex(encodePath(totalPath(generation, partition, "likes")));
    disk.records.set(key, encodeTotal({ value: 997, documents: 1 }));
  }
}

test.each([
  ["a dry run", { isDryRun: true }],
  ["a dry run of a part", { isDryRun: true, scope: { partitions: only("p13") } }],
] as const)("[REC-12] what %s found is no longer unmoved", async (_, options) => {
  const left = await LeftSite.open();
  await left.planned();
  left.tamperOnDisk("p13");
  expect(await left.planned()).toMatchObject({ outcome: "unmoved" });
  expect(await left.asked(options)).toMatchObject({ counts: { drifts: 1, corrections: 0 } });
  expect(await left.planned()).toMatchObject({
    outcome: "moved-only",
    counts: { partitions: 1, corrections: 1 },
  });
  expect(await left.site.wrong()).toEqual([]);
});

describe("two runs at once", () => {
  test("[REC-12] what one left while the other was under way is not forgotten when that one ends", async () => {
    const left = await LeftSite.open(await LeftSite.neverRepaired());
    await left.planned();
    left.tamperOnDisk("p13");
    // The planned one has something to look at, and the other one begins and ends meanwhile.
    await left.site.setTotal("p20", "likes", 1);
    const { source } = left.site;
    const look = source.look.bind(source);
    const whole: JobReport[] = [];
    source.look = async (...args) => {
      source.look = look;
      whole.push(await left.asked());
      return look(...args);
    };
    expect(await left.planned()).toMatchObject({ outcome: "moved-only", counts: { drifts: 0 } });
    expect(whole).toMatchObject([{ outcome: "whole", drifts: [{ partition: "p13" }] }]);
    for (let run = 0; run < 2; run++) {
      const report = await left.planned();
      expect(report).toMatchObject({ outcome: "moved-only", drifts: [{ partition: "p13" }] });
      expect(isClean(report)).toBe(false);
    }
  });
});

describe("what a run put off before it was stopped", () => {
  test("[REC-12] [REC-6] is said by the run that goes on, which is not clean, and looked at by the next", async () => {
    const left = await LeftSite.open();
    const { store } = left.site;
    left.tamperOnDisk("p13");
    // Somebody else works on that partition, so that it is put off to the end of the run.
    const name = `partition/${left.site.projection.name}/p13`;
    const lease = await store.acquireLease(name, "another", 60_000);
    const stopping = new AbortController();
    const onProgress = (): void => {
      if (++partitions === 10) stopping.abort();
    };
    let partitions = 0;
    const { memory } = left;
    const options = { memory, isOnlyMoved: true, checkpointMs: 0, onProgress };
    const first = await left.site.job(options).run(stopping.signal);
    expect(first).toMatchObject({ outcome: "stopped", counts: { postponed: 1 } });
    await store.releaseLease(lease!);
    const second = await left.planned();
    expect(second).toMatchObject({ outcome: "whole", isResumed: true, counts: { postponed: 1 } });
    expect(isClean(second)).toBe(false);
    expect(second.provenAtMs).toBeUndefined();
    expect(await left.planned()).toMatchObject({
      outcome: "moved-only",
      counts: { partitions: 1, corrections: 1 },
    });
    expect(await left.site.wrong()).toEqual([]);
  });

  test("[REC-6] also after a kill: the run that goes on is not clean", async () => {
    const left = await LeftSite.open();
    left.tamperOnDisk("p13");
    const name = `partition/${left.site.projection.name}/p13`;
    await left.site.store.acquireLease(name, "another", 60_000);
    let partitions = 0;
    const onProgress = (): void => {
      if (++partitions === 10) throw new Error("killed");
    };
    const killed = left.site.run({ checkpointMs: 0, onProgress });
    await expect(killed).rejects.toThrow("killed");
    await left.site.reopen();
    await left.site.feed();
    const report = await left.site.run();
    expect(report).toMatchObject({ outcome: "whole", isResumed: true, counts: { postponed: 1 } });
    expect(isClean(report)).toBe(false);
    expect(report.provenAtMs).toBeUndefined();
    expect(await left.site.run()).toMatchObject({ outcome: "whole", counts: { corrections: 1 } });
  });
});
