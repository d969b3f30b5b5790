import { toHex } from "@heddle/core";
import {
  defineProjection,
  encodePath,
  encodeTotal,
  isClean,
  LookMemory,
  totalPath,
  type JobOptions,
  type JobReport,
} from "@heddle/reconcile";
import { describe, expect, test } from "vitest";

import { JobSite } from "./job-site.fixture.ts";
import { sumsDefinition } from "./light-projections.ts";
import type { LightContent } from "./memory-source.ts";

// Goal: what has not moved is not looked at again, and nothing that moved, or may have, is left out for it.
// Method: a site with a clean look behind it; then one thing happens, and the next planned run says what it looked at.

const day = 24 * 60 * 60 * 1_000;

class MovedSite {
  readonly site: JobSite;
  memory = new LookMemory();

  private constructor(site: JobSite) {
    this.site = site;
  }

  /** Partitions p10, p11, ... of one document each. */
  static async of(partitions = 20, site?: JobSite): Promise<MovedSite> {
    const moved = new MovedSite(site ?? (await JobSite.open()));
    for (let index = 10; index < 10 + partitions; index++) {
      moved.site.source.edit(`p${index}/only`, { likes: 1 });
    }
    await moved.site.feed();
    return moved;
  }

  /** As a planned run. */
  run(options: Partial<JobOptions> = {}): Promise<JobReport> {
    const { memory } = this;
    return this.site.run({ memory, isOnlyMoved: true, ...options });
  }

  /** The process ended, however it did, and another one has opened the store. */
  async restart(): Promise<void> {
    this.memory = new LookMemory();
    await this.site.reopen();
    await this.site.feed();
  }

  /** A hand on the files, which the store does not hear of. */
  tamperOnDisk(partition: string): void {
    const { disk, generation } = this.site;
    const key = toHex(encodePath(totalPath(generation, partition, "likes")));
    expect(disk.records.has(key)).toBe(true);
    disk.records.set(key, encodeTotal({ value: 997, documents: 1 }));
  }
}

describe("a run after one that found nothing", () => {
  test("[REC-12] nothing moved: nothing is looked at or written, and the report says since when", async () => {
    const moved = await MovedSite.of();
    const first = await moved.run();
    expect(first).toMatchObject({ outcome: "whole", counts: { partitions: 20 } });
    expect(first.since).toBeUndefined();
    const { batches } = moved.site.store.counters;
    const { tokens } = moved.site.disk;
    const before = JSON.stringify([...tokens]);
    const { looks, reads } = moved.site.source;
    for (let run = 0; run < 3; run++) {
      const report = await moved.run();
      expect(report).toMatchObject({
        outcome: "unmoved",
        since: { run: first.run, atMs: first.startedAtMs },
        wholeLook: { run: first.run },
        counts: { partitions: 0, documents: 0 },
      });
      expect(report.load.reads).toBeLessThan(8);
      expect(report.provenAtMs).toBe(report.startedAtMs);
      expect(isClean(report)).toBe(true);
    }
    expect([moved.site.source.looks, moved.site.source.reads]).toEqual([looks, reads]);
    expect(moved.site.store.counters.batches).toBe(batches);
    expect(JSON.stringify([...tokens])).toBe(before);
    expect(moved.site.environment.logger.lines.at(-1)).toMatchObject({
      event: "reconcile.done",
      fields: { outcome: "unmoved", since: first.run },
    });
  });

  test("[REC-12] one that is asked for everything, or for a thorough look, looks at everything", async () => {
    const moved = await MovedSite.of();
    await moved.run();
    const asked = await moved.site.run({ memory: moved.memory });
    expect(asked).toMatchObject({ outcome: "whole", counts: { partitions: 20 } });
    expect(await moved.run({ isThorough: true })).toMatchObject({ outcome: "whole" });
    const { run } = await moved.site.run({ name: "another", memory: moved.memory });
    // Whichever job it was that looked.
    expect(await moved.run()).toMatchObject({ outcome: "unmoved", since: { run } });
  });

  test("[REC-12] a hand on a row of one partition: that one is looked at and made right, and no other", async () => {
    const moved = await MovedSite.of();
    const first = await moved.run();
    await moved.site.setTotal("p13", "likes", 997);
    const second = await moved.run();
    expect(second).toMatchObject({
      outcome: "moved-only",
      since: { run: first.run },
      counts: { partitions: 1, drifts: 1, corrections: 1 },
      drifts: [{ partition: "p13", cause: "tampered" }],
    });
    expect(await moved.site.wrong()).toEqual([]);
    // The correction was a write, too.
    expect(await moved.run()).toMatchObject({
      outcome: "moved-only",
      since: { run: second.run },
      wholeLook: { run: first.run },
      counts: { partitions: 1, drifts: 0 },
    });
    expect(await moved.run()).toMatchObject({ outcome: "unmoved" });
  });

  test("[REC-12] a change that the feed lost, of a document with rows and of one without", async () => {
    const moved = await MovedSite.of();
    await moved.run();
    moved.site.source.edit("p13/only", { likes: 5 }, { isFed: false });
    moved.site.source.edit("new/only", { likes: 7 }, { isFed: false });
    await moved.site.feed();
    const report = await moved.run();
    expect(report).toMatchObject({ outcome: "moved-only", counts: { corrections: 2 } });
    expect(report.drifts.map(({ partition, cause }) => [partition, cause])).toEqual([
      ["p13", "missed"],
      ["new", "missed"],
    ]);
    expect(await moved.site.wrong()).toEqual([]);
  });

  test("[REC-12] what is typed meanwhile is looked at once the feed has brought it", async () => {
    const moved = await MovedSite.of();
    await moved.run();
    moved.site.source.edit("p13/only", { likes: 5 });
    // The feed has not: it is late, and left to the next run.
    expect(await moved.run()).toMatchObject({ counts: { drifts: 0, postponed: 1 } });
    await moved.site.feed();
    const after = await moved.run();
    expect(after).toMatchObject({ outcome: "moved-only", counts: { postponed: 0, partitions: 1 } });
    expect(await moved.run()).toMatchObject({ outcome: "unmoved" });
  });
});

