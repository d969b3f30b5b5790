import { expect, test } from "vitest";

import { FixtureLane, testEntry } from "./environment.fixture.ts";
import { HaveFlag } from "./frame-shapes.ts";
import { MemoryHost } from "./memory-host.fixture.ts";
import { connect, exchange, pass } from "./memory-wire.fixture.ts";
import { RawPeer } from "./raw-peer.fixture.ts";
import type { Standing } from "./sync-context.ts";

// Goal: before members are agreed on, and for who is none, there is one document and nothing else.
// Method: hosts in memory with a document that comes first, and a peer that says what it likes.

const first = testEntry("members");

/** Hosts that have the same idea of who is what. */
function hosts(standing: { of: Standing }, ...seeds: readonly number[]): MemoryHost[] {
  const standingOf = (): Standing => standing.of;
  return seeds.map((seed) => new MemoryHost(seed, { first, standingOf }));
}

test("[MEM-9] a stranger hears of one document, whatever it asks for, and of all once it is a member", async () => {
  const standing: { of: Standing } = { of: "stranger" };
  const [host] = hosts(standing, 1);
  const lane = await FixtureLane.open(1, testEntry("secret"));
  await host!.write(lane, 3);
  host!.replication.want(lane.entry, host!.nowMs);
  const stranger = await RawPeer.greet(host!, 7, 9);
  stranger.open(lane.entry, 5);
  stranger.have(5, [], HaveFlag.ask);
  stranger.send({ name: "pull", documentRef: 5, lane: lane.descriptor.id, fromSeq: 1, toSeq: 3 });
  stranger.send({ name: "cursor", incarnation: undefined, arrival: 0, check: undefined });
  // The first document, as it is here: empty.
  stranger.open(first, 0);
  const heard = stranger.heard();
  const { digest } = heard.find((frame) => frame.name === "have")!;
  const equal = { documentRef: 0, digest, positions: [], checkpoint: undefined };
  stranger.send({ name: "have", ...equal, flags: HaveFlag.digestOnly });
  for (let second = 0; second < 30; second++) {
    host!.nowMs += 1_000;
    host!.replication.tick(host!.nowMs);
    await host!.drain();
  }
  heard.push(...stranger.heard());
  const opened = heard.flatMap((frame) => {
    return frame.name === "open" ? [frame.document] : frame.name === "push" ? ["push"] : [];
  });
  expect(opened.filter((document) => document !== first.id)).toEqual([]);
  expect(heard.some(({ name }) => name === "library" || name === "mark")).toBe(false);

  standing.of = "member";
  host!.replication.tick(host!.nowMs);
  await host!.drain();
  const names = stranger
    .heard()
    .map((frame) => (frame.name === "open" ? frame.document : frame.name));
  expect(names).toContain(lane.entry.id);
});

test("[MEM-9] what is first is exchanged first, and all the rest after it; who was removed is cut off", async () => {
  const standing: { of: Standing } = { of: "member" };
  const [writer, peer] = hosts(standing, 1, 2);
  const lanes = [await FixtureLane.open(1, first), await FixtureLane.open(1, testEntry("plan"))];
  for (const lane of lanes) await writer!.write(lane, 2);
  connect(writer!, peer!, 1);
  await exchange(writer!, peer!);
  await pass(writer!, peer!, 5_000);
  const received = peer!.events.flatMap((event) =>
    event.name === "document.received" ? [event.entry.id] : [],
  );
  expect(received).toEqual(lanes.map(({ entry }) => entry.id));

  standing.of = "removed";
  connect(writer!, peer!, 2);
  await exchange(writer!, peer!);
  await pass(writer!, peer!, 5_000);
  for (const host of [writer!, peer!]) {
    const end = host.events.findLast(({ name }) => name === "session.closed");
    // Whoever is first says it, and the other hears it.
    expect(end).toMatchObject({
      peer: 2,
      code: expect.stringMatching(/(MEMBERSHIP|SESSION)_REFUSED/),
    });
  }
});
