import { partitionsMovedSince } from "@heddle/reconcile";
import { expect, test } from "vitest";

import { at, put, type ProjectionBench } from "./projection-bench.ts";

/** What a store owes that its own process has open. */
export function describeMoves(bench: ProjectionBench): void {
  test("[REC-12] tells in which partitions something was written that jobs compare", async () => {
    const { store } = bench;
    const moves = store.moves!;
    const generation = { projection: "likes", number: 1 };
    const first = moves.mark();
    const since = (mark = first) => partitionsMovedSince(moves, mark, generation);
    expect(since()).toEqual([]);
    await bench.put([of("row", "a/document/key"), "1"], [of("total", "b/key"), "1"]);
    await bench.put([of("feed", "x"), "1"], ["job/likes/planned", "1"], ["live/likes", "1"]);
    await bench.put(["row/likes/00000002/e/document/key", "1"]);
    expect(since()).toEqual(["a", "b"]);
    const second = moves.mark();
    await store.apply({ remove: [at(of("marker", "c/document"))] });
    const expectation = [{ path: at("live/likes"), value: undefined }];
    const refused = { put: [put(of("row", "d/document/key"), "1")] };
    expect(await store.apply(refused, { expect: expectation })).toBe("moved");
    expect(since(second)).toEqual(["c"]);
    await bench.reopen();
    expect(partitionsMovedSince(bench.store.moves!, second, generation)).toBeUndefined();
  });
}

function of(kind: string, rest: string): string {
  return `${kind}/likes/00000001/${rest}`;
}
