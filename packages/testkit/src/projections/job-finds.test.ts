import {
  decodeMarker,
  decodeRow,
  decodeTotal,
  encodeMarker,
  encodePath,
  encodeRow,
  encodeTotal,
  kindPath,
  lastAuditNumber,
  readRecords,
  rowsDigest,
  type Projection,
  type RecordPath,
  type RowValue,
} from "@heddle/reconcile";
import { toHex } from "@heddle/core";
import { describe, expect, test } from "vitest";

import { JobSite } from "./job-site.fixture.ts";
import { highest, history, lightProjections, rollup, sums } from "./light-projections.ts";
import type { LightContent } from "./memory-source.ts";

// Goal: what differs from its source is found, whatever made it differ, and made right once.
// Method: hands on every kind of record, and feeds that lose and repeat; against a full recount.

type Tampering = (site: JobSite) => Promise<void>;

/** The first record of a kind, whose value is replaced or removed. */
async function change(
  site: JobSite,
  kind: "marker" | "row" | "share" | "total",
  value: (bytes: Uint8Array) => Uint8Array | undefined,
): Promise<void> {
  for await (const record of readRecords(site.store, kindPath(kind, site.generation))) {
    const bytes = value(record.value as Uint8Array);
    const { path } = record;
    await site.store.apply(bytes ? { put: [{ path, value: bytes }] } : { remove: [path] });
    return;
  }
}

/** Flips a bit below the store. */
async function damage(site: JobSite, kind: "marker" | "row" | "share" | "total"): Promise<void> {
  for await (const { path } of readRecords(site.store, kindPath(kind, site.generation))) {
    site.disk.records.set(toHex(encodePath(path)), "damaged");
    return;
  }
}

const gone = (): undefined => undefined;
const other = (value: RowValue): RowValue => (typeof value === "number" ? value + 4 : [77]);

const tamperings: Readonly<Record<string, Tampering>> = {
  "a total is another one": (site) =>
    change(site, "total", (bytes) => {
      const total = decodeTotal(bytes);
      return encodeTotal({ ...total, value: other(total.value) });
    }),
  "a total is gone": (site) => change(site, "total", gone),
  "a total is damaged": (site) => damage(site, "total"),
  "a total is no total": (site) => change(site, "total", () => new TextEncoder().encode("{}")),
  "a row is another one": (site) =>
    change(site, "row", (bytes) => {
      const row = decodeRow(bytes);
      return encodeRow({ ...row, value: other(row.value) });
    }),
  "a row is gone": (site) => change(site, "row", gone),
  "a row is damaged": (site) => damage(site, "row"),
  "a marker is gone": (site) => change(site, "marker", gone),
  "a marker is damaged": (site) => damage(site, "marker"),
  "a marker names another log": (site) =>
    change(site, "marker", (bytes) => encodeMarker({ ...decodeMarker(bytes), log: "00" })),
  async "there is a row too many, with its total"(site) {
    const path = (kind: string, ...rest: string[]): RecordPath => [
      ...kindPath(kind as "row", site.generation, "z"),
      ...rest,
    ];
    const nobody = "f".repeat(32);
    const row = encodeRow({ value: 1 });
    await site.store.apply({
      put: [
        { path: path("row", nobody, "k"), value: row },
        { path: path("share", "k", nobody), value: row },
        { path: path("total", "k"), value: encodeTotal({ value: 1, documents: 1 }) },
      ],
    });
  },
  async "a whole document is gone, and nobody noticed"(site) {
    const [first] = await site.store.readPage({
      under: kindPath("marker", site.generation),
      limit: 1,
    });
    const [, , , partition, document] = first!.path as [string, string, string, string, string];
    const remove: RecordPath[] = [first!.path];
    for (const kind of ["row", "share"] as const) {
      for await (const { path } of readRecords(
        site.store,
        kindPath(kind, site.generation, partition),
      )) {
        if (path.includes(document)) remove.push(path);
      }
    }
    await site.store.apply({ remove });
  },
};

