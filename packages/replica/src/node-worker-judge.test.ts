import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as Y from "yjs";

import { nestedArrays, rightOriginFan, subdocumentWithoutGuid, textOf } from "./hostile.fixture.ts";
import { WorkerJudge } from "./node-worker-judge.ts";

describe("[DOC-7] a worker tries updates", () => {
  let judge: WorkerJudge;
  beforeAll(() => {
    judge = new WorkerJudge({ heapMb: 64, depthMax: 300, keptBytesMax: 1000 });
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

  test("one that needs too much memory ends its worker, and nothing else", async () => {
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

test("[DOC-7] who comes when too many wait is told so", async () => {
  const judge = new WorkerJudge({ queueMax: 2 });
  const trial = { urgency: "urgent", base: [], steps: [], budgetMs: 250 } as const;
  const verdicts = Promise.all([1, 2, 3, 4].map(() => judge.judge(trial)));
  const outcomes = (await verdicts).map(({ outcome }) => outcome);
  expect(outcomes).toEqual(["ok", "ok", "ok", "overloaded"]);
  await judge.close();
  expect(await judge.judge(trial)).toEqual({ outcome: "overloaded" });
});
