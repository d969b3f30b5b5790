import { decodeAuditEntry, MemoryProjectionDisk, MemoryProjectionStore } from "@heddle/reconcile";
import type { Delivery, SinkDefinition } from "@heddle/reconcile";
import { HeddleErrorCode } from "@heddle/core";
import { MemorySource, testEnvironment } from "@heddle/testkit";
import { beforeEach, describe, expect, test } from "vitest";

import { SinkHost } from "./sink-host.ts";

// Goal: sinks run by themselves, each at the pace of its own outside, and an operator can see and settle what is dead.
// Method: outsides that hang and fail, a clock that is moved by hand, a store that fails.

let environment: ReturnType<typeof testEnvironment>;
let source: MemorySource;
let store: MemoryProjectionStore;

beforeEach(async () => {
  environment = testEnvironment();
  source = new MemorySource(environment.hash, environment.random);
  store = await MemoryProjectionStore.open(new MemoryProjectionDisk(), environment.clock);
});

function hostOf(...sinks: Partial<SinkDefinition>[]): SinkHost {
  const definitions = sinks.map((sink, index) => {
    const name = `sink-${index}`;
    return Object.assign({ name, owner: "tests", deliver: taken }, sink);
  });
  return new SinkHost({ store, newSource: () => source, environment, sinks: definitions });
}

const taken = async (): Promise<Delivery> => ({ outcome: "delivered" });

/** Lets what is under way go on, without moving the clock. */
async function until(what: () => boolean): Promise<void> {
  for (let turn = 0; turn < 10_000 && !what(); turn++) await Promise.resolve();
  expect(what()).toBe(true);
}

describe("a host of sinks", () => {
  test("[PRJ-16] one whose outside hangs holds up no other, says for how long, and lets go when it is closed", async () => {
    source.edit("a", { likes: 1 });
    let isGivenUp = false;
    const hangs: SinkDefinition["deliver"] = (_, __, signal) => {
      signal.addEventListener("abort", () => (isGivenUp = true));
      return new Promise(() => undefined);
    };
    const host = hostOf({ deliver: hangs, answerMsMax: 600_000 }, {});
    const [slow, quick] = [host.sinks.get("sink-0")!, host.sinks.get("sink-1")!];
    expect(slow.state).toBe("stopped");
    host.start();
    await until(() => quick.state === "idle" && slow.state === "sending");
    expect(quick.counters.delivered).toBe(1);
    environment.clock.advance(30_000);
    expect(slow.ageMs).toBe(30_000);
    expect(slow.lag).toBe(1);
    expect(quick.ageMs).toBe(0);
    await host.close();
    expect(isGivenUp).toBe(true);
    expect(slow.counters).toMatchObject({ delivered: 0, failed: 0 });
  });

  test("[PRJ-16] an outside that is away is not asked before its time, however often it is woken", async () => {
    source.edit("a", { likes: 1 });
    let attempts = 0;
    const away: SinkDefinition["deliver"] = async () => {
      attempts++;
      if (attempts > 3) return { outcome: "delivered" };
      throw new Error("away");
    };
    const retry = { failuresMax: 2, openMs: 10_000, delayMsMin: 50, delayMsMax: 50 };
    const host = hostOf({ deliver: away, retry });
    const sink = host.sinks.get("sink-0")!;
    host.start();
    await until(() => sink.state === "waiting");
    environment.clock.advance(50);
    await until(() => sink.state === "away");
    expect(sink.isAway).toBe(true);
    const before = attempts;
    for (let times = 0; times < 5; times++) host.wake();
    environment.clock.advance(4_900);
    for (let turn = 0; turn < 1_000; turn++) await Promise.resolve();
    expect(attempts).toBe(before);
    // Half-open: one attempt, which fails, and the next one after that.
    environment.clock.advance(15_000);
    await until(() => attempts === before + 1);
    await until(() => sink.state === "away");
    environment.clock.advance(15_000);
    const caughtUp = host.whenCaughtUp();
    await until(() => sink.state === "idle");
    await caughtUp;
    expect(sink).toMatchObject({ ageMs: 0, lag: 0, isAway: false });
    await host.close();
  });

  test("[PRJ-16] a store that fails is said and tried again; what is written afterwards goes out", async () => {
    source.edit("a", { likes: 1 });
    const get = store.get.bind(store);
    let failures = 2;
    store.get = (paths) => (failures-- > 0 ? Promise.reject(new Error("disk")) : get(paths));
    const host = hostOf({});
    const sink = host.sinks.get("sink-0")!;
    host.start();
    await until(() => sink.state === "failing");
    environment.clock.advance(1_000);
    await until(() => sink.turnsFailed === 2);
    environment.clock.advance(2_000);
    await until(() => sink.state === "idle");
    expect(sink.counters.delivered).toBe(1);
    source.edit("a", { likes: 2 });
    environment.clock.advance(1_000);
    await until(() => sink.counters.delivered === 2);
    const said = environment.logger.lines.filter(({ event }) => event === "sink.turn_failed");
    expect(said).toHaveLength(2);
    await host.close();
  });

  test("[PRJ-17] who tries a dead change again or drops it is in the journal, with what came of it", async () => {
    for (const likes of [1, 2, 3]) source.edit("a", { likes });
    let isMended = false;
    const refuses: SinkDefinition["deliver"] = async ({ seq }) => {
      if (isMended && seq === 2) return { outcome: "delivered" };
      return { outcome: "refused", reason: isMended ? "no" : "not yet" };
    };
    const host = hostOf({ deliver: refuses });
    const sink = host.sinks.get("sink-0")!;
    host.start();
    await host.whenCaughtUp();
    const [first, second, third] = (await sink.dead.list(10)).map(({ id }) => id);
    isMended = true;
    expect(await sink.retryDead(second!, "ada")).toEqual({ id: second, outcome: "delivered" });
    expect(await sink.retryDead(first!, "ada")).toMatchObject({ outcome: "kept", reason: "no" });
    expect(await sink.retryDead("0".repeat(64), "ada")).toMatchObject({ outcome: "unknown" });
    source.prune("a");
    expect(await sink.retryDead(third!, "ada")).toMatchObject({ outcome: "kept" });
    const kept = await sink.dead.list(10);
    expect(kept.map(({ id, change }) => [id, change?.attempts])).toEqual([
      [third, 1],
      [first, 2],
    ]);
    const entries = (await store.readAudit(0, 10)).map(({ value }) => {
      const { by, subject, cause, action, result } = decodeAuditEntry(value as Uint8Array);
      return { by, subject, cause, action, result };
    });
    const [document] = [...source.contents().keys()];
    const entry = (change: string | undefined, result: string) => ({
      by: "ada",
      subject: { of: "change", sink: "sink-0", change, document: document!.id },
      cause: "undelivered",
      action: "redelivered",
      result,
    });
    expect(entries).toEqual([entry(second, "verified"), entry(first, "failed")]);
    await host.close();
  });

  test("two sinks of one name are refused, and none at all is at rest", async () => {
    expect(() => hostOf({ name: "hook" }, { name: "hook" })).toThrow(
      expect.objectContaining({ code: HeddleErrorCode.projectionInvalid }),
    );
    const host = hostOf();
    await host.whenCaughtUp();
    await host.close();
  });
});
