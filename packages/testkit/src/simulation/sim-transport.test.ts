import type { Connection } from "@heddle/sync";
import { expect, test, vi } from "vitest";

import { RecordedEnd } from "../recorded-end.ts";
import { describeTransportContract, type TransportSite } from "../transport-contract.ts";
import { SimNetwork, soundNetwork } from "./sim-network.ts";
import { SimRandom } from "./sim-random.ts";
import { SimTime } from "./sim-time.ts";
import { SimMachine, SimScheduler } from "./sim-transport.ts";

interface World extends TransportSite {
  readonly network: SimNetwork;
}

/** Two machines, and virtual time that goes on by itself, a task for each turn of the event loop. */
async function makeWorld(): Promise<World> {
  const time = new SimTime();
  const scheduler = new SimScheduler(time);
  const network = new SimNetwork(time, new SimRandom(1));
  const arrived: Connection[] = [];
  const waiting: ((connection: Connection) => void)[] = [];
  const around = { network, scheduler };
  const laptop = new SimMachine({ ...around, name: "laptop" });
  const relay = new SimMachine({
    ...around,
    name: "relay",
    onConnection: (connection) => {
      const next = waiting.shift();
      if (next) next(connection);
      else arrived.push(connection);
    },
  });
  const life = { isOver: false };
  const run = async () => {
    while (!life.isOver) {
      await time.step(time.nowMs + 1);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const ran = run();
  const accept = async () =>
    arrived.shift() ?? new Promise<Connection>((done) => waiting.push(done));
  const transport = laptop.transportTo(relay);
  return {
    network,
    transport,
    unreachable: laptop.transportTo(undefined),
    accept,
    async forge(bytes) {
      await transport.dial(new AbortController().signal);
      laptop.forge(bytes);
      return accept();
    },
    leftovers: () => [
      ...Array.from({ length: scheduler.pending }, () => "timer"),
      ...Array.from({ length: laptop.connectionCount + relay.connectionCount }, () => "connection"),
    ],
    async dispose() {
      life.isOver = true;
      await ran;
    },
  };
}

describeTransportContract("simulated network", makeWorld, {
  keepsOrder: true,
  // The protocol's PING is for that.
  noticesSilence: [],
});

test("[TRN-3] what a bad network loses does not fill a buffer for ever", async () => {
  const world = await makeWorld();
  const [dialer, acceptor] = await Promise.all([
    world.transport.dial(new AbortController().signal),
    world.accept(),
  ]);
  const [writer, reader] = [new RecordedEnd(dialer), new RecordedEnd(acceptor)];
  world.network.faults = { ...soundNetwork, lossRatio: 0.5, duplicateRatio: 0.2 };
  const chunk = new Uint8Array(64 * 1024);
  for (let sent = 0; sent < 300; sent++) {
    dialer.send(chunk);
    await vi.waitFor(() => {
      // As the PINGs of the protocol do: the last message may be the one that is lost.
      if (dialer.isCongested) dialer.send(Uint8Array.of(1));
      expect(dialer.isCongested).toBe(false);
    }, 30_000);
  }
  expect(world.network.counts.lost).toBeGreaterThan(50);
  expect([writer.end, reader.end]).toEqual([undefined, undefined]);
  expect(reader.messages.length).toBeGreaterThan(50);
  await world.dispose();
});
