import { describe, expect, test } from "vitest";

import type { ApplyJudge, Trial, Verdict } from "./apply-judge.ts";
import { auditBudgetMs, findCulprits, type LoggedUpdate } from "./find-culprits.ts";

/** Updates are one byte each: what they do, told to a judge that knows. */
const Effect = { fine: 0, fails: 1, slow: 2, failsLate: 3 } as const;

class KnowingJudge implements ApplyJudge {
  trials = 0;
  async judge({ steps, budgetMs }: Trial): Promise<Verdict> {
    this.trials++;
    const stepMs: number[] = [];
    let usedMs = 0;
    for (const [step, [effect]] of steps.entries()) {
      if (effect === Effect.fails) return { outcome: "exception", reason: "odd", step, stepMs };
      const ms = effect === Effect.slow ? budgetMs / 8 : 0.01;
      usedMs += ms;
      if (usedMs > budgetMs) return { outcome: "timeout", reason: "late", step, stepMs };
      stepMs.push(ms);
    }
    const isLate = steps.filter(([effect]) => effect === Effect.failsLate).length >= 2;
    if (isLate) return { outcome: "exception", reason: "late", step: undefined, stepMs };
    return { outcome: "ok", stepMs, depth: 0 };
  }
  async close(): Promise<void> {
    // Nothing to let go of.
  }
}

async function culpritsIn(effects: readonly number[]) {
  const judge = new KnowingJudge();
  const log = effects.map((effect, index): LoggedUpdate => {
    return { id: String(index), payload: Uint8Array.of(effect) };
  });
  const found = await findCulprits(judge, (ids) => log.filter(({ id }) => !ids.has(id)));
  return { ...found, ids: [...found.culprits.keys()].map(Number), trials: judge.trials };
}

const { fine, fails, slow, failsLate } = Effect;
const quiet = Array.from({ length: 200 }, () => fine);

describe("[DOC-9] the envelopes without which a document loads", () => {
  test("a sound log has none", async () => {
    expect(await culpritsIn(quiet)).toMatchObject({ ids: [], isSound: true, trials: 1 });
  });

  test("each that fails, one after the other", async () => {
    const found = await culpritsIn([fails, ...quiet, fails, fine]);
    expect(found).toMatchObject({ ids: [0, 201], isSound: true });
  });

  test("the last of those that only fail together, found in few trials", async () => {
    const found = await culpritsIn([fine, failsLate, ...quiet, failsLate, ...quiet]);
    expect(found).toMatchObject({ ids: [202], isSound: true });
    expect(found.trials).toBeLessThan(15);
  });

  test("of those that are slow together as many as it takes, and no other", async () => {
    const crowd = Array.from({ length: 12 }, () => slow);
    const { ids, isSound } = await culpritsIn([...quiet, ...crowd, ...quiet]);
    expect(isSound).toBe(true);
    expect(ids.length).toBeGreaterThanOrEqual(4);
    expect(ids.every((id) => id >= 200 && id < 212)).toBe(true);
  });
});

test("[DOC-9] a part of a log is given less time than a whole one, and a large one more", () => {
  const updates = [new Uint8Array(1024), new Uint8Array(1024)];
  expect(auditBudgetMs(updates, false)).toBe(256);
  expect(auditBudgetMs(updates, true)).toBe(1006);
});
