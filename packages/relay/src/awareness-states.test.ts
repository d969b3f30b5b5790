import { expect, test } from "vitest";

import { decodeAwareness } from "./awareness-codec.ts";
import { AwarenessStates, awarenessTimeoutMs, type AwarenessOwner } from "./awareness-states.ts";
import { defaultRelayLimits } from "./relay-limits.ts";

const ada: AwarenessOwner & { readonly name: string } = { name: "connection of Ada" };
const bo: AwarenessOwner & { readonly name: string } = { name: "connection of Bo" };
const at = (client: number, clock: number, state: string | null = "{}") => {
  return [{ client, clock, state: state ?? undefined }];
};
const gone = null;

test("[RLY-4] newer presence replaces older, older is no news", () => {
  const states = new AwarenessStates(defaultRelayLimits);
  expect(states.apply(at(1, 5), ada, 0).changed).toEqual([1]);
  expect(states.apply(at(1, 5), ada, 0).changed).toEqual([]);
  expect(states.apply(at(1, 4), ada, 0).changed).toEqual([]);
  expect(states.apply(at(1, 6, '{"caret":1}'), ada, 0).changed).toEqual([1]);
  expect(decodeAwareness(states.encode([1])).items).toEqual(at(1, 6, '{"caret":1}'));
});

test("[RLY-4] who leaves is gone at once, and a straggler does not bring them back", () => {
  const states = new AwarenessStates(defaultRelayLimits);
  states.apply(at(1, 5), ada, 0);
  states.apply(at(2, 1), bo, 0);
  expect(states.leave(ada, 10)).toEqual([1]);
  expect(states.clients).toEqual([2]);
  expect(decodeAwareness(states.encode([1])).items).toEqual(at(1, 5, gone));
  expect(states.apply(at(1, 4), bo, 20).changed).toEqual([]);
});

test("[RLY-4] who comes back at the clock of their goodbye is told, to speak up again", () => {
  const states = new AwarenessStates(defaultRelayLimits);
  states.apply(at(1, 5), ada, 0);
  states.leave(ada, 10);
  expect(states.apply(at(1, 5), bo, 20)).toMatchObject({ changed: [], returning: [1] });
  expect(states.apply(at(1, 6), bo, 30)).toMatchObject({ changed: [1], returning: [] });
});

test("[RLY-4] nobody says goodbye for somebody else", () => {
  const states = new AwarenessStates(defaultRelayLimits);
  states.apply(at(1, 5), ada, 0);
  expect(states.apply(at(1, 9, gone), bo, 0).changed).toEqual([]);
  expect(states.apply(at(1, 6, gone), ada, 0).changed).toEqual([1]);
});

test("[RLY-4] a client that falls silent is gone, and forgotten later", () => {
  const states = new AwarenessStates(defaultRelayLimits);
  states.apply(at(1, 5), ada, 0);
  expect(states.expire(awarenessTimeoutMs)).toEqual([]);
  expect(states.expire(awarenessTimeoutMs + 1)).toEqual([1]);
  expect(states.expire(awarenessTimeoutMs * 4)).toEqual([]);
  expect(states.apply(at(1, 1), ada, awarenessTimeoutMs * 4).changed).toEqual([1]);
});

test("[RLY-12] one connection speaks for a few clients, those who left included", () => {
  const states = new AwarenessStates({
    ...defaultRelayLimits,
    awarenessClientsPerConnectionMax: 2,
  });
  states.apply(at(1, 1), ada, 0);
  states.apply(at(1, 2, gone), ada, 0);
  states.apply(at(2, 1), ada, 0);
  expect(states.apply(at(3, 1), ada, 0)).toMatchObject({ changed: [], ignored: 1 });
  expect(states.apply(at(3, 1), bo, 0)).toMatchObject({ changed: [3], ignored: 0 });
  expect(states.clients).toEqual([2, 3]);
});

test("[RLY-12] a full table forgets who is gone for who comes", () => {
  const states = new AwarenessStates({ ...defaultRelayLimits, awarenessClientsPerDocumentMax: 2 });
  states.apply(at(1, 1), ada, 0);
  states.apply(at(2, 1), bo, 0);
  const cy: AwarenessOwner & { readonly name: string } = { name: "connection of Cy" };
  expect(states.apply(at(3, 1), cy, 0).changed).toEqual([]);
  states.leave(bo, 0);
  expect(states.apply(at(3, 1), cy, 0).changed).toEqual([3]);
  expect(states.clients).toEqual([1, 3]);
});

test.each([
  ["longer than the limit", JSON.stringify({ name: "x".repeat(8 * 1024) }), 2],
  ["nested deeper than the limit", "[".repeat(33) + "]".repeat(33), 2],
  ["at a clock near the end of all integers", "{}", Number.MAX_SAFE_INTEGER],
])("[RLY-12] a state %s is ignored, and the one before stays", (_, state, clock) => {
  const states = new AwarenessStates(defaultRelayLimits);
  states.apply(at(1, 1, '{"name":"Ada"}'), ada, 0);
  expect(states.apply(at(1, clock, state), ada, 0)).toMatchObject({ changed: [], ignored: 1 });
  expect(decodeAwareness(states.encode([1])).items).toEqual(at(1, 1, '{"name":"Ada"}'));
});

