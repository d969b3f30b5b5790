import { expect, test } from "vitest";

import { CatchUpTurns, type TurnTaker } from "./catch-up-turns.ts";

function newTurns() {
  let nowMs = 0;
  const tasks: { readonly delayMs: number; readonly task: () => void }[] = [];
  const made: string[] = [];
  const turns = new CatchUpTurns({
    clock: { nowMs: () => nowMs, monotonicMs: () => nowMs },
    scheduler: {
      after(delayMs, task) {
        tasks.push({ delayMs, task });
        return () => undefined;
      },
    },
  });
  const taker = (name: string, costMs: number, then = (): void => undefined): TurnTaker => ({
    takeTurn() {
      made.push(name);
      nowMs += costMs;
      then();
    },
  });
  return { turns, taker, tasks, take: () => made.splice(0), run: () => tasks.shift()?.task() };
}

test("[RLY-13] nothing is made when it is asked for, and once for who asks a hundred times", () => {
  const { turns, taker, take, run, tasks } = newTurns();
  const [ada, bo] = [taker("ada", 1), taker("bo", 1)];
  for (let count = 0; count < 100; count++) turns.ask(ada);
  turns.ask(bo);
  expect(take()).toEqual([]);
  run();
  expect(take()).toEqual(["ada", "bo"]);
  expect(tasks).toEqual([]);
});

test("[RLY-13] dear ones take turns with all else, half of the time at most", () => {
  const { turns, taker, take, run, tasks } = newTurns();
  for (const name of ["ada", "bo", "cy"]) turns.ask(taker(name, 80));
  run();
  expect(take()).toEqual(["ada"]);
  expect(tasks.map(({ delayMs }) => delayMs)).toEqual([80]);
  run();
  expect(take()).toEqual(["bo"]);
});

test("[RLY-13] who asks again waits behind those who wait, and who left is not served", () => {
  const { turns, taker, take, run } = newTurns();
  const greedy = taker("greedy", 80, () => turns.ask(greedy));
  const [bo, cy] = [taker("bo", 80), taker("cy", 80)];
  for (const one of [greedy, bo, cy]) turns.ask(one);
  turns.forget(bo);
  for (let count = 0; count < 3; count++) run();
  expect(take()).toEqual(["greedy", "cy", "greedy"]);
});
