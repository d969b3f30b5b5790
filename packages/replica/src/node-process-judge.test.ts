import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as Y from "yjs";

import { nestedArrays, rightOriginFan, subdocumentWithoutGuid, textOf } from "./hostile.fixture.ts";
import { ProcessJudge } from "./node-process-judge.ts";

describe("[DOC-7] a worker tries updates", () => {
  let judge: ProcessJudge;
  beforeAll(() => {
    judge = new ProcessJudge({ heapMb: 64, depthMax: 300, keptBytesMax: 1000 });
  });
  afterAll(() => judge.close());

  const urgent = { urgency: "urgent", base: [], budgetMs: 250 } as const;

  test("an honest update is fine, and its time is told", async () => {
    const verdict = await judge.judge({ ...urgent, steps: [textOf("hello"), textOf("you")] });
    expect(verdict).toMatchObject({ outcome: "ok" });
    expect("stepMs" in verdict && verdict.stepMs).toHaveLength(2);
  });

  test("one that is slow is cut off, and the next one is tried all the same", async () => {
    const slow = judge.judge({ ...urgent, steps: [textOf("first"), rightOriginFan(12_000)] });
    const next = judge.judge({ ...urgent, steps: [textOf("next")] });
    expect(await slow).toMatchObject({ outcome: "timeout", step: 1 });
    expect(await next).toMatchObject({ outcome: "ok" });
  });

  test("one that makes Yjs fail when the document is encoded is found before that", async () => {
    const verdict = await judge.judge({ ...urgent, steps: [subdocumentWithoutGuid()] });
    expect(verdict).toMatchObject({ outcome: "exception", step: undefined });
  });

  test("nesting that would overflow the stack of an honest delete is found", async () => {
    const steps = nestedArrays(200, 2);
    expect(await judge.judge({ ...urgent, steps: steps.slice(0, 1) })).toMatchObject({
      outcome: "ok",
    });
    const verdict = await judge.judge({ ...urgent, steps });
    expect(verdict).toMatchObject({ outcome: "exception", reason: /nested too deep/ });
  });

  test("one that needs too much memory ends its process, and nothing else", async () => {
    const doc = new Y.Doc();
    for (let index = 0; index < 600_000; index++) doc.getMap("m").set(`k${index}`, { v: index });
    const steps = [Y.encodeStateAsUpdate(doc)];
    const verdict = await judge.judge({ ...urgent, steps, budgetMs: 60_000 });
    expect(verdict).toMatchObject({ outcome: "memory" });
    expect(await judge.judge({ ...urgent, steps: [textOf("next")] })).toMatchObject({
      outcome: "ok",
    });
  });

  test("a failing base is not held against the steps", async () => {
    const base = [subdocumentWithoutGuid(), Uint8Array.of(1, 1)];
    expect(await judge.judge({ ...urgent, base, steps: [] })).toMatchObject({ step: -1 });
  });

  test("a document goes on from where its last trial ended, while it is kept", async () => {
    const doc = new Y.Doc();
    const states = ["one", "two"].map((word) => {
      const before = Y.encodeStateVector(doc);
      doc.getText("text").insert(0, word);
      return Y.encodeStateAsUpdate(doc, before);
    });
    const onward = { urgency: "idle", key: "notes", budgetMs: 250 } as const;
    expect(await judge.judge({ ...onward, steps: [] })).toEqual({ outcome: "unknown-base" });
    const first = { ...onward, base: [], steps: states.slice(0, 1) };
    expect(await judge.judge(first)).toMatchObject({ outcome: "ok" });
    // Without the first one this refers to what is not there.
    const second = { ...onward, steps: states.slice(1) };
    expect(await judge.judge(second)).toMatchObject({ outcome: "ok" });
    const large = { ...onward, key: "large", base: [], steps: [textOf("x".repeat(990))] };
    expect(await judge.judge(large)).toMatchObject({ outcome: "ok" });
    expect(await judge.judge({ ...onward, steps: [] })).toEqual({ outcome: "unknown-base" });
  });
});

describe("[DOC-12] trials that take long", () => {
  let judge: ProcessJudge;
  beforeAll(() => {
    judge = new ProcessJudge();
  });
  afterAll(() => judge.close());

  test("are not in the way of those that do not", async () => {
    const monster = rightOriginFan(60_000);
    let isOver = false;
    const slow = judge
      .judge({ urgency: "bulk", base: [], steps: [monster], budgetMs: 3_000 })
      .then((verdict) => {
        isOver = true;
        return verdict;
      });
    const quick = { urgency: "urgent", base: [], steps: [textOf("quick")], budgetMs: 250 } as const;
    for (let index = 0; index < 5; index++) {
      expect(await judge.judge(quick)).toMatchObject({ outcome: "ok" });
    }
    expect(isOver).toBe(false);
    expect(await slow).toMatchObject({ outcome: "timeout", step: 0 });
  });

  test("on a base that is slow by itself are told so", async () => {
    const base = [rightOriginFan(30_000)];
    const trial = { urgency: "urgent", base, steps: [], budgetMs: 250, baseMsMax: 100 } as const;
    expect(await judge.judge(trial)).toMatchObject({ outcome: "timeout", step: -1 });
  });
});

test("[DOC-13] a trial alone shares its heap with nobody, and leaves nothing", async () => {
  const judge = new ProcessJudge({ heapMb: 96 });
  const doc = new Y.Doc();
  for (let index = 0; index < 80_000; index++) doc.getMap("m").set(`k${index}`, { v: index });
  const steps = [Y.encodeStateAsUpdate(doc)];
  const trial = { urgency: "bulk", key: "notes", base: [], steps, budgetMs: 60_000 } as const;
  expect(await judge.judge({ ...trial, alone: { share: 1 } })).toMatchObject({ outcome: "ok" });
  const { base: _, ...onward } = { ...trial, steps: [] };
  expect(await judge.judge(onward)).toEqual({ outcome: "unknown-base" });
  const cramped = await judge.judge({ ...trial, alone: { share: 0.25 } });
  expect(cramped).toMatchObject({ outcome: "memory" });
  await judge.close();
});

test("[DOC-7] a scratch document of another version is not gone on from", async () => {
  const judge = new ProcessJudge();
  const trial = { urgency: "bulk", key: "notes", budgetMs: 250 } as const;
  const first = { ...trial, version: { from: undefined, to: 1 }, base: [], steps: [textOf("a")] };
  expect(await judge.judge(first)).toMatchObject({ outcome: "ok" });
  const other = { ...trial, version: { from: 2, to: 3 }, base: [], steps: [] };
  expect(await judge.judge(other)).toEqual({ outcome: "unknown-base" });
  const again = { ...first, version: { from: undefined, to: 4 } };
  expect(await judge.judge(again)).toMatchObject({ outcome: "ok" });
  const next = { ...trial, version: { from: 4, to: 5 }, base: [], steps: [textOf("b")] };
  expect(await judge.judge(next)).toMatchObject({ outcome: "ok" });
  await judge.close();
});

test("[DOC-7] who comes when too many wait is told so", async () => {
  const judge = new ProcessJudge({ queueMax: 2 });
  const trial = { urgency: "urgent", base: [], steps: [], budgetMs: 250 } as const;
  const verdicts = Promise.all([1, 2, 3, 4].map(() => judge.judge(trial)));
  const outcomes = (await verdicts).map(({ outcome }) => outcome);
  expect(outcomes).toEqual(["ok", "ok", "ok", "overloaded"]);
  await judge.close();
  expect(await judge.judge(trial)).toEqual({ outcome: "overloaded" });
});
