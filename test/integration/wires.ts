import {
  acceptBroadcastChannel,
  broadcastChannelTransport,
} from "@heddle/client/broadcast-channel";
import type { Connection, Transport } from "@heddle/sync";
import { SimMachine, SimNetwork, SimRandom, SimScheduler, SimTime } from "@heddle/testkit";

import { Arrivals } from "./arrivals.ts";
import { httpSite } from "./http-site.ts";
import { webSocketSite } from "./web-socket-site.ts";

/** What a host needs of a transport and its acceptor. */
export interface Wire {
  readonly transport: Transport;
  accept(): Promise<Connection>;
  dispose(): Promise<void>;
}

let names = 0;

async function broadcastChannelWire(): Promise<Wire> {
  const name = `heddle-wire-${process.pid}-${names++}`;
  const accepted = new Arrivals<Connection>();
  const acceptor = acceptBroadcastChannel({ name }, (connection) => accepted.add(connection));
  return {
    transport: broadcastChannelTransport({ name }),
    accept: () => accepted.next(),
    dispose: async () => acceptor.stop(),
  };
}

async function simulatedWire(): Promise<Wire> {
  const time = new SimTime();
  const around = {
    network: new SimNetwork(time, new SimRandom(1)),
    scheduler: new SimScheduler(time),
  };
  const accepted = new Arrivals<Connection>();
  const onConnection = (connection: Connection) => accepted.add(connection);
  const relay = new SimMachine({ ...around, name: "relay", onConnection });
  const laptop = new SimMachine({ ...around, name: "laptop" });
  const life = { isOver: false };
  const run = async () => {
    while (!life.isOver) {
      await time.step(time.nowMs + 1);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const ran = run();
  return {
    transport: laptop.transportTo(relay),
    accept: () => accepted.next(),
    async dispose() {
      life.isOver = true;
      await ran;
    },
  };
}

export const wires: readonly (readonly [string, () => Promise<Wire>])[] = [
  ["WebSocket", webSocketSite],
  ["HTTP", () => httpSite({ limits: { idleMs: 15_000 } })],
  ["BroadcastChannel", broadcastChannelWire],
  ["simulated network", simulatedWire],
];
