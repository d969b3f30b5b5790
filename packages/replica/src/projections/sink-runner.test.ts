import { HeddleErrorCode, toHex } from "@heddle/core";
import {
  defineSink,
  MemoryProjectionDisk,
  MemoryProjectionStore,
  type Delivery,
  type SinkDefinition,
} from "@heddle/reconcile";
import { collect, MemorySource, testEnvironment } from "@heddle/testkit";
import { beforeEach, describe, expect, test } from "vitest";

import { SinkRunner, type SinkTurn } from "./sink-runner.ts";
import { webhook } from "./webhook.ts";

// Goal: every change goes out at least once under its id, in order, whatever the outside says; nothing is lost in silence.
// Method: an outside that does as told, a source in memory, restarts between turns.

describe("a sink", () => {
  let environment: ReturnType<typeof testEnvironment>;
  let source: MemorySource;
  let store: MemoryProjectionStore;
  const keys: string[] = [];
  let answers: (Delivery | Error)[];

  const open = (definition: Partial<SinkDefinition> = {}): SinkRunner => {
    const sink = defineSink({
      name: "hook",
      owner: "tests",
      attemptsMax: 3,
      async deliver(_change, key) {
        keys.push(key);
        const answer = answers.shift() ?? { outcome: "delivered" };
        if (answer instanceof Error) throw answer;
        return answer;
      },
      ...definition,
    });
    return new SinkRunner({ sink, store, source, environment });
  };

  beforeEach(async () => {
    environment = testEnvironment();
    source = new MemorySource(environment.hash, environment.random);
    store = await MemoryProjectionStore.open(new MemoryProjectionDisk(), environment.clock);
    keys.length = 0;
    answers = [];
  });

  async function settle(runner: SinkRunner): Promise<SinkTurn[]> {
    const waits: SinkTurn[] = [];
    for (let turn = 0; turn < 200; turn++) {
      const result = await runner.turn();
      if (result.name === "idle") return waits;
      if (result.name !== "waiting") continue;
      waits.push(result);
      environment.clock.advance(result.dueMs - environment.clock.monotonicMs());
    }
    throw new Error("a sink does not come to rest");
  }

  test("[PRJ-14] each change goes out once under its id, in order, over restarts and repeats of the feed", async () => {
    for (let n = 0; n < 5; n++) source.edit("a", { likes: n });
    source.edit("b", { likes: 1 });
    await settle(open());
    expect(new Set(keys).size).toBe(6);
    source.repeat("a");
    source.edit("a", { likes: 9 });
    source.dropFeed();
    await settle(open());
    expect(keys).toHaveLength(7);
    source.rollBack();
    source.edit("b", { likes: 2 });
    await settle(open());
    expect(keys).toHaveLength(8);
    expect(new Set(keys).size).toBe(8);
  });

  test("[PRJ-14] what fails is tried again, later each time, before anything else goes out", async () => {
    source.edit("a", { likes: 1 });
    source.edit("a", { likes: 2 });
    answers = [{ outcome: "failed", reason: "busy" }, new Error("gone")];
    const runner = open();
    const waits = await settle(runner);
    expect(waits).toHaveLength(2);
    expect(keys[0]).toBe(keys[1]);
    expect(keys[1]).toBe(keys[2]);
    expect(new Set(keys).size).toBe(2);
    expect(runner.counters).toMatchObject({ delivered: 2, failed: 2, dead: 0 });
    expect(runner.state).toBe("live");
  });

  test("[PRJ-14] what is refused, or failed too often, is kept as dead with its reason, and the next one follows", async () => {
    source.edit("a", { likes: 1 });
    source.edit("a", { likes: 2 });
    source.edit("a", { likes: 3 });
    const failed: Delivery = { outcome: "failed", reason: "busy" };
    answers = [{ outcome: "refused", reason: "no \ud800 such thing" }, failed, failed, failed];
    const runner = open();
    await settle(runner);
    expect(runner.counters).toMatchObject({ delivered: 1, dead: 2, failed: 3 });
    const dead = await collect(open().readDead());
    expect(dead.map(({ reason, attempts }) => [reason, attempts]).toSorted()).toEqual([
      ["busy", 3],
      ["no \ufffd such thing", 1],
    ]);
    expect(dead.map(({ id }) => id).every((id) => keys.includes(id))).toBe(true);
    await runner.forgetDead(dead[0]!.id);
    expect(await collect(runner.readDead())).toHaveLength(1);
    expect(
      environment.logger.lines.filter(({ event }) => event === "sink.change_dead"),
    ).toHaveLength(2);
  });

  test("[PRJ-14] an outside that stays away opens the breaker; a document that cannot be read is counted", async () => {
    source.edit("a", { likes: 1 });
    answers = Array.from({ length: 20 }, () => new Error("away"));
    const runner = open({ attemptsMax: 1000 });
    const states = new Set<string>();
    for (let turn = 0; turn < 15; turn++) {
      const result = await runner.turn();
      states.add(runner.state);
      if (result.name !== "waiting") continue;
      environment.clock.advance(result.dueMs - environment.clock.monotonicMs());
    }
    expect(states).toContain("open");
    answers = [];
    source.edit("b", { likes: 1 });
    source.setDoubt("b", "pruned");
    await settle(runner);
    expect(runner.counters.delivered).toBe(1);
    expect(runner.counters.undetermined).toBeGreaterThan(0);
    expect(await collect(runner.readDead())).toMatchObject([{ reason: "pruned", seq: 0 }]);
  });

  test("looks at documents that it accepts, and at definitions before anything", async () => {
    source.edit("a", { likes: 1 });
    source.edit("b", { likes: 1 });
    await settle(open({ accepts: ({ name }) => name === "a" }));
    expect(keys).toHaveLength(1);
    for (const wrong of [{ name: "Hook" }, { owner: "" }, { attemptsMax: 0 }, { deliver: 1 }]) {
      expect(() => open(wrong as Partial<SinkDefinition>)).toThrow(
        expect.objectContaining({ code: HeddleErrorCode.projectionInvalid }),
      );
    }
  });

  test("a webhook posts a change under its id, and tells what an answer means", async () => {
    const requests: { url: string; key: string | null; body: Record<string, unknown> }[] = [];
    let status = 204;
    const fetch = async (url: string, init: RequestInit): Promise<Response> => {
      const key = new Headers(init.headers).get("idempotency-key");
      requests.push({ url, key, body: JSON.parse(String(init.body)) as Record<string, unknown> });
      return new Response(undefined, { status });
    };
    const deliver = webhook({
      url: "http://hook.example/",
      fetch: fetch as typeof globalThis.fetch,
    });
    const document = source.edit("a", { likes: 1 }, { wallMs: 5 });
    const reading = await source.readChanges(document.id, new Map());
    if (reading.outcome !== "whole") throw new Error(reading.outcome);
    const [[change]] = (await collect(reading.changes)) as [[Parameters<typeof deliver>[0]]];
    expect(await deliver(change, toHex(change.id))).toEqual({ outcome: "delivered" });
    expect(requests[0]).toMatchObject({
      url: "http://hook.example/",
      key: toHex(change.id),
      body: { id: toHex(change.id), document: "a", seq: 1, atMs: 5, update: "eyJsaWtlcyI6MX0=" },
    });
    for (const [answer, outcome] of [
      [400, "refused"],
      [422, "refused"],
      [429, "failed"],
      [503, "failed"],
    ] as const) {
      status = answer;
      expect((await deliver(change, "key")).outcome).toBe(outcome);
    }
  });
});