describe("what a run left", () => {
  test("[REC-12] a document that is not whole is asked for in each run until it is", async () => {
    const moved = await MovedSite.of();
    moved.site.source.edit("p13/only", { likes: 5 }, { isFed: false });
    moved.site.source.setDoubt("p13/only", "gap");
    expect(await moved.run()).toMatchObject({ outcome: "whole", counts: { undetermined: 1 } });
    for (let run = 0; run < 2; run++) {
      const report = await moved.run();
      expect(report).toMatchObject({
        outcome: "moved-only",
        counts: { partitions: 1, undetermined: 1 },
      });
      expect(isClean(report)).toBe(false);
      expect(report.provenAtMs).toBeUndefined();
    }
    moved.site.source.setDoubt("p13/only", undefined);
    await moved.site.feed();
    expect(await moved.run()).toMatchObject({ counts: { undetermined: 0, corrections: 1 } });
    expect(await moved.site.wrong()).toEqual([]);
  });

  test("[REC-12] what is never repaired is reported in each run, and the rest is not looked at", async () => {
    const never = { ...sumsDefinition, repair: "never" } as typeof sumsDefinition;
    const site = await JobSite.open(defineProjection<LightContent>(never));
    const moved = await MovedSite.of(20, site);
    await site.setTotal("p13", "likes", 997);
    expect(await moved.run()).toMatchObject({ outcome: "whole", counts: { drifts: 1 } });
    for (let run = 0; run < 2; run++) {
      const report = await moved.run();
      expect(report).toMatchObject({
        outcome: "moved-only",
        counts: { partitions: 1, drifts: 1 },
        drifts: [{ partition: "p13", action: "reported" }],
      });
    }
  });
});