async function filled(projection: Projection<LightContent>): Promise<JobSite> {
  const site = await JobSite.open(projection);
  for (let index = 0; index < 5; index++) {
    site.source.edit(`a/${index}`, { likes: index + 1, views: 10 }, { wallMs: index * 30_000 });
    site.source.edit(`b/${index}`, { likes: 1 }, { wallMs: index });
  }
  await site.feed();
  expect(await site.wrong()).toEqual([]);
  return site;
}

describe.each(lightProjections)("$name", (projection) => {
  test.each(Object.entries(tamperings))(
    "[REC-1] %s: found, made right, written down, and not found again",
    async (_, tamper) => {
      const site = await filled(projection);
      await tamper(site);
      const first = await site.run();
      expect(await site.wrong()).toEqual([]);
      expect(first.outcome).toBe("whole");
      expect(first.counts).toMatchObject({ failures: 0, undetermined: 0, postponed: 0 });
      expect(first.drifts.length).toBeGreaterThan(0);
      expect(first.drifts.every(({ action }) => action === "corrected")).toBe(true);
      const entries = await site.audited();
      expect(entries).toHaveLength(first.counts.corrections);
      expect(entries.every(({ action }) => action === "corrected")).toBe(true);
      const second = await site.run();
      expect(second.counts).toMatchObject({ drifts: 0, corrections: 0, documents: 10 });
      expect(await site.audited()).toHaveLength(entries.length);
    },
  );

  test("[REC-1] an event that the feed lost is found as missed", async () => {
    const site = await filled(projection);
    site.source.edit("a/0", { likes: 50 }, { wallMs: 400_000, isFed: false });
    site.source.edit("c/new", { likes: 7 }, { isFed: false });
    await site.feed();
    expect(await site.wrong()).not.toEqual([]);
    const report = await site.run();
    expect(report.drifts.map(({ cause }) => cause)).toEqual(["missed", "missed"]);
    expect(await site.wrong()).toEqual([]);
  });
});

test("[REC-1] one hand on one total of a thousand likes is one correction, and what it says is in the journal", async () => {
  const site = await JobSite.open(sums);
  await site.fill(100, { likes: 10 });
  await site.setTotal("a", "likes", 997);
  const report = await site.run();
  expect(await site.total("a", "likes")).toBe(1_000);
  expect(report.drifts).toEqual([
    {
      partition: "a",
      document: undefined,
      keys: [{ key: "likes", before: 997, after: 1_000 }],
      keyCount: 1,
      cause: "tampered",
      action: "corrected",
      size: 3,
      isRecurring: false,
    },
  ]);
  expect(report.largest).toEqual({ partition: "a", key: "likes", size: 3 });
  const [entry, ...more] = await site.audited();
  expect(more).toEqual([]);
  expect(entry).toMatchObject({
    by: "tests",
    subject: { of: "row", projection: "sums", partition: "a", key: "likes" },
    cause: "tampered",
    action: "corrected",
    result: "applied",
  });
  expect(new TextDecoder().decode(entry!.before!.bytes)).toBe('{"likes":997}');
  expect(new TextDecoder().decode(entry!.after!.bytes)).toBe('{"likes":1000}');
  expect(toHex(entry!.correlationId!)).toBe(report.run);
});

test("[REC-1] a hand on one row of a document is one correction too: its total is not made wrong first", async () => {
  const site = await filled(sums);
  await tamperings["a row is another one"]!(site);
  const report = await site.run();
  expect(report.drifts).toMatchObject([{ cause: "tampered", keyCount: 1, size: 4 }]);
  expect(await site.audited()).toHaveLength(1);
});

