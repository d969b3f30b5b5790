import { projectionLimits, type RecordPath } from "@heddle/reconcile";
import { expect, test } from "vitest";

import { at, put, textOf, type ProjectionBench } from "./projection-bench.ts";

export function describeReadings(bench: ProjectionBench): void {
  async function pathsUnder(under: string, limit: number): Promise<string[]> {
    const paths: string[] = [];
    let after: RecordPath | undefined;
    for (;;) {
      const page = await bench.store.readPage({ under: at(under), after, limit });
      if (page.length === 0) return paths;
      expect(page.length).toBeLessThanOrEqual(limit);
      paths.push(...page.map(({ path }) => path.join("/")));
      after = page.at(-1)!.path;
    }
  }

  test("[PRJ-3] gives back what was put, and after it was opened again", async () => {
    await bench.put(["row/likes/a", "1"], ["row/likes/b", "2"]);
    const look = async () => {
      const found = await bench.store.get([at("row/likes/b"), at("row/likes"), at("row/likes/a")]);
      return found.map((value) => (value instanceof Uint8Array ? textOf(value) : value));
    };
    expect(await look()).toEqual(["2", undefined, "1"]);
    await bench.reopen();
    expect(await look()).toEqual(["2", undefined, "1"]);
  });

  test.each([1, 2, 1000])("reads in the order of paths, by pages of %i", async (limit) => {
    const paths = ["row/a", "row/a/x", "row/a/y/1", "row/a\u0001", "row/b", "row/é/1", "row/😀"];
    await bench.put(...paths.toReversed().map((path) => [path, path] as const));
    await bench.put(["rou/z", "before"], ["row", "above"], ["rox/a", "behind"]);
    expect(await pathsUnder("row", limit)).toEqual(["row", ...paths]);
    expect(await pathsUnder("row/a", limit)).toEqual(["row/a", "row/a/x", "row/a/y/1"]);
    expect(await pathsUnder("row/a/x/none", limit)).toEqual([]);
  });

  test("goes on behind a path that is not there", async () => {
    await bench.put(["row/a", "1"], ["row/c", "2"]);
    const page = await bench.store.readPage({ under: ["row"], after: at("row/b"), limit: 9 });
    expect(page.map(({ path }) => path)).toEqual([at("row/c")]);
  });

  test("hands out large records few at a time", async () => {
    const large = "x".repeat(projectionLimits.pageBytesMax - 1);
    for (const name of ["a", "b", "c"]) await bench.put([`row/${name}`, large]);
    const page = await bench.store.readPage({ under: ["row"], limit: 9 });
    expect(page.length).toBeGreaterThan(0);
    expect(page.length).toBeLessThan(3);
    expect(await pathsUnder("row", 9)).toEqual(["row/a", "row/b", "row/c"]);
  });

  test("[PRJ-6] says of a damaged record that it is, and lets it be replaced or removed", async () => {
    await bench.put(["row/a", "1"], ["row/b", "2"], ["row/c", "3"]);
    await bench.site.damage(at("row/a"));
    await bench.site.damage(at("row/b"));
    expect(await bench.textAt("row/a")).toBe("damaged");
    const page = await bench.store.readPage({ under: ["row"], limit: 9 });
    expect(page.map(({ value }) => typeof value)).toEqual(["string", "string", "object"]);
    expect(bench.store.counters.damagedReads).toBe(3);
    const asRead = [{ path: at("row/a"), value: "damaged" as const }];
    const mended = { put: [put("row/a", "1 again")], remove: [at("row/b")] };
    expect(await bench.store.apply(mended, { expect: asRead })).toBe("applied");
    expect(await bench.store.apply(mended, { expect: asRead })).toBe("moved");
    expect(await bench.textAt("row/a")).toBe("1 again");
    expect(await bench.textAt("row/b")).toBeUndefined();
  });

  test("hands out bytes that nobody else holds", async () => {
    const given = put("row/a", "mine");
    await bench.store.apply({ put: [given] });
    given.value.fill(0);
    const [first] = await bench.store.get([given.path]);
    (first as Uint8Array).fill(0);
    expect(await bench.textAt("row/a")).toBe("mine");
  });
}
