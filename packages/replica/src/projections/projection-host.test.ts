import {
  defineProjection,
  MemoryProjectionDisk,
  MemoryProjectionStore,
  type ProjectionDefinition,
} from "@heddle/reconcile";
import {
  lightProjections,
  MemorySource,
  testEnvironment,
  type LightContent,
} from "@heddle/testkit";
import { beforeEach, expect, test } from "vitest";

import { ProjectionHost } from "./projection-host.ts";

// Goal: a host says what is wrong with a definition once, and leaves nothing running behind it.
// Method: definitions that fail, a store that is held back while the host is closed.

let environment: ReturnType<typeof testEnvironment>;
let source: MemorySource;
let store: MemoryProjectionStore;

beforeEach(async () => {
  environment = testEnvironment();
  source = new MemorySource(environment.hash, environment.random);
  store = await MemoryProjectionStore.open(new MemoryProjectionDisk(), environment.clock);
});

function failing(): never {
  throw new TypeError("likes is not iterable");
}

function hostOf(definition: Partial<ProjectionDefinition<LightContent>>) {
  const [sums] = lightProjections;
  const whole = { ...sums, ...definition } as ProjectionDefinition<LightContent>;
  const projections = [defineProjection(whole)];
  return new ProjectionHost({ store, source, environment, projections });
}

test("[PRJ-10] a definition that fails is said once for each partition, with its code, and shown", async () => {
  for (const name of ["a/1", "a/2", "b/1", "private"]) source.edit(name, { likes: 1 });
  const host = hostOf({ derive: failing });
  host.start();
  await host.whenCaughtUp();
  source.edit("a/1", { likes: 2 });
  await host.whenCaughtUp();
  const said = environment.logger.lines.filter(({ event }) => {
    return event === "projections.definition_failed";
  });
  expect(said).toHaveLength(2);
  expect(said[0]!.fields).toMatchObject({ projection: "sums" });
  const [status] = host.statuses;
  expect(status!.counters.invalid).toBe(4);
  expect(status!.lastInvalid?.error).toContain("likes is not iterable");
  const known = [...source.contents().keys()].find(({ name }) => name === "a/1");
  expect(status!.lastInvalid?.document).toBe(known!.id);
  await host.close();
});

test("[PRJ-10] what gives no rows, and no partition, is said with the code of definitions", async () => {
  for (const wrong of [{ derive: () => [["likes", NaN]] }, { partition: () => 5 }]) {
    source.edit("a/1", { likes: 1 });
    const host = hostOf(wrong as unknown as Partial<ProjectionDefinition<LightContent>>);
    host.start();
    await host.whenCaughtUp();
    expect(host.statuses[0]!.lastInvalid).toMatchObject({ code: "HEDDLE_PROJECTION_INVALID" });
    await host.close();
  }
});

test("a host that is closed waits for the look at stalled documents, and begins no other", async () => {
  source.edit("a/1", { likes: 1 });
  source.setDoubt("a/1", "damaged");
  const host = hostOf({});
  host.start();
  await host.whenCaughtUp();
  let release: (() => void) | undefined;
  const looks: unknown[] = [];
  const held = new Promise<void>((resolve) => (release = resolve));
  const read = source.read.bind(source);
  source.read = async (...asked) => {
    looks.push(asked);
    await held;
    return read(...asked);
  };
  environment.clock.advance(60_000);
  while (looks.length === 0) await Promise.resolve();
  let isClosed = false;
  const closing = host.close().then(() => (isClosed = true));
  for (let turn = 0; turn < 100; turn++) await Promise.resolve();
  expect(isClosed).toBe(false);
  release!();
  await closing;
  const count = looks.length;
  environment.clock.advance(10 * 60_000);
  for (let turn = 0; turn < 1_000; turn++) await Promise.resolve();
  expect(looks).toHaveLength(count);
});

test("[REC-11] who waits for one projection waits for no other, and is told when that one fails again and again", async () => {
  const [sums, , rollup] = lightProjections;
  const apply = store.apply.bind(store);
  store.apply = async (batch, conditions) => {
    if (batch.put?.some(({ path }) => path[1] === "rollup"))
      throw new RangeError("the disk is gone");
    return await apply(batch, conditions);
  };
  const host = new ProjectionHost({ store, source, environment, projections: [rollup!, sums!] });
  host.start();
  await host.whenCaughtUp({ projections: ["sums"], failuresMax: 2 });
  const errors: unknown[] = [];
  const told = host.whenCaughtUp({ failuresMax: 2 }).catch((error) => errors.push(error));
  for (let turn = 0; errors.length === 0 && turn < 1_000; turn++) {
    environment.clock.advance(1_000);
    for (let step = 0; step < 20; step++) await Promise.resolve();
  }
  await told;
  expect(errors).toEqual([new RangeError("the disk is gone")]);
  expect(host.statuses.map(({ state }) => state)).toEqual(["failing", "idle"]);
  await host.close();
});

test("[REC-11] who waits for one projection does not wait while another is built", async () => {
  const [sums, , rollup] = lightProjections;
  const limits = { groupsMax: 1, entriesMax: 10, bytesMax: 10_000 };
  const parts = { store, source, environment, limits };
  const host = new ProjectionHost({ ...parts, projections: [rollup!, sums!] });
  for (let index = 0; index < 50; index++) source.edit(`a/${index}`, { likes: 1 });
  host.start();
  await host.whenCaughtUp();
  host.rebuild("rollup");
  source.edit("a/1", { likes: 2 });
  await host.whenCaughtUp({ projections: ["sums"] });
  expect(await host.reader("sums").get("a", "likes")).toBe(51);
  expect(host.statuses.map(({ state }) => state)).toEqual(["building", "idle"]);
  await host.whenCaughtUp();
  expect(host.statuses.map(({ generation }) => generation)).toEqual([2, 1]);
  await host.close();
});

test("[PRJ-9] two projections of one name would give up what the other builds, and are refused", () => {
  const [sums] = lightProjections;
  const projections = [sums!, defineProjection({ ...sums!, version: 2 })];
  const parts = { store, source, environment, projections };
  expect(() => new ProjectionHost(parts)).toThrow("two projections called sums");
});
