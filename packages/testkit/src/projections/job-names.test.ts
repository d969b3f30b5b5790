import { defineProjection, LookMemory, ProjectionReader } from "@heddle/reconcile";
import { expect, test } from "vitest";

import { JobSite } from "./job-site.fixture.ts";
import { sumsDefinition } from "./light-projections.ts";
import type { LightContent } from "./memory-source.ts";

// Goal: names and keys that somebody chose stop no job and lead none astray.
// Method: a partition that fails on a name, and names that lie around the separators of keys.

/** As an operator may write one who knows all tenants. */
function byTenant(name: string): string {
  if (name.includes("odd")) throw new TypeError("no such tenant");
  return name.split("/")[0]!;
}

test("[REC-3] a document whose name no partition can be made of stops no run, and is said", async () => {
  const site = await JobSite.open(
    defineProjection<LightContent>({ ...sumsDefinition, partition: byTenant }),
  );
  await site.fill(3, { likes: 1 });
  const { id } = site.source.edit("odd/1", { likes: 1 });
  await site.feed();
  await site.setTotal("a", "likes", 7);
  const all = await site.run();
  expect(all.outcome).toBe("whole");
  expect(all.counts).toMatchObject({ corrections: 1, undetermined: 1 });
  expect(all.undetermined).toEqual([{ document: id, reason: "invalid" }]);
  const one = await site.run({ scope: { documents: [id] } });
  expect(one).toMatchObject({ outcome: "whole", undetermined: [{ reason: "invalid" }] });
  const memory = new LookMemory();
  await site.run({ memory });
  site.source.edit("odd/1", { likes: 2 });
  await site.feed();
  const moved = await site.run({ memory, isOnlyMoved: true });
  expect(moved).toMatchObject({ outcome: "moved-only", undetermined: [{ reason: "invalid" }] });
});

test("[REC-1] partitions and keys around the separators of records are told apart", async () => {
  const odd = [
    "",
    "a",
    "a\u0001",
    "a\u0001b",
    "a/",
    "a\u007f",
    "\u{10ffff}",
    "__proto__",
    "é",
    "e\u0301",
  ];
  const partition = (name: string): string => odd[Number(name.slice(2))]!;
  const site = await JobSite.open(defineProjection<LightContent>({ ...sumsDefinition, partition }));
  const keys = [...odd.slice(1), "constructor", "toString"];
  const content = Object.fromEntries(keys.map((key) => [key, 2]));
  for (const index of odd.keys()) site.source.edit(`a/${index}`, content);
  await site.feed();
  for (const name of odd) for (const key of keys) await site.setTotal(name, key, 5);
  const report = await site.run({ correctionsMax: 1_000 });
  expect(report.counts).toMatchObject({
    partitions: odd.length,
    corrections: odd.length * keys.length,
  });
  expect(await site.wrong()).toEqual([]);
  const reader = new ProjectionReader(site.store, "sums");
  const partitions = await reader.partitions(undefined, 100);
  expect(new Set(partitions)).toEqual(new Set(odd));
  expect(partitions).toHaveLength(odd.length);
  expect(await reader.partitions(partitions[2], 2)).toEqual(partitions.slice(3, 5));
});
