import { HeddleErrorCode } from "@heddle/core";
import { lastAuditNumber, projectionLimits } from "@heddle/reconcile";
import { expect, test } from "vitest";

import { at, bytes, put, textOf, type ProjectionBench } from "./projection-bench.ts";

export function describeBatches(bench: ProjectionBench): void {
  async function auditTexts(after = 0, limit = 100): Promise<(readonly [number, string])[]> {
    const entries = await bench.store.readAudit(after, limit);
    return entries.map(({ number, value }) => [number, textOf(value as Uint8Array)] as const);
  }

  test("[PRJ-4] a batch whose expectation moved writes nothing, neither rows nor journal", async () => {
    await bench.put(["total/a", "1"], ["total/b", "2"]);
    const batch = { put: [put("total/a", "7")], remove: [at("total/b")], audit: [bytes("why")] };
    for (const expectation of [
      { path: at("total/a"), value: bytes("other") },
      { path: at("total/a"), value: bytes("10") },
      { path: at("total/a"), value: undefined },
      { path: at("total/none"), value: bytes("1") },
      { path: at("total/a"), value: "damaged" as const },
    ]) {
      const sound = { path: at("total/b"), value: bytes("2") };
      expect(await bench.store.apply(batch, { expect: [sound, expectation] })).toBe("moved");
    }
    expect([await bench.textAt("total/a"), await bench.textAt("total/b")]).toEqual(["1", "2"]);
    expect(await auditTexts()).toEqual([]);
    expect(bench.store.counters).toMatchObject({ batches: 1, moved: 5 });
    const expectAll = [
      { path: at("total/a"), value: bytes("1") },
      { path: at("total/none"), value: undefined },
    ];
    expect(await bench.store.apply(batch, { expect: expectAll })).toBe("applied");
    expect([await bench.textAt("total/a"), await bench.textAt("total/b")]).toEqual([
      "7",
      undefined,
    ]);
    expect(await auditTexts()).toEqual([[1, "why"]]);
  });

  test("[PRJ-4] of writers that all read the same, one is applied and the others have moved", async () => {
    await bench.put(["total/a", "0"]);
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, writer) => {
        const batch = { put: [put("total/a", `writer ${writer}`)] };
        return bench.store.apply(batch, { expect: [{ path: at("total/a"), value: bytes("0") }] });
      }),
    );
    expect(outcomes.filter((outcome) => outcome === "applied")).toHaveLength(1);
    expect(await bench.textAt("total/a")).toBe(`writer ${outcomes.indexOf("applied")}`);
  });

  test("[PRJ-3] batches that wait together are all there when each has been answered", async () => {
    const paths = Array.from({ length: 50 }, (_, index) => `row/${index}`);
    await Promise.all(paths.map((path) => bench.put([path, path])));
    await bench.reopen();
    for (const path of paths) expect(await bench.textAt(path)).toBe(path);
  });

  test("[PRJ-7] numbers the entries of the journal without gaps, over restarts", async () => {
    await bench.store.apply({ audit: [bytes("one"), bytes("two")] });
    await bench.reopen();
    await bench.store.apply({ put: [put("row/a", "1")], audit: [bytes("three")] });
    expect(await auditTexts()).toEqual([
      [1, "one"],
      [2, "two"],
      [3, "three"],
    ]);
    expect(await auditTexts(1, 1)).toEqual([[2, "two"]]);
    expect(await auditTexts(3)).toEqual([]);
  });

  test("[PRJ-19] the oldest entries of the journal can be trimmed, in a batch, and numbers go on", async () => {
    await bench.store.apply({ audit: ["one", "two", "three", "four"].map(bytes) });
    await bench.store.apply({ trimAudit: 2 });
    expect(await auditTexts()).toEqual([
      [3, "three"],
      [4, "four"],
    ]);
    // Behind a number that is gone there is what is behind it, and not nothing.
    expect(await auditTexts(0, 1)).toEqual([[3, "three"]]);
    expect(await auditTexts(1, 1)).toEqual([[3, "three"]]);
    expect(await auditTexts(3, 1)).toEqual([[4, "four"]]);
    expect(await lastAuditNumber(bench.store)).toBe(4);
    await bench.reopen();
    await bench.store.apply({ trimAudit: 2 });
    await bench.store.apply({ audit: [bytes("five")], trimAudit: 3, put: [put("row/a", "1")] });
    expect(await auditTexts()).toEqual([
      [4, "four"],
      [5, "five"],
    ]);
    // All of them: the newest stays, or its number would be given again.
    await bench.store.apply({ trimAudit: 100 });
    await bench.reopen();
    expect(await auditTexts()).toEqual([[5, "five"]]);
    expect(await lastAuditNumber(bench.store)).toBe(5);
    await bench.store.apply({ audit: [bytes("six")], trimAudit: 100 });
    expect(await auditTexts()).toEqual([[6, "six"]]);
    // What is not written trims nothing.
    const moved = [{ path: at("row/a"), value: bytes("2") }];
    expect(await bench.store.apply({ audit: [bytes("x")], trimAudit: 6 }, { expect: moved })).toBe(
      "moved",
    );
    expect(await auditTexts()).toEqual([[6, "six"]]);
  });

  test("refuses what no adapter has to hold", async () => {
    const long = new Uint8Array(projectionLimits.recordBytesMax + 1);
    const twice = { put: [put("row/a", "1"), put("row/a", "2")] };
    const both = { put: [put("row/a", "1")], remove: [at("row/a")] };
    const wide = { audit: [new Uint8Array(projectionLimits.auditEntryBytesMax + 1)] };
    for (const batch of [{}, { put: [{ path: at("row/a"), value: long }] }, twice, both, wide]) {
      await expect(bench.store.apply(batch)).rejects.toThrow(/invariant/);
    }
    await expect(bench.store.readPage({ under: ["row"], limit: 1001 })).rejects.toThrow(
      /invariant/,
    );
    await expect(
      bench.store.readPage({ under: ["row"], after: ["total"], limit: 1 }),
    ).rejects.toThrow(/invariant/);
    await expect(bench.store.readPage({ under: [], limit: 1 })).rejects.toThrow(/invariant/);
  });

  test("says that it is closed, and closes twice", async () => {
    await bench.store.close();
    await bench.store.close();
    const closed = expect.objectContaining({ code: HeddleErrorCode.storageClosed });
    await expect(bench.store.get([["row"]])).rejects.toThrow(closed);
    await expect(bench.put(["row/a", "1"])).rejects.toThrow(closed);
    await expect(bench.store.acquireLease("job", "ada", 1000)).rejects.toThrow(closed);
    await expect(bench.store.readAudit(0, 1)).rejects.toThrow(closed);
  });

  test("has one owner at a time", async () => {
    const locked = expect.objectContaining({ code: HeddleErrorCode.storageLocked });
    await expect(bench.site.open()).rejects.toThrow(locked);
    await bench.put(["row/a", "1"]);
  });
}
