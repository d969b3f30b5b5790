import { HeddleErrorCode } from "@heddle/core";
import { encodeRowValue, type Delivery, type SinkDefinition } from "@heddle/reconcile";
import { beforeEach, describe, expect, test } from "vitest";

import { failed, kept, SinkBench } from "./sink-runner.fixture.ts";

// Goal: every change goes out at least once under its id, in order, whatever the outside says; nothing is lost in silence.
// Method: an outside that does as told, a source in memory, restarts between and within turns.

let bench: SinkBench;
beforeEach(async () => {
  bench = await SinkBench.start();
});

describe("a sink", () => {
  test("[PRJ-14] each change goes out once under its id, in the order of its log, over restarts and repeats of the feed", async () => {
    for (let n = 0; n < 5; n++) bench.source.edit("a", { likes: n }, { lane: n % 2 });
    bench.source.edit("b", { likes: 1 });
    await bench.settle(bench.open());
    expect(bench.keys().filter((_, index) => bench.given[index]!.name === "a")).toEqual(
      await bench.idsOf("a"),
    );
    expect(new Set(bench.keys())).toEqual(
      new Set([...(await bench.idsOf("a")), ...(await bench.idsOf("b"))]),
    );
    expect(bench.keys()).toHaveLength(6);
    bench.source.repeat("a");
    bench.source.edit("a", { likes: 9 });
    bench.source.dropFeed();
    await bench.settle(bench.open());
    expect(bench.keys()).toHaveLength(7);
    expect(bench.keys().at(-1)).toBe((await bench.idsOf("a")).at(-1));
    bench.source.rollBack();
    bench.source.edit("b", { likes: 2 });
    await bench.settle(bench.open());
    expect(bench.keys()).toHaveLength(8);
    expect(new Set(bench.keys()).size).toBe(8);
  });

  test("[PRJ-14] what fails is tried again, later each time, before anything else goes out", async () => {
    bench.source.edit("a", { likes: 1 });
    bench.source.edit("a", { likes: 2 });
    bench.answers = [failed, new Error("gone")];
    const runner = bench.open();
    const waits = await bench.settle(runner);
    expect(waits).toHaveLength(2);
    const [first, second] = await bench.idsOf("a");
    expect(bench.keys()).toEqual([first, first, first, second]);
    expect(runner.counters).toMatchObject({ delivered: 2, failed: 2, dead: 0 });
    expect(runner.breaker.state).toBe("live");
  });

  test("[PRJ-14] what is refused, or failed too often, is kept as dead with its reason, and the next one follows", async () => {
    for (const likes of [1, 2, 3]) bench.source.edit("a", { likes });
    bench.answers = [
      { outcome: "refused", reason: "no \ud800 such thing" },
      failed,
      failed,
      failed,
    ];
    const runner = bench.open();
    await bench.settle(runner);
    expect(runner.counters).toMatchObject({ delivered: 1, dead: 2, failed: 3 });
    const [refused, tired, taken] = await bench.idsOf("a");
    expect(bench.keys()).toEqual([refused, tired, tired, tired, taken]);
    const after = bench.open();
    expect(await after.dead.list(10)).toMatchObject([
      { id: refused, change: { reason: "no \ufffd such thing", attempts: 1, seq: 1 } },
      { id: tired, change: { reason: "busy", attempts: 3, seq: 2 } },
    ]);
    // Restarted, they are not tried again.
    await bench.settle(after);
    expect(bench.keys()).toHaveLength(5);
    const said = bench.environment.logger.lines.filter(({ event }) => event === "sink.change_dead");
    expect(said).toHaveLength(2);
  });

  test("[PRJ-14] a process that dies after the outside took a change gives it again, under the same key", async () => {
    for (let n = 0; n < 40; n++) bench.source.edit("a", { likes: n });
    bench.answers = Array.from({ length: 36 }, (_, n) =>
      n === 35 ? "dies" : { outcome: "delivered" },
    );
    await expect(bench.settle(bench.open())).rejects.toMatchObject({
      code: HeddleErrorCode.storageClosed,
    });
    await bench.reopen();
    await bench.settle(bench.open());
    const ids = await bench.idsOf("a");
    // 32 were written down; those behind come again, and the rest for the first time.
    expect(bench.keys()).toEqual([...ids.slice(0, 36), ...ids.slice(32)]);
  });

  test("[PRJ-14] an outside that stays away opens the breaker, and is asked once in a while", async () => {
    bench.source.edit("a", { likes: 1 });
    bench.answers = Array.from({ length: 20 }, () => new Error("away"));
    const retry = { failuresMax: 4, openMs: 10_000, delayMsMin: 10, delayMsMax: 100 };
    const runner = bench.open({ attemptsMax: 1000, retry });
    const waits: number[] = [];
    for (let turn = 0; turn < 15; turn++) {
      const result = await runner.turn();
      if (result.name !== "waiting") continue;
      expect(await runner.turn(), "before it is due nothing is tried").toEqual(result);
      waits.push(result.dueMs - bench.environment.clock.monotonicMs());
      bench.environment.clock.advance(waits.at(-1)!);
    }
    expect(waits.slice(0, 3).every((ms) => ms <= 100)).toBe(true);
    expect(waits.slice(3).every((ms) => ms >= 5_000 && ms <= 15_000)).toBe(true);
    expect(runner.breaker.state).toBe("open");
    bench.answers = [];
    await bench.settle(runner);
    expect(runner.counters).toMatchObject({ delivered: 1, dead: 0 });
    expect(new Set(bench.keys()).size).toBe(1);
  });

  test("no answer in time is a failure, and what is no answer, too", async () => {
    bench.source.edit("a", { likes: 1 });
    const attempts: string[] = [];
    let isGivenUp = false;
    const runner = bench.open({
      answerMsMax: 5_000,
      deliver: async (_, key, signal) => {
        signal.addEventListener("abort", () => (isGivenUp = true));
        attempts.push(key);
        if (attempts.length === 1) return new Promise<never>(() => undefined);
        if (attempts.length === 2) return undefined as never;
        bench.given.push({ key, name: "a", isTaken: true });
        return { outcome: "delivered" };
      },
    });
    await runner.turn();
    const turn = runner.turn();
    while (attempts.length === 0) await Promise.resolve();
    bench.environment.clock.advance(5_000);
    await turn;
    expect(isGivenUp).toBe(true);
    await bench.settle(runner);
    expect(runner.counters).toMatchObject({ failed: 2, delivered: 1 });
    expect(bench.keys()).toEqual(await bench.idsOf("a"));
  });

  test("[PRJ-14] a document that cannot be read holds up no other, is said once, and goes out once it can be", async () => {
    bench.source.edit("a", { likes: 1 });
    bench.source.edit("b", { likes: 1 });
    bench.source.setDoubt("b", "damaged");
    const runner = bench.open();
    await bench.settle(runner);
    expect(bench.keys()).toEqual(await bench.idsOf("a"));
    await runner.retryStalled();
    await runner.retryStalled();
    expect(runner.counters).toMatchObject({ delivered: 1, undetermined: 3 });
    const said = bench.environment.logger.lines.filter(({ event }) => {
      return event === "sink.document_passed_over";
    });
    expect(said).toHaveLength(1);
    bench.source.setDoubt("b", undefined);
    await bench.open().retryStalled();
    expect(bench.keys()).toEqual([...(await bench.idsOf("a")), ...(await bench.idsOf("b"))]);
    await bench.open().retryStalled();
    expect(bench.keys()).toHaveLength(2);
  });

  test("[PRJ-14] what was pruned before it was sent is listed as dead, and what is above it goes out", async () => {
    bench.source.edit("a", { likes: 1 });
    bench.source.prune("a");
    bench.source.edit("a", { likes: 2 });
    const runner = bench.open();
    await bench.settle(runner);
    const document = [...bench.source.contents().keys()][0]!;
    expect(await runner.dead.list(10)).toMatchObject([
      { id: document.id, change: { reason: "pruned", seq: 0, document: document.id } },
    ]);
    expect(runner.counters).toMatchObject({ delivered: 1, dead: 1 });
    bench.source.edit("a", { likes: 3 });
    await bench.settle(bench.open());
    expect(bench.keys()).toHaveLength(2);
  });

  test("[PRJ-18] one that begins now is given what comes from then on, also while it takes stock", async () => {
    for (const name of ["a", "b", "c"]) bench.source.edit(name, { likes: 1 });
    const definition = { from: "now" } as const;
    const runner = bench.open(definition);
    await runner.turn();
    // Two that come while it takes stock: before and after their document was looked at.
    bench.source.edit("a", { likes: 2 }, { lane: 7 });
    await runner.turn();
    bench.source.edit("b", { likes: 2 });
    bench.source.edit("d", { likes: 1 });
    await bench.settle(runner);
    const fresh = [await bench.last("a"), await bench.last("b"), await bench.last("d")];
    expect(bench.keys().toSorted()).toEqual(fresh.toSorted());
    // Nothing of before goes out when all documents are compared, nor when the sink is said to begin at the start.
    bench.source.dropFeed();
    bench.source.edit("c", { likes: 2 });
    await bench.settle(bench.open({ from: "start" }));
    expect(bench.keys()).toHaveLength(4);
    expect(bench.keys().at(-1)).toBe(await bench.last("c"));
  });

  test("[PRJ-18] a crash while it takes stock, and before what came meanwhile is out, loses nothing", async () => {
    for (const name of ["a", "b"]) bench.source.edit(name, { likes: 1 });
    const definition = { from: "now" } as const;
    const first = bench.open(definition);
    await first.turn();
    bench.source.edit("a", { likes: 2 });
    await first.turn();
    await bench.reopen();
    bench.answers = ["dies"];
    await expect(bench.settle(bench.open(definition))).rejects.toMatchObject({
      code: HeddleErrorCode.storageClosed,
    });
    await bench.reopen();
    bench.answers = [failed];
    await bench.settle(bench.open(definition));
    const id = (await bench.idsOf("a")).at(-1);
    expect(bench.keys()).toEqual([id, id, id]);
  });

  test("[PRJ-14] records that cannot be read stop nobody: what they would tell is found, or sent again", async () => {
    bench.source.edit("a", { likes: 1 });
    bench.source.edit("b", { likes: 1 });
    bench.answers = [{ outcome: "refused", reason: "no" }];
    await bench.settle(bench.open());
    expect(bench.keys()).toHaveLength(2);
    const nonsense = encodeRowValue([null, "nonsense"]);
    const taken = bench.given.find(({ isTaken }) => isTaken);
    const document = [...bench.source.contents().keys()].find(({ name }) => name === taken!.name)!;
    const places = [["feed"], ["start"], ["sent", document.id], ["stalled", document.id]];
    const [dead] = await bench.open().dead.list(1);
    for (const place of [...places, ["dead", dead!.id], ["dropped"]]) {
      await bench.store.apply({ put: [{ path: ["sink", "hook", ...place], value: nonsense }] });
    }
    const runner = bench.open({ from: "now" });
    await bench.settle(runner);
    // The document whose record is gone goes out again, under the same key; the dead one does not.
    expect(bench.keys().slice(2)).toEqual([taken!.key]);
    expect(runner.counters.damagedRecords).toBeGreaterThan(2);
    await runner.retryStalled();
    expect(await runner.dead.list(10)).toEqual([{ id: dead!.id, change: undefined }]);
    expect(await runner.dead.remove(dead!.id)).toBe(true);
  });

  test("[PRJ-17] dead changes have bounds in number and age: the oldest go, counted for good", async () => {
    const no: Delivery = { outcome: "refused", reason: "no" };
    bench.answers = Array.from({ length: 9 }, () => no);
    const keepsDead = { countMax: 3, ageMsMax: 10_000 };
    const runner = bench.open({ keepsDead });
    for (let n = 0; n < 5; n++) {
      bench.source.edit("a", { likes: n });
      bench.environment.clock.advance(1_000);
      await bench.settle(runner);
    }
    const ids = await bench.idsOf("a");
    expect(await kept(runner)).toEqual(ids.slice(2));
    bench.environment.clock.advance(8_500);
    await runner.dead.dropOld();
    expect(await kept(runner)).toEqual(ids.slice(3));
    expect(runner.dead).toMatchObject({ count: 2, dropped: 3 });
    await bench.reopen();
    const after = bench.open({ keepsDead });
    expect(await kept(after)).toEqual(ids.slice(3));
    expect(after.dead.dropped).toBe(3);
    const said = bench.environment.logger.lines.filter(
      ({ event }) => event === "sink.dead_dropped",
    );
    expect(said).toHaveLength(3);
  });

  test("looks at documents that it accepts, and at definitions before anything", async () => {
    bench.source.edit("a", { likes: 1 });
    bench.source.edit("b", { likes: 1 });
    await bench.settle(bench.open({ accepts: ({ name }) => name === "a" }));
    expect(bench.keys()).toEqual(await bench.idsOf("a"));
    for (const wrong of [
      { name: "Hook" },
      { owner: "" },
      { attemptsMax: 0 },
      { deliver: 1 },
      { from: "later" },
      { retry: { openMs: 0.5 } },
      { keepsDead: { countMax: 1e9 } },
    ]) {
      expect(() => bench.open(wrong as Partial<SinkDefinition>)).toThrow(
        expect.objectContaining({ code: HeddleErrorCode.projectionInvalid }),
      );
    }
  });
});