test("[RLY-12] brackets inside of strings are no depth", () => {
  const states = new AwarenessStates(defaultRelayLimits);
  const state = JSON.stringify({ name: `\\"${"[".repeat(50)}` });
  expect(states.apply(at(1, 1, state), ada, 0).changed).toEqual([1]);
});

test("[RLY-12] a state that is no JSON is refused with a code", () => {
  const states = new AwarenessStates(defaultRelayLimits);
  expect(() => states.apply(at(1, 1, "{"), ada, 0)).toThrow(/cannot be read/);
  expect(states.clients).toEqual([]);
});

test("[RLY-12] all states of a document together are bounded", () => {
  const limits = { ...defaultRelayLimits, awarenessBytesPerDocumentMax: 100 };
  const states = new AwarenessStates(limits);
  const long = JSON.stringify("x".repeat(58));
  expect(states.apply(at(1, 1, long), ada, 0).changed).toEqual([1]);
  expect(states.apply(at(2, 1, long), bo, 0).changed).toEqual([]);
  states.leave(ada, 0);
  expect(states.apply(at(2, 1, long), bo, 0).changed).toEqual([2]);
});

const peer = (): Required<AwarenessOwner> => ({ peer: { clients: 0 } });

test("[RLY-18] what a second peer brings of a client is no news and no claim, until the first one is gone", () => {
  const states = new AwarenessStates(defaultRelayLimits);
  const [near, far] = [peer(), peer()];
  const quiet = { changed: [], contested: [], doubted: [], ignored: 0, returning: [] };
  expect(states.apply(at(1, 5), near, 0).changed).toEqual([1]);
  expect(states.apply(at(1, 5), far, 0)).toMatchObject(quiet);
  expect(states.apply(at(1, 6), far, 0)).toMatchObject(quiet);
  expect(states.apply(at(1, 6), near, 0).changed).toEqual([1]);
  states.leave(near, 10);
  expect(states.apply(at(1, 7), far, 20).changed).toEqual([1]);
});

test("[RLY-12] between a connection and a peer a client is contested, whoever came first", () => {
  const states = new AwarenessStates(defaultRelayLimits);
  const there = peer();
  states.apply(at(1, 5), ada, 0);
  states.apply(at(2, 5), there, 0);
  expect(states.apply(at(1, 6), there, 0)).toMatchObject({ changed: [], contested: at(1, 6) });
  expect(states.apply(at(2, 6), ada, 0)).toMatchObject({ changed: [], contested: at(2, 6) });
});

test("[RLY-18] whom a peer takes for gone is doubted at the same clock only", () => {
  const states = new AwarenessStates(defaultRelayLimits);
  const there = peer();
  states.apply(at(1, 5), ada, 0);
  const doubted = (clock: number) => states.apply(at(1, clock, gone), there, 0);
  expect(doubted(5)).toMatchObject({ changed: [], doubted: [1], ignored: 0 });
  expect([doubted(4).doubted, doubted(6).doubted]).toEqual([[], []]);
  // Between connections it is what it was: nobody says goodbye for somebody else.
  expect(states.apply(at(1, 5, gone), bo, 0)).toMatchObject({ doubted: [], ignored: 1 });
});

test("[RLY-13] one peer brings a bounded number of clients, over all documents", () => {
  const limits = { ...defaultRelayLimits, awarenessClientsPerPeerMax: 10 };
  const [first, second] = [new AwarenessStates(limits), new AwarenessStates(limits)];
  const there = peer();
  for (let client = 0; client < 9; client++) first.apply(at(client, 1), there, 0);
  expect(second.apply([...at(1, 1), ...at(2, 1)], there, 0)).toMatchObject({
    changed: [1],
    limited: ["awarenessClientsPerPeerMax"],
  });
  first.leave(there, 0);
  expect(there.peer.clients).toBe(1);
  second.expire(awarenessTimeoutMs + 1);
  second.expire(awarenessTimeoutMs * 4);
  expect(there.peer.clients).toBe(0);
});

test("a long table is told in pieces that add up to it", () => {
  const states = new AwarenessStates(defaultRelayLimits);
  const there = peer();
  for (let client = 0; client < 100; client++) {
    states.apply(at(client, 1, JSON.stringify("x".repeat(client * 50))), there, 0);
  }
  const pieces = states.encodePieces(states.clients, 16_384);
  expect(pieces.length).toBeGreaterThan(5);
  expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThanOrEqual(16_384);
  const items = pieces.flatMap((piece) => decodeAwareness(piece).items);
  expect(items).toEqual(decodeAwareness(states.encode(states.clients)).items);
});
