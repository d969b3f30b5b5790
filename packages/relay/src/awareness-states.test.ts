import { expect, test } from "vitest";

import {
  awarenessClientsMax,
  AwarenessStates,
  awarenessTimeoutMs,
  decodeAwareness,
} from "./awareness-states.ts";

const ada = { name: "connection of Ada" };
const bo = { name: "connection of Bo" };
const at = (client: number, clock: number, state: string | undefined = "{}") => {
  return [{ client, clock, state }];
};
const gone = undefined;

test("[RLY-4] newer presence replaces older, older is no news", () => {
  const states = new AwarenessStates();
  expect(states.apply(at(1, 5), ada, 0).changed).toEqual([1]);
  expect(states.apply(at(1, 5), ada, 0).changed).toEqual([]);
  expect(states.apply(at(1, 4), ada, 0).changed).toEqual([]);
  expect(states.apply(at(1, 6, '{"caret":1}'), ada, 0).changed).toEqual([1]);
  expect(decodeAwareness(states.encode([1]))).toEqual(at(1, 6, '{"caret":1}'));
});

test("[RLY-4] who leaves is gone at once, and a straggler does not bring them back", () => {
  const states = new AwarenessStates();
  states.apply(at(1, 5), ada, 0);
  states.apply(at(2, 1), bo, 0);
  expect(states.leave(ada, 10)).toEqual([1]);
  expect(states.clients).toEqual([2]);
  expect(decodeAwareness(states.encode([1]))).toEqual([{ client: 1, clock: 5, state: gone }]);
  expect(states.apply(at(1, 4), bo, 20).changed).toEqual([]);
});

test("[RLY-4] who comes back at the clock of their goodbye is told, to speak up again", () => {
  const states = new AwarenessStates();
  states.apply(at(1, 5), ada, 0);
  states.leave(ada, 10);
  expect(states.apply(at(1, 5), bo, 20)).toEqual({ changed: [], returning: [1] });
  expect(states.apply(at(1, 6), bo, 30)).toEqual({ changed: [1], returning: [] });
});

test("[RLY-4] nobody says goodbye for somebody else", () => {
  const states = new AwarenessStates();
  states.apply(at(1, 5), ada, 0);
  expect(states.apply([{ client: 1, clock: 9, state: gone }], bo, 0).changed).toEqual([]);
  expect(states.apply([{ client: 1, clock: 6, state: gone }], ada, 0).changed).toEqual([1]);
});

test("[RLY-4] a client that falls silent is gone, and forgotten later", () => {
  const states = new AwarenessStates();
  states.apply(at(1, 5), ada, 0);
  expect(states.expire(awarenessTimeoutMs)).toEqual([]);
  expect(states.expire(awarenessTimeoutMs + 1)).toEqual([1]);
  expect(states.expire(awarenessTimeoutMs * 4)).toEqual([]);
  expect(states.apply(at(1, 1), ada, awarenessTimeoutMs * 4).changed).toEqual([1]);
});

test("[RLY-9] the table of clients is bounded", () => {
  const states = new AwarenessStates();
  for (let client = 0; client < awarenessClientsMax + 10; client++) {
    states.apply(at(client, 1), ada, 0);
  }
  expect(states.clients.length).toBe(awarenessClientsMax);
});
