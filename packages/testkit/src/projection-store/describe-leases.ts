import { expect, test } from "vitest";

import { put, type ProjectionBench } from "./projection-bench.ts";

export function describeLeases(bench: ProjectionBench): void {
  const acquire = (holder: string, ttlMs = 1000) => {
    return bench.store.acquireLease("job/likes", holder, ttlMs);
  };
  const write = (lease: { name: string; token: number }, text = "by lease") => {
    return bench.store.apply({ put: [put("total/a", text)] }, { lease });
  };

  test("[PRJ-5] one holder at a time, and it may write while the lease is in force", async () => {
    const lease = (await acquire("ada"))!;
    expect(await acquire("bo")).toBeUndefined();
    expect(await write(lease)).toBe("applied");
    const other = await bench.store.acquireLease("job/inbox", "bo", 1000);
    expect(other).toMatchObject({ name: "job/inbox", holder: "bo" });
    await bench.store.releaseLease(lease);
    expect(await write(lease)).toBe("fenced");
    expect((await acquire("bo"))!.token).toBeGreaterThan(lease.token);
  });

  test("[PRJ-5] a holder that was away too long is refused, whether or not another took over", async () => {
    const lease = (await acquire("ada"))!;
    bench.environment.clock.advance(999);
    expect(await write(lease, "in time")).toBe("applied");
    bench.environment.clock.advance(1);
    expect(await write(lease, "late")).toBe("fenced");
    expect(await bench.store.renewLease(lease, 1000)).toBe(false);
    const next = (await acquire("bo"))!;
    expect(await write(lease, "later")).toBe("fenced");
    expect(await write(next, "bo's")).toBe("applied");
    expect(await bench.textAt("total/a")).toBe("bo's");
    expect(bench.store.counters.fenced).toBe(2);
  });

  test("[PRJ-5] renewing holds it, and only the newest token of a holder counts", async () => {
    const lease = (await acquire("ada"))!;
    for (let turn = 0; turn < 5; turn++) {
      bench.environment.clock.advance(900);
      expect(await bench.store.renewLease(lease, 1000)).toBe(true);
    }
    const again = (await acquire("ada"))!;
    expect(again.token).toBeGreaterThan(lease.token);
    expect(await write(lease)).toBe("fenced");
    await bench.store.releaseLease(lease);
    expect(await write(again)).toBe("applied");
  });

  test("[PRJ-5] tokens ascend over restarts, and no lease outlives the store that gave it", async () => {
    const before = (await acquire("ada", 60_000))!;
    await bench.reopen();
    expect(await write(before)).toBe("fenced");
    const after = (await acquire("bo"))!;
    expect(after.token).toBeGreaterThan(before.token);
    expect(await write({ name: before.name, token: after.token + 1 })).toBe("fenced");
    expect(await write(after)).toBe("applied");
  });

  test("[PRJ-5] of many that ask at once, one gets it", async () => {
    const asked = await Promise.all(Array.from({ length: 8 }, (_, index) => acquire(`h${index}`)));
    expect(asked.filter((lease) => lease !== undefined)).toHaveLength(1);
  });

  const attempt = async (name: string, ttlMs: number) => {
    return bench.store.acquireLease(name, "ada", ttlMs);
  };

  test("refuses a lease without a name or without an end", async () => {
    await expect(attempt("", 1000)).rejects.toThrow(/invariant/);
    await expect(attempt("x".repeat(600), 1000)).rejects.toThrow(/invariant/);
    await expect(attempt("job", Number.POSITIVE_INFINITY)).rejects.toThrow(/invariant/);
    await expect(attempt("job", 1)).rejects.toThrow(/invariant/);
  });
}
