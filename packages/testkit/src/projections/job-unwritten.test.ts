import {
  defineProjection,
  encodeRow,
  rowPath,
  sharePath,
  type EmittedCorrection,
  encodePath,
  totalPath,
  type Projection,
  type RowValue,
} from "@heddle/reconcile";
import { toHex } from "@heddle/core";
import { describe, expect, test } from "vitest";

import { JobSite } from "./job-site.fixture.ts";
import { highest, lightProjections, sums, sumsDefinition } from "./light-projections.ts";
import type { LightContent } from "./memory-source.ts";

// Goal: what a run says or hands over without writing it is what is right: a wrong row makes no total wrong.
// Method: a hand on rows whose totals are right, in runs that do not write into them.

/** Five documents in one partition, two of them with a row that a hand has changed; all totals are right. */
async function withTamperedRows(projection: Projection<LightContent> = sums): Promise<JobSite> {
  const site = await JobSite.open(projection);
  await site.fill(5, { likes: 1, views: 3 });
  for (const name of ["a/1", "a/3"]) await tamper(site, name);
  return site;
}

async function tamper(site: JobSite, name: string): Promise<void> {
  const { id } = site.source.edit(name, { likes: 1, views: 3 });
  await site.feed();
  const value = encodeRow({ value: 9 });
  const put = [{ path: rowPath(site.generation, "a", id, "likes"), value }];
  if (site.projection.subtract === undefined)
    put.push({ path: sharePath(site.generation, "a", "likes", id), value });
  await site.store.apply({ put });
}

function withRepair(repair: "emit" | "never"): Projection<LightContent> {
  return defineProjection<LightContent>({ ...sumsDefinition, repair });
}

describe.each([sums, highest])("$name", (projection) => {
  test("[REC-13] a dry run says what a run does, and of totals that are right nothing", async () => {
    const site = await withTamperedRows(projection);
    const dry = await site.run({ isDryRun: true });
    const real = await site.run();
    const said = (report: typeof dry) =>
      report.drifts.map(({ document, keys, cause, size }) => ({ document, keys, cause, size }));
    expect(said(dry)).toHaveLength(2);
    expect(said(dry)).toEqual(said(real));
    expect(await site.wrong()).toEqual([]);
  });
});

test("[REC-13] a total that is wrong, too, is said to come to what documents say and not to what rows do", async () => {
  const site = await withTamperedRows();
  await site.setTotal("a", "likes", 77);
  const { drifts } = await site.run({ isDryRun: true });
  const total = drifts.find(({ document }) => document === undefined);
  expect(total?.keys).toEqual([{ key: "likes", before: 77, after: 5 }]);
});

test("[REC-13] an application is handed rows that are wrong, and no total that is made from them", async () => {
  const site = await withTamperedRows();
  site.projection = withRepair("emit");
  const emitted: EmittedCorrection[] = [];
  const onCorrection = (correction: EmittedCorrection) => void emitted.push(correction);
  await site.run({ onCorrection });
  expect(emitted.map(({ keys }) => keys)).toEqual([
    [{ key: "likes", before: 9, after: 1 }],
    [{ key: "likes", before: 9, after: 1 }],
  ]);
});

test("[REC-13] nor does the journal of a projection that is never repaired say so", async () => {
  const site = await withTamperedRows();
  site.projection = withRepair("never");
  await site.run();
  expect((await site.audited()).every(({ subject }) => "document" in subject)).toBe(true);
  expect(await site.audited()).toHaveLength(2);
});

test("[REC-10] what could not be read is told apart from what was not there, and from text that says so", async () => {
  const definition = { ...sumsDefinition, combine: (a: RowValue) => a };
  const site = await JobSite.open(defineProjection<LightContent>(definition));
  await site.fill(1, { likes: 1, views: 3, shares: 2 });
  const at = (key: string) => totalPath(site.generation, "a", key);
  site.disk.records.set(toHex(encodePath(at("likes"))), "damaged");
  await site.setTotal("a", "views", "damaged");
  await site.store.apply({ remove: [at("shares")] });
  const { drifts } = await site.run();
  expect(new Map(drifts.map(({ keys: [key] }) => [key!.key, key]))).toEqual(
    new Map([
      ["likes", { key: "likes", isDamaged: true, after: 1 }],
      ["shares", { key: "shares", after: 2 }],
      ["views", { key: "views", before: "damaged", after: 3 }],
    ]),
  );
  const details = (await site.audited()).map(({ detail }) => detail);
  expect(details.filter((text) => text.includes("could not be read"))).toHaveLength(1);
});

test("[REC-13] a total that is right stays so while one of two wrong rows is made right, and the other cannot be", async () => {
  const site = await withTamperedRows();
  const totals: unknown[] = [];
  const apply = site.store.apply.bind(site.store);
  site.store.apply = async (...args) => {
    const outcome = await apply(...args);
    totals.push(await site.total("a", "likes"));
    return outcome;
  };
  site.source.setDoubt("a/3", "gap");
  const report = await site.run();
  expect(report.counts).toMatchObject({ corrections: 1, undetermined: 1 });
  site.source.setDoubt("a/3", undefined);
  expect((await site.run()).counts).toMatchObject({ drifts: 1, corrections: 1 });
  expect(new Set(totals)).toEqual(new Set([5]));
  expect(await site.wrong()).toEqual([]);
});

test("[REC-13] a run of one document makes no total wrong with the rows of another", async () => {
  for (const projection of lightProjections.slice(0, 2)) {
    const site = await withTamperedRows(projection);
    const right = await site.total("a", "likes");
    const { id } = site.source.edit("a/0", { likes: 1, views: 3 });
    await site.feed();
    const scope = { documents: [id] };
    const report = await site.run({ scope });
    expect(await site.total("a", "likes")).toBe(right);
    expect(report.counts).toMatchObject({ corrections: 0, drifts: 0, postponed: 1 });
    await site.run();
    expect(await site.wrong()).toEqual([]);
    expect((await site.run({ scope })).counts).toMatchObject({ corrections: 0, postponed: 0 });
  }
});