describe("everything is looked at", () => {
  test("[REC-12] in the first run after an opening: a hand on the files of a closed store is found", async () => {
    const moved = await MovedSite.of();
    await moved.run();
    expect(await moved.run()).toMatchObject({ outcome: "unmoved" });
    moved.tamperOnDisk("p13");
    await moved.restart();
    expect(await moved.run()).toMatchObject({
      outcome: "whole",
      counts: { partitions: 20, corrections: 1 },
      drifts: [{ partition: "p13", cause: "tampered" }],
    });
    expect(await moved.site.wrong()).toEqual([]);
  });

  test("[REC-12] and also when only the store was opened again, as after a write that failed", async () => {
    const moved = await MovedSite.of();
    await moved.run();
    moved.tamperOnDisk("p13");
    await moved.site.reopen();
    await moved.site.feed();
    expect(await moved.run()).toMatchObject({ outcome: "whole", counts: { corrections: 1 } });
  });

  test("[REC-12] once a day: what came past the store is found then", async () => {
    const moved = await MovedSite.of();
    await moved.run();
    moved.tamperOnDisk("p13");
    expect(await moved.run()).toMatchObject({ outcome: "unmoved" });
    moved.site.environment.clock.advance(day);
    expect(await moved.run()).toMatchObject({ outcome: "whole", counts: { corrections: 1 } });
    expect(await moved.site.wrong()).toEqual([]);
    moved.site.environment.clock.advance(day / 2);
    await moved.run();
    expect(await moved.run()).toMatchObject({ outcome: "unmoved" });
    expect(await moved.run({ wholeLookMs: 0 })).toMatchObject({ outcome: "whole" });
  });

  test("[REC-12] where a store does not tell, after a rebuild, and when most of it moved", async () => {
    const moved = await MovedSite.of(40);
    await moved.run();
    const { store } = moved.site;
    const silent = Object.create(store, { moves: { value: undefined } }) as typeof store;
    for (const name of ["get", "readPage", "apply", "readAudit"] as const) {
      Object.assign(silent, { [name]: store[name].bind(store) });
    }
    const { acquireLease, releaseLease, renewLease } = store;
    Object.assign(silent, {
      acquireLease: acquireLease.bind(store),
      releaseLease: releaseLease.bind(store),
      renewLease: renewLease.bind(store),
    });
    const options = { memory: moved.memory, isOnlyMoved: true };
    expect((await moved.site.job(options, { store: silent }).run()).outcome).toBe("whole");
    expect(await moved.run()).toMatchObject({ outcome: "unmoved" });
    for (let index = 10; index < 45; index++) {
      moved.site.source.edit(`p${index}/only`, { likes: 2 });
    }
    await moved.site.feed();
    expect(await moved.run()).toMatchObject({ outcome: "whole", counts: { partitions: 40 } });
    moved.site.rebuild();
    await moved.site.feed();
    expect(await moved.run()).toMatchObject({ outcome: "whole" });
    expect(await moved.run()).toMatchObject({ outcome: "unmoved" });
  });
});

describe("a run that was cut off", () => {
  test("[REC-12] in this process: it counts once it has gone on to its end, and as of when it began", async () => {
    const moved = await MovedSite.of();
    const stopping = new AbortController();
    atLook(moved.site, 10, () => stopping.abort());
    const options = { memory: moved.memory, isOnlyMoved: true, checkpointMs: 0 };
    const first = await moved.site.job(options).run(stopping.signal);
    expect(first.outcome).toBe("stopped");
    // In a partition that it had done.
    await moved.site.setTotal("p10", "likes", 997);
    const second = await moved.run();
    expect(second).toMatchObject({ outcome: "whole", isResumed: true, run: first.run });
    expect(second.counts.corrections).toBe(0);
    expect(await moved.run()).toMatchObject({
      outcome: "moved-only",
      since: { run: first.run, atMs: first.startedAtMs },
      drifts: [{ partition: "p10" }],
    });
    expect(await moved.site.wrong()).toEqual([]);
  });

  test("[REC-12] by a kill: what the next process does of it counts for nothing, and it looks again", async () => {
    const moved = await MovedSite.of();
    const { site } = moved;
    atLook(site, 10, () => {
      throw new Error("killed");
    });
    await expect(moved.run({ checkpointMs: 0 })).rejects.toThrow("killed");
    moved.tamperOnDisk("p10");
    await moved.restart();
    expect(await moved.run()).toMatchObject({ outcome: "whole", isResumed: true });
    expect(await moved.run()).toMatchObject({
      outcome: "whole",
      isResumed: false,
      counts: { partitions: 20, corrections: 1 },
    });
    expect(await moved.run()).toMatchObject({ outcome: "moved-only" });
  });

  test("[REC-12] while it looked at what had moved: it is looked at again, from the beginning", async () => {
    const moved = await MovedSite.of();
    await moved.run();
    for (const name of ["p13", "p14", "p15"]) await moved.site.setTotal(name, "likes", 997);
    const stopping = new AbortController();
    atLook(moved.site, 2, () => stopping.abort());
    const options = { memory: moved.memory, isOnlyMoved: true, checkpointMs: 0 };
    const cut = await moved.site.job(options).run(stopping.signal);
    expect(cut).toMatchObject({ outcome: "stopped", counts: { corrections: 1 } });
    const next = await moved.run();
    expect(next).toMatchObject({ outcome: "moved-only", run: cut.run });
    // The cap is that of the run, however often it was interrupted.
    expect(next.counts.corrections).toBe(3);
    expect(await moved.site.wrong()).toEqual([]);
  });
});

/** Tells a run to stop, or ends its process, when it has read so many documents of the source. */
function atLook(site: JobSite, number: number, act: () => void): void {
  const look = site.source.look.bind(site.source);
  let looks = 0;
  site.source.look = (...args) => {
    if (++looks === number) {
      site.source.look = look;
      act();
    }
    return look(...args);
  };
}
