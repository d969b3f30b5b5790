import { expect, test } from "vitest";

import { EarlyEffects } from "./early-effects.ts";
import { FixtureLane } from "./environment.fixture.ts";
import { MemoryHost } from "./memory-host.fixture.ts";
import { connect, exchange } from "./memory-wire.fixture.ts";

test("[WIR-11] what came before its cause takes effect when its cause has, and is not sent again", async () => {
  // Everybody pushes everything: a peer that lacks the cause of what it has is none that is waited for.
  const reader = new MemoryHost(1, { announces: false });
  const [cause, effect] = [await FixtureLane.open(2), await FixtureLane.open(3)];
  reader.causes.set(effect.descriptor.id, cause.descriptor.id);
  const [early, late] = [new MemoryHost(3), new MemoryHost(2)];
  await early.write(effect, 3);
  connect(early, reader, 1);
  await exchange(early, reader);
  expect(reader.replication.counters.incomplete).toBe(1);
  expect(reader.replication.counters.envelopesStored).toBe(0);
  const { envelopesSent } = early.replication.counters;
  await late.write(cause, 1);
  connect(late, reader, 2);
  // No time passes.
  await exchange(late, reader);
  expect(reader.replication.counters.envelopesStored).toBe(4);
  expect(early.replication.counters.envelopesSent).toBe(envelopesSent);
});

test("[WIR-11] a lane is tried again a few times, and anew after something of it was stored", async () => {
  const lane = (await FixtureLane.open(2)).descriptor.id;
  const early = new EarlyEffects();
  expect([1, 2, 3, 4].map(() => early.came(lane))).toEqual([true, true, true, false]);
  expect(early.lanes).toEqual([lane]);
  early.stored(lane);
  expect(early.lanes).toEqual([]);
  expect(early.came(lane)).toBe(true);
});
