import { expect, test } from "vitest";

import { Presence, type PresenceOwner } from "./presence.ts";
import { newRelayCounters } from "./relay-counters.ts";
import { defaultRelayLimits } from "./relay-limits.ts";

class Connection implements PresenceOwner {
  heardMs = 0;
  probes = 0;

  probe(): void {
    this.probes++;
  }
}

function newRoom() {
  const counters = newRelayCounters();
  const time = { ms: 0 };
  const clock = { nowMs: () => time.ms, monotonicMs: () => time.ms };
  return {
    counters,
    time,
    presence: new Presence({ limits: defaultRelayLimits, counters, clock }),
  };
}

const says = (clock: number, state = "{}") => [{ client: 7, clock, state }];

test("[RLY-12] who answers a probe keeps its clients", () => {
  const { presence, time, counters } = newRoom();
  const [ada, mallory] = [new Connection(), new Connection()];
  presence.receive(says(1), ada);
  expect(presence.receive(says(5), mallory)).toMatchObject({ changed: [], wasIgnored: true });
  expect(ada.probes).toBe(1);
  time.ms = 40;
  ada.heardMs = 40;
  expect(presence.settle().taken).toEqual([]);
  time.ms = 10_000;
  expect(presence.settle().taken).toEqual([]);
  expect([counters.awarenessIgnored, counters.awarenessTakeovers]).toEqual([1, 0]);
});

test("[RLY-12] who does not answer loses them after a while, and to the latest word", () => {
  const { presence, time, counters } = newRoom();
  const [old, back] = [new Connection(), new Connection()];
  presence.receive(says(1), old);
  time.ms = 1_000;
  presence.receive(says(2), back);
  presence.receive(says(3, '{"latest":true}'), back);
  time.ms = 3_999;
  expect([presence.settle().taken, old.probes]).toEqual([[], 1]);
  time.ms = 4_000;
  expect(presence.settle().taken).toEqual([7]);
  expect(counters.awarenessTakeovers).toBe(1);
  // What the old one says now is somebody else's.
  expect(presence.receive(says(9), old)).toMatchObject({ changed: [] });
  expect(presence.leave(old)).toEqual([]);
  expect(presence.clients).toEqual([7]);
});

test("[RLY-12] who leaves decides the claim against itself at once", () => {
  const { presence } = newRoom();
  const [old, back] = [new Connection(), new Connection()];
  presence.receive(says(1), old);
  presence.receive(says(2), back);
  expect(presence.leave(old)).toEqual([7, 7]);
  expect(presence.clients).toEqual([7]);
});

test("[RLY-12] a claim ends with its claimant", () => {
  const { presence, time } = newRoom();
  const [ada, mallory] = [new Connection(), new Connection()];
  presence.receive(says(1), ada);
  presence.receive(says(2), mallory);
  presence.leave(mallory);
  time.ms = 60_000;
  expect(presence.settle().taken).toEqual([]);
});

test("[RLY-12] nobody is asked for a sign of life more than once at a time", () => {
  const { presence } = newRoom();
  const [ada, mallory] = [new Connection(), new Connection()];
  presence.receive(says(1), ada);
  for (let clock = 2; clock < 1_000; clock++) presence.receive(says(clock), mallory);
  expect(ada.probes).toBe(1);
});

test("[RLY-12] an update larger than all presence of a room may be is not even read", () => {
  const { presence, counters } = newRoom();
  const { awarenessBytesPerDocumentMax } = defaultRelayLimits;
  expect(presence.decode(new Uint8Array(awarenessBytesPerDocumentMax * 2 + 1))).toEqual([]);
  expect(counters.limited.get("awarenessBytesPerDocumentMax")).toBe(1);
});

class Peer implements PresenceOwner {
  readonly heardMs = -Infinity;
  readonly peer = { clients: 0 };
}

test("[RLY-12] who is claimed by a peer and shows signs of life is to speak up", () => {
  const { presence, time } = newRoom();
  const [ada, there] = [new Connection(), new Peer()];
  presence.receive(says(1), ada);
  presence.receive(says(5), there);
  expect(ada.probes).toBe(1);
  ada.heardMs = 40;
  time.ms = 50;
  expect(presence.settle()).toEqual({ taken: [], defended: [7] });
  expect(presence.goodbyeOf(7)).toEqual({ client: 7, clock: 1, state: undefined });
});

test("[RLY-12] against a peer counts news of the client, not that the peer is there", () => {
  const { presence, time } = newRoom();
  const [back, there] = [new Connection(), new Peer()];
  presence.receive(says(1), there);
  expect(presence.receive(says(5), back)).toMatchObject({ changed: [], claimed: says(5) });
  time.ms = 100;
  presence.receive(says(2), there);
  time.ms = 4_000;
  expect(presence.settle().taken).toEqual([]);
  expect(presence.receive(says(6), back).claimed).toEqual(says(6));
  time.ms = 7_000;
  expect(presence.settle().taken).toEqual([7]);
});

test("[RLY-13] a peer has a bounded number of claims at a time", () => {
  const { presence, counters } = newRoom();
  const there = new Peer();
  for (let client = 0; client < 300; client++) {
    presence.receive([{ client, clock: 1, state: "{}" }], new Connection());
  }
  const claims = Array.from({ length: 300 }, (_, client) => ({ client, clock: 2, state: "{}" }));
  expect(presence.receive(claims, there).claimed).toHaveLength(256);
  expect(counters.limited.get("awarenessClientsPerPeerMax")).toBe(44);
});
