import {
  defineProjection,
  definitionDigest,
  generationPath,
  livePath,
  MemoryProjectionDisk,
  MemoryProjectionStore,
  openGeneration,
  readGenerations,
  switchLive,
  type GenerationFor,
  type NumberedGeneration,
  type ProjectionStore,
  type RecordPath,
} from "@heddle/reconcile";
import { beforeEach, expect, test } from "vitest";

import { testEnvironment } from "../test-environment.ts";
import { sumsDefinition } from "./light-projections.ts";

// Goal: of two programs that build two versions beside each other, none makes live what the other has dropped.
// Method: every moment at which the other one can come in between the readings of a switch.

const { clock, hash } = testEnvironment();

function version(number: number): GenerationFor {
  const projection = defineProjection({ ...sumsDefinition, version: number });
  return { projection, definition: definitionDigest(hash, projection), clock };
}

let store: ProjectionStore;

beforeEach(async () => {
  store = await MemoryProjectionStore.open(new MemoryProjectionDisk(), clock);
});

async function statesIn(on: ProjectionStore): Promise<Record<number, string>> {
  const { all } = await readGenerations(on, "sums");
  return Object.fromEntries(all.map(({ id, state }) => [id.number, state]));
}

/** Before each reading of a switch, by its number, the other program begins to build; returns how many there were. */
async function switchWith(generation: NumberedGeneration, atReading: number): Promise<number> {
  const on = await MemoryProjectionStore.open(new MemoryProjectionDisk(), clock);
  const ours = await openGeneration(on, version(1));
  expect(ours.id).toEqual(generation.id);
  let readings = 0;
  const before = async (): Promise<void> => {
    if (readings++ === atReading) await openGeneration(on, version(2));
  };
  const watched: ProjectionStore = Object.create(on, {
    get: { value: async (paths: RecordPath[]) => (await before(), await on.get(paths)) },
    readPage: { value: async (range: never) => (await before(), await on.readPage(range)) },
    apply: { value: on.apply.bind(on) },
  });
  const outcome = await switchLive(watched, ours);
  const states = await statesIn(on);
  const isApplied = outcome === "applied";
  expect(states[1]).toBe(isApplied ? "live" : "dropped");
  expect((await on.get([livePath("sums")]))[0] === undefined).toBe(!isApplied);
  return readings;
}

test("[PRJ-9] what another program has dropped meanwhile is not switched to, at whatever moment it did", async () => {
  const generation = await openGeneration(store, version(1));
  const readings = await switchWith(generation, Number.POSITIVE_INFINITY);
  expect(readings).toBeGreaterThan(2);
  for (let at = 0; at < readings; at++) await switchWith(generation, at);
  await openGeneration(store, version(2));
  expect(await switchLive(store, generation)).toBe("moved");
  expect(await statesIn(store)).toEqual({ 1: "dropped", 2: "building" });
});

test("[PRJ-9] a generation whose pointer was lost goes when the next one is switched to", async () => {
  await switchLive(store, await openGeneration(store, version(1)));
  await store.apply({ remove: [livePath("sums")] });
  const next = await openGeneration(store, version(1));
  expect(await switchLive(store, next)).toBe("applied");
  expect(await statesIn(store)).toEqual({ 1: "dropped", 2: "live" });
});

test("[PRJ-9] a record of a generation with something in it that nobody wrote keeps no program waiting", async () => {
  const { id } = await openGeneration(store, version(1));
  const [bytes] = await store.get([generationPath(id)]);
  const strange = new TextDecoder().decode(bytes as Uint8Array).replace("}", ',"z":1}');
  await store.apply({
    put: [{ path: generationPath(id), value: new TextEncoder().encode(strange) }],
  });
  expect((await openGeneration(store, version(2))).id.number).toBe(2);
  expect(await statesIn(store)).toEqual({ 1: "dropped", 2: "building" });
});
