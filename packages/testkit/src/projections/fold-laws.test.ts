import {
  defineProjection,
  inbox,
  inboxEntriesMax,
  notificationState,
  rollups,
  searchDocuments,
  setCounters,
  shardedTotals,
  unreadCounts,
  type Projection,
  type RowValue,
  type SourceChange,
} from "@heddle/reconcile";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { highest, history, sums } from "./light-projections.ts";
import { checkFoldLaws, checkFoldOrder } from "./fold-laws.ts";

const named = (name: string) => ({ name, owner: "tests" });
const counts = fc.integer({ min: 0, max: 1_000_000 });
const words = fc.constantFrom("a", "b", "hello");
const entry = fc.record({
  conversation: fc.uuid(),
  lastAtMs: fc.integer({ min: 0, max: 3 }),
  lastFrom: words,
  preview: words,
  unread: counts,
});
const state = fc.record({
  unseen: counts,
  latest: fc.record({ atMs: fc.integer({ min: 0, max: 3 }), text: words }),
});

// Goal: totals do not depend on which document or change came first.
// Method: the laws that make it so, over values as the projections give them.

describe("[PRJ-12] totals are the same in whatever order documents come", () => {
  test.each<[string, Projection<never>, fc.Arbitrary<RowValue>]>([
    ["set-backed counters", setCounters(named("likes")), counts],
    ["sharded totals", shardedTotals(named("totals")), fc.integer()],
    ["unread counts", unreadCounts(named("unread")), counts],
    ["inbox", inbox(named("inbox")), fc.array(entry, { minLength: 1, maxLength: 3 })],
    ["notification state", notificationState(named("bells")), state],
    [
      "search documents",
      searchDocuments(named("search")),
      fc.record({ title: words, text: words }),
    ],
    ["rollups", rollups({ ...named("activity"), bucketMs: 1000 }), counts],
  ])("%s", (_, projection, values) => {
    checkFoldLaws(projection, values, { runs: 50 });
  });

  test("an inbox that is full keeps the newest, whoever came first", () => {
    const { combine } = inbox(named("inbox"));
    const up = Array.from({ length: 100 }, (_, n) => line(n)).reduce(combine);
    const down = Array.from({ length: 100 }, (_, n) => line(99 - n)).reduce(combine);
    expect(up).toEqual(down);
    expect(up).toHaveLength(inboxEntriesMax);
    expect((up as { lastAtMs: number }[])[0]!.lastAtMs).toBe(99);
  });
});

describe("checkFoldLaws", () => {
  test("passes what keeps the laws", () => {
    checkFoldLaws(highest, fc.integer(), { isIdempotent: true });
    // In a canonical order nobody has to commute.
    checkFoldLaws(
      history,
      fc.array(fc.integer(), { maxLength: 8 }).map((list) => list.slice(-5)),
    );
  });

  test.each<[string, Partial<{ combine: unknown; subtract: unknown }>, string]>([
    ["commutative", { combine: (a: number) => a, subtract: undefined }, "commutative"],
    [
      "associative",
      { combine: (a: number, b: number) => (a + b) / 2, subtract: undefined },
      "associative",
    ],
    ["undone", { subtract: (total: number) => total }, "take back"],
    ["JSON", { combine: () => Number.NaN, subtract: undefined }, "no JSON"],
  ])("finds what is not %s", (_, change, message) => {
    const broken = defineProjection({ ...withoutKind(sums), ...change } as Parameters<
      typeof defineProjection
    >[0]);
    expect(() => checkFoldLaws(broken, fc.integer({ min: 1, max: 9 }))).toThrow(
      expect.objectContaining({
        cause: expect.objectContaining({ message: expect.stringContaining(message) }),
      }),
    );
  });

  test("finds a combine that changes what it is given, and one that is not idempotent", () => {
    const push = defineProjection({
      ...withoutKind(highest),
      combine: (a, b) => {
        (a as number[]).push(...(b as number[]));
        return a;
      },
    } as Parameters<typeof defineProjection>[0]);
    expect(() =>
      checkFoldLaws(push, fc.array(fc.integer(), { minLength: 1, maxLength: 2 })),
    ).toThrow();
    expect(() => checkFoldLaws(sums, fc.integer({ min: 1 }), { isIdempotent: true })).toThrow();
  });
});

describe("checkFoldOrder", () => {
  const changes = fc.array(
    fc
      .record({ wallMs: fc.integer({ min: 0, max: 5000 }), seq: fc.nat(), bytes: fc.nat(9) })
      .map(changeOf),
    { maxLength: 6 },
  );

  test("[PRJ-12] rollups are the same in whatever order changes come", () => {
    checkFoldOrder(rollups({ ...named("activity"), bucketMs: 1000 }), changes, { runs: 50 });
  });

  test("finds a fold that remembers", () => {
    let before = 0;
    const remembering = defineProjection({
      ...withoutKind(rollups({ ...named("activity"), bucketMs: 1000 })),
      fold: ({ seq }: SourceChange) => {
        const isNext = seq > before;
        before = seq;
        return isNext ? [["steps", 1]] : [];
      },
    } as unknown as Parameters<typeof defineProjection>[0]);
    expect(() => checkFoldOrder(remembering, changes)).toThrow();
    expect(() => checkFoldOrder(sums, changes)).toThrow("does not fold");
  });
});

function line(n: number): RowValue {
  return [{ conversation: `c${n}`, lastAtMs: n, lastFrom: "", preview: "", unread: 0 }];
}

function withoutKind(projection: Projection<never>): object {
  const { kind: _, ...definition } = projection;
  return definition;
}

function changeOf({
  wallMs,
  seq,
  bytes,
}: {
  wallMs: number;
  seq: number;
  bytes: number;
}): SourceChange {
  return {
    id: new Uint8Array(32),
    document: { id: "00" as never, name: "a" as never },
    lane: "11" as never,
    seq,
    hlc: { wallMs, counter: 0 },
    update: new Uint8Array(bytes),
  };
}
