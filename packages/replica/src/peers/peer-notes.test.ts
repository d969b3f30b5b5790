import {
  HybridClock,
  limits,
  MemoryDisk,
  openLane,
  openSpaceId,
  type DocumentId,
  type Envelope,
} from "@heddle/core";
import { expect, test } from "vitest";

import { environment, openReplica, signer } from "../replica.fixture.ts";
import { readForkedLanes } from "./forked-lanes.ts";
import { PeerNotes } from "./peer-notes.ts";

test("[WIR-12] a fork whose branches are too large to keep is kept without them, and the store goes on", async () => {
  const { store } = await openReplica(new MemoryDisk());
  const { hash, random, clock } = environment;
  const space = openSpaceId(hash);
  const hlc = new HybridClock(clock);
  const lane = await openLane({ space, signer, hash, random, clock: hlc, engine: "test" });
  const document = "1a".repeat(16) as DocumentId;
  const large = { seq: 3, bytes: new Uint8Array(limits.forkBytesMax / 2 + 1) } as Envelope;
  const notes = new PeerNotes({ store, environment });
  notes.keepFork(document, { lane, branchA: [large], branchB: [large] });
  const [fork] = await readForkedLanes({ store, environment }, document);
  expect(fork).toMatchObject({ lane: lane.id, seq: 3, branches: [] });
  expect(store.state).toEqual({ name: "open" });
});