describe("causes", () => {
  test("[REC-1] a change that a broken writer counted twice is found by a thorough run", async () => {
    const site = await filled(rollup);
    // What a writer leaves that does not look at markers: rows, totals and digest agree with each other.
    const under = kindPath("row", site.generation, "a");
    const [first] = await site.store.readPage({ under, limit: 1 });
    const { path } = first!;
    const [, , , partition, document, key] = path as [
      string,
      string,
      string,
      string,
      string,
      string,
    ];
    const twice = { value: (decodeRow(first!.value as Uint8Array).value as number) * 2 };
    const markerAt = [...kindPath("marker", site.generation, partition), document];
    const totalAt = [...kindPath("total", site.generation, partition), key];
    const [marker, total] = await site.store.get([markerAt, totalAt]);
    const rows = new Map<string, RowValue>();
    for await (const row of readRecords(site.store, path.slice(0, 5))) {
      rows.set(row.path.at(-1)!, decodeRow(row.value as Uint8Array).value);
    }
    rows.set(key, twice.value);
    const { value, documents } = decodeTotal(total as Uint8Array);
    await site.store.apply({
      put: [
        { path, value: encodeRow(twice) },
        {
          path: markerAt,
          value: encodeMarker({
            ...decodeMarker(marker as Uint8Array),
            rows: rowsDigest(site.environment.hash, rows),
          }),
        },
        { path: totalAt, value: encodeTotal({ value: (value as number) + 1, documents }) },
      ],
    });
    // Digests agree with each other, and only a recount can tell.
    expect((await site.run()).counts.drifts).toBe(0);
    const report = await site.run({ isThorough: true });
    expect(report.drifts).toMatchObject([{ cause: "duplicated", action: "corrected" }]);
    expect(await site.wrong()).toEqual([]);
  });

  test("rows of another definition within the live generation", async () => {
    const site = await filled(sums);
    await change(site, "marker", (bytes) => {
      return encodeMarker({ ...decodeMarker(bytes), definition: "00".repeat(32) });
    });
    const report = await site.run();
    expect(report.drifts).toMatchObject([{ cause: "logic-version" }]);
  });

  test("a projection that was built by another definition is to be rebuilt, not corrected", async () => {
    const site = await filled(highest);
    site.projection = Object.freeze({ ...site.projection, version: 2 });
    expect(await site.run()).toMatchObject({ outcome: "other-definition", drifts: [] });
    site.projection = Object.freeze({ ...history });
    expect(await site.run()).toMatchObject({ outcome: "not-built" });
    expect(await site.audited()).toEqual([]);
  });

  test("what drifts at the same place for the same cause again is said to recur, and alarms", async () => {
    const site = await filled(sums);
    await site.setTotal("a", "likes", 3);
    expect((await site.run()).drifts).toMatchObject([{ isRecurring: false }]);
    await site.reopen();
    await site.feed();
    await site.setTotal("a", "likes", 4);
    const again = await site.run();
    expect(again.drifts).toMatchObject([{ isRecurring: true }]);
    expect(again.counts.recurring).toBe(1);
    const alarms = site.environment.logger.lines.filter(
      ({ event, level }) => event === "reconcile.drift_recurs" && level === "error",
    );
    expect(alarms).toHaveLength(1);
  });

  test("[PRJ-19] knows what recurs from a journal that was trimmed, as far as it is there", async () => {
    const site = await filled(sums);
    const drift = async () => {
      await site.setTotal("a", "likes", 3);
      return (await site.run()).drifts;
    };
    await site.store.apply({ audit: Array.from({ length: 6 }, () => new Uint8Array(3)) });
    expect(await drift()).toMatchObject([{ isRecurring: false }]);
    // The entry of this drift is the first that is left.
    await site.store.apply({ trimAudit: 6 });
    expect(await drift()).toMatchObject([{ isRecurring: true }]);
    await site.store.apply({ audit: [new Uint8Array(3)], trimAudit: 8 });
    expect(await drift()).toMatchObject([{ isRecurring: false }]);
    expect(await lastAuditNumber(site.store)).toBe(10);
  });
});
