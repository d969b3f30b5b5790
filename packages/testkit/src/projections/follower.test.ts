import {
  defineProjection,
  feedPath,
  livePath,
  MemoryProjectionDisk,
  MemoryProjectionStore,
  ProjectionReader,
  ProjectionRunner,
  type Projection,
  type ProjectionStore,
} from "@heddle/reconcile";
import { beforeEach, describe, expect, test } from "vitest";

import { testEnvironment, type TestEnvironment } from "../test-environment.ts";
import {
  history,
  highest,
  lightProjections,
  rollup,
  sums,
  sumsDefinition,
} from "./light-projections.ts";
import { MemorySource, type LightContent } from "./memory-source.ts";
import { inconsistenciesIn, readTotals, recountSource } from "./read-projection.ts";

// Goal: whatever the feed says, late, twice or not at all, rows end up as their source, in one batch with the cursor.
// Method: a source in memory with a feed that misbehaves on demand, against a full recount.

describe("following a feed", () => {
  let environment: TestEnvironment;
  let source: MemorySource;
  let disk: MemoryProjectionDisk;
  let store: ProjectionStore;

  beforeEach(async () => {
    environment = testEnvironment();
    source = new MemorySource(environment.hash, environment.random);
    disk = new MemoryProjectionDisk();
    store = await MemoryProjectionStore.open(disk, environment.clock);
  });

  function run(projection: Projection<LightContent>): ProjectionRunner<LightContent> {
    const { hash, clock } = environment;
    return new ProjectionRunner({ store, source, projection, hash, clock });
  }

  async function expectWhole(
    runner: ProjectionRunner<LightContent>,
    projection: Projection<LightContent>,
  ): Promise<void> {
    const { generation } = runner.live!;
    const { hash } = environment;
    expect(await inconsistenciesIn(store, { projection, generation, hash })).toEqual([]);
    const found = await readTotals(store, generation);
    expect([...found].toSorted()).toEqual(
      [...(await recountSource(projection, source))].toSorted(),
    );
  }

  test.each(lightProjections)(
    "[PRJ-8] $name is what its source says, change after change",
    async (projection) => {
      const runner = run(projection);
      source.edit("a/one", { likes: 2, views: 5 });
      source.edit("a/two", { likes: 1 });
      source.edit("private/three", { likes: 100 });
      await settle(runner);
      await expectWhole(runner, projection);
      source.edit("a/one", { likes: 7, views: null });
      source.edit("b/four", { likes: 9 });
      await settle(runner);
      source.edit("a/two", { likes: null });
      await settle(runner);
      await expectWhole(runner, projection);
      const reader = new ProjectionReader(store, projection.name);
      const keys = (await reader.list("a", undefined, 10)).map(({ key }) => key);
      expect(keys.length).toBeGreaterThan(0);
      expect(await reader.get("private", "likes")).toBeUndefined();
    },
  );

  test("[PRJ-8] a change that the feed says twice counts once, and costs no reading", async () => {
    const runner = run(rollup);
    source.edit("a/one", { likes: 1 });
    await settle(runner);
    const { reads } = source;
    for (let time = 0; time < 5; time++) source.repeat("a/one");
    await settle(runner);
    expect(source.reads).toBe(reads);
    expect(runner.counters.current).toBeGreaterThan(0);
    await expectWhole(runner, rollup);
  });

  test("[PRJ-8] goes on after a restart from where it was, and does nothing again", async () => {
    const first = run(sums);
    for (let index = 0; index < 20; index++) source.edit(`a/${index}`, { likes: index });
    await settle(first);
    await store.close();
    store = await MemoryProjectionStore.open(disk, environment.clock);
    source.edit("a/3", { likes: 50 });
    const { reads } = source;
    const second = run(sums);
    await settle(second);
    expect(source.reads - reads).toBe(1);
    expect(second.counters.comparisons).toBe(0);
    await expectWhole(second, sums);
  });

  test.each([
    ["dropped what it told before", () => source.dropFeed()],
    ["belongs to another history", () => source.rollBack()],
  ])(
    "[PRJ-8] where the feed %s, all documents are compared and only those that differ are read",
    async (_, break_) => {
      const runner = run(sums);
      for (let index = 0; index < 30; index++) source.edit(`a/${index}`, { likes: index });
      await settle(runner);
      source.edit("a/7", { likes: 100 });
      source.edit("a/8", { likes: 100 });
      break_();
      const { reads } = source;
      await settle(runner);
      expect(runner.counters.comparisons).toBe(2);
      expect(source.reads - reads).toBe(2);
      await expectWhole(runner, sums);
    },
  );

  test("a step is bounded, and so is what it writes", async () => {
    const { hash, clock } = environment;
    const limits = { groupsMax: 4, entriesMax: 6, bytesMax: 1_000_000 };
    const runner = new ProjectionRunner({ store, source, projection: sums, hash, clock, limits });
    for (let index = 0; index < 25; index++) source.edit(`a/${index}`, { likes: 1 });
    await settle(runner);
    expect(runner.counters.steps).toBeGreaterThanOrEqual(25 / 4);
    await expectWhole(runner, sums);
  });

  test("[PRJ-10] a document that is not whole keeps its rows, and is taken in once it is", async () => {
    const runner = run(sums);
    source.edit("a/one", { likes: 1 });
    source.edit("a/two", { likes: 10 });
    await settle(runner);
    source.edit("a/one", { likes: 5 });
    source.setDoubt("a/one", "gap");
    source.edit("a/two", { likes: 20 });
    await settle(runner);
    expect(await new ProjectionReader(store, "sums").get("a", "likes")).toBe(21);
    expect(runner.counters.undetermined.get("gap")).toBe(1);
    await runner.retryStalled();
    expect(runner.counters.undetermined.get("gap")).toBe(2);
    source.setDoubt("a/one", undefined);
    await runner.retryStalled();
    await expectWhole(runner, sums);
    const { looks } = source;
    await runner.retryStalled();
    expect(source.looks).toBe(looks);
  });

  test("[PRJ-10] a document that its definition fails on stops nobody else", async () => {
    const fragile = defineProjection<LightContent>({
      ...sumsDefinition,
      derive(content) {
        if (content.has("bad")) throw new Error("what is this");
        return content;
      },
    } as typeof sumsDefinition);
    const runner = run(fragile);
    source.edit("a/one", { bad: 1 });
    source.edit("a/two", { likes: 3 });
    await settle(runner);
    expect(await new ProjectionReader(store, "sums").get("a", "likes")).toBe(3);
    expect(runner.counters.invalid).toBe(1);
    source.edit("a/one", { bad: null, likes: 4 });
    await settle(runner);
    await expectWhole(runner, fragile);
  });

  test("[PRJ-10] a total that its definition cannot combine leaves nothing of the document half written", async () => {
    const fragile = defineProjection<LightContent>({
      ...sumsDefinition,
      combine(a, b) {
        if (a === 13 || b === 13) throw new Error("not with this");
        return (a as number) + (b as number);
      },
    });
    const runner = run(fragile);
    source.edit("a/one", { likes: 1 });
    await settle(runner);
    source.edit("a/two", { views: 2, likes: 13 });
    source.edit("a/three", { likes: 4 });
    await settle(runner);
    const { generation } = runner.live!;
    const { hash } = environment;
    const parts = { projection: sums, generation, hash };
    expect(await inconsistenciesIn(store, parts)).toEqual([]);
    expect(new Map(await readTotals(store, generation))).toEqual(new Map([["a/likes", 5]]));
    expect(runner.counters.invalid).toBe(1);
  });

  test("[PRJ-11] a change of an old bucket opens it again and is counted with its lateness", async () => {
    const runner = run(rollup);
    environment.clock.setWall(600_000);
    source.edit("a/one", { likes: 1 }, { wallMs: 30_000 });
    await settle(runner);
    source.edit("a/one", { likes: 2 }, { wallMs: 300_000 });
    await settle(runner);
    expect(runner.counters.late).toBe(0);
    source.edit("a/two", { likes: 3 }, { wallMs: 31_000, lane: 2 });
    // Of a clock that is far ahead: it makes nobody late.
    source.edit("a/two", { likes: 4 }, { wallMs: 9_000_000, lane: 2 });
    await settle(runner);
    expect(runner.counters.late).toBe(1);
    source.edit("a/one", { likes: 5 }, { wallMs: 590_000 });
    await settle(runner);
    expect(runner.counters.late).toBe(1);
    expect(await new ProjectionReader(store, "rollup").get("a", "0 likes")).toBe(2);
    await expectWhole(runner, rollup);
  });

  test("[PRJ-11] a canonical fold puts a late change into its place", async () => {
    const runner = run(history);
    source.edit("a/one", { likes: 3 }, { wallMs: 300 });
    await settle(runner);
    source.edit("a/one", { likes: 1 }, { wallMs: 100, lane: 2 });
    source.edit("a/one", { likes: 2 }, { wallMs: 200, lane: 2 });
    await settle(runner);
    expect(await new ProjectionReader(store, "history").get("a", "likes")).toEqual([1, 2, 3]);
    await expectWhole(runner, history);
  });

  describe("rebuilding", () => {
    test("[PRJ-9] a new version is built beside the old one, which is read until the switch", async () => {
      const before = run(sums);
      for (let index = 0; index < 10; index++) source.edit(`a/${index}`, { likes: 1 });
      await settle(before);
      const reader = new ProjectionReader(store, "sums");
      const doubled = defineProjection<LightContent>({
        ...sumsDefinition,
        version: 2,
        derive: (content: LightContent) => new Map([...content].map(([key, n]) => [key, n * 2])),
      } as typeof sumsDefinition);
      const { hash, clock } = environment;
      const limits = { groupsMax: 2, entriesMax: 2, bytesMax: 1_000_000 };
      const after = new ProjectionRunner({
        store,
        source,
        projection: doubled,
        hash,
        clock,
        limits,
      });
      const seen = new Set<unknown>();
      for (let turn = 0; turn < 200; turn++) {
        seen.add(await reader.get("a", "likes"));
        if ((await after.turn()) === "idle") break;
      }
      expect([...seen]).toEqual([10, 20]);
      await expectWhole(after, doubled);
      // The old one is gone, and whoever still follows it notices.
      expect((await readTotals(store, { projection: "sums", number: 1 })).size).toBe(0);
      expect(disk.records.size).toBe((await countOf(store, after)) + 3);
    });

    test("[PRJ-9] a rebuild that is asked for ends in the same rows under another number", async () => {
      const runner = run(highest);
      source.edit("a/one", { likes: 4 });
      source.edit("a/two", { likes: 6 });
      await settle(runner);
      const { number } = runner.live!.generation;
      runner.rebuild();
      await runner.turn();
      expect(runner.isBuilding).toBe(true);
      source.edit("a/two", { likes: 5 });
      await settle(runner);
      expect(runner.isBuilding).toBe(false);
      expect(runner.live!.generation.number).toBe(number + 1);
      await expectWhole(runner, highest);
    });

    test("[PRJ-9] what was being built goes on after a restart, and so does the dropping", async () => {
      source.edit("a/one", { likes: 4 });
      const first = run(sums);
      await settle(first);
      for (let turns = 1; turns < 12; turns++) {
        const runner = run(sums);
        runner.rebuild();
        for (let turn = 0; turn < turns; turn++) await runner.turn();
        source.edit("a/one", { likes: turns });
      }
      const last = run(sums);
      await settle(last);
      await expectWhole(last, sums);
      expect(disk.records.size).toBe((await countOf(store, last)) + 3);
    });

    test("a lost pointer or cursor costs a comparison, and nothing else", async () => {
      const runner = run(sums);
      source.edit("a/one", { likes: 4 });
      await settle(runner);
      await store.apply({ remove: [feedPath(runner.live!.generation)] });
      await settle(run(sums));
      disk.records.clear();
      const again = run(sums);
      await settle(again);
      await expectWhole(again, sums);
      await store.apply({ remove: [livePath("sums")] });
      const third = run(sums);
      await settle(third);
      await expectWhole(third, sums);
    });
  });
});

/** Records of the live generation: feed, markers, rows, totals. */
async function countOf(
  store: ProjectionStore,
  runner: ProjectionRunner<LightContent>,
): Promise<number> {
  const { projection, number } = runner.live!.generation;
  let count = 0;
  for (const kind of ["feed", "marker", "row", "share", "total", "late", "stalled"]) {
    const under = [kind, projection, String(number).padStart(8, "0")];
    count += (await store.readPage({ under, limit: 1000 })).length;
  }
  return count;
}

async function settle(runner: ProjectionRunner<LightContent>): Promise<void> {
  for (let turn = 0; turn < 500; turn++) if ((await runner.turn()) === "idle") return;
  throw new Error("a runner that has nothing to read does not come to rest");
}
