import { HeddleErrorCode } from "@heddle/core";
import { expect, test } from "vitest";

import { parseTrace } from "./parse-trace.ts";
import { planReplay } from "./plan.ts";
import { typewriterTrace } from "./traces.fixture.ts";

const twoAgents = (txns: readonly (readonly [agent: number, ...parents: number[]])[]) =>
  parseTrace(
    { endContent: "", txns: txns.map(([agent, ...parents]) => ({ agent, parents, patches: [] })) },
    "tiny",
  );

test("the causal past counts, of each agent, what the parents hold", () => {
  // 0 and 1 are concurrent, 2 merges them, 3 is concurrent with 2, 4 merges all.
  const trace = twoAgents([[0], [1], [0, 0, 1], [1, 1], [1, 2, 3]]);
  const { past } = planReplay(trace, 2, 500);
  const rows = [0, 1, 2, 3, 4].map((index) => Array.from(past.subarray(index * 2, index * 2 + 2)));
  expect(rows).toEqual([
    [0, 0],
    [0, 0],
    [1, 1],
    [0, 1],
    [2, 2],
  ]);
});

test("an agent that forgets its own work is refused", () => {
  const forgetful = twoAgents([[0], [0]]);
  expect(() => planReplay(forgetful, 2, 500)).toThrow(
    expect.objectContaining({ code: HeddleErrorCode.configInvalid }),
  );
});

test("agents share clients when there are fewer, and own several when there are more", () => {
  const trace = twoAgents([[0], [1]]);
  const clientsOf = (clients: number) =>
    planReplay(trace, clients, 500).seats.map(({ agent, client }) => `${agent}@${client}`);
  expect(clientsOf(1)).toEqual(["0@0", "1@0"]);
  expect(clientsOf(2)).toEqual(["0@0", "1@1"]);
  expect(clientsOf(5)).toEqual(["0@0", "0@2", "0@4", "1@1", "1@3"]);
});

test("an agent with several clients moves on after each run", () => {
  const trace = parseTrace(typewriterTrace("abcdefgh"), "typewriter");
  const plan = planReplay(trace, 3, 3);
  expect(plan.turnsByAgent[0]!.map(({ seat }) => seat)).toEqual([0, 0, 0, 1, 1, 1, 2, 2]);
});
