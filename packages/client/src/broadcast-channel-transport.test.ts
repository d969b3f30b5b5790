import { HeddleErrorCode } from "@heddle/core";
import type { Connection } from "@heddle/sync";
import {
  CountedScheduler,
  describeTransportContract,
  RecordedEnd,
  type TransportSide,
  type TransportSite,
} from "@heddle/testkit";
import { expect, test, vi } from "vitest";

import {
  acceptBroadcastChannel,
  broadcastChannelTransport,
  type BroadcastChannelConstructor,
} from "./broadcast-channel-transport.ts";

// Node's own BroadcastChannel, which is the browsers'; two ends in one thread hear each other by it.

let names = 0;
const patience = { timeout: 30_000, interval: 5 };

interface Site extends TransportSite {
  readonly name: string;
  readonly ignored: () => number;
  readonly Channel: BroadcastChannelConstructor;
}

async function makeSite(): Promise<Site> {
  const name = `heddle-test-${process.pid}-${names++}`;
  const scheduler = new CountedScheduler();
  const open = new Set<BroadcastChannel>();
  /** Channels of pairs: the acceptor's is made first. */
  const pairs: CountedChannel[] = [];
  class CountedChannel extends BroadcastChannel {
    isSilent = false;

    constructor(channel: string) {
      super(channel);
      open.add(this);
      if (channel !== name) pairs.push(this);
    }

    override postMessage(message: unknown): void {
      // What a killed or frozen tab says.
      if (!this.isSilent) super.postMessage(message);
    }

    override close(): void {
      open.delete(this);
      super.close();
    }
  }
  const Channel = CountedChannel as BroadcastChannelConstructor;
  const waiting: ((connection: Connection) => void)[] = [];
  const arrived: Connection[] = [];
  const options = { name, BroadcastChannel: Channel, scheduler, silenceMs: 2_000 };
  const acceptor = acceptBroadcastChannel(options, (connection) => {
    const next = waiting.shift();
    if (next) next(connection);
    else arrived.push(connection);
  });
  const accept = async () =>
    arrived.shift() ?? new Promise<Connection>((done) => waiting.push(done));
  const transport = broadcastChannelTransport(options);
  return {
    name,
    Channel,
    ignored: () => acceptor.counters.ignored,
    transport,
    unreachable: broadcastChannelTransport({
      ...options,
      name: `${name}-nobody`,
      limits: { dialMsMax: 400 },
    }),
    accept,
    async forge(bytes) {
      await transport.dial(new AbortController().signal);
      const [from] = pairs.slice(-1);
      from!.postMessage({ kind: "data", number: 0, bytes, taken: 0 });
      return accept();
    },
    silence(side: TransportSide) {
      const [ofAcceptor, ofDialer] = pairs.slice(-2);
      (side === "dialer" ? ofDialer : ofAcceptor)!.isSilent = true;
    },
    // One channel is the acceptor's own.
    leftovers: () => [
      ...Array.from({ length: scheduler.pending }, () => "timer"),
      ...[...open].slice(1).map(() => "channel"),
    ],
    async dispose() {
      acceptor.stop();
      for (const channel of open) channel.close();
    },
  };
}

describeTransportContract("BroadcastChannel", makeSite, {
  keepsOrder: true,
  noticesSilence: ["dialer", "acceptor"],
});

async function connected(site: Site) {
  const dialed = site.transport.dial(new AbortController().signal);
  const [dialer, acceptor] = await Promise.all([dialed, site.accept()]);
  return { dialer: new RecordedEnd(dialer), acceptor: new RecordedEnd(acceptor) };
}

test("[TRN-5] a dial waits for an acceptor that comes later", async () => {
  const name = `heddle-test-${process.pid}-late`;
  const scheduler = new CountedScheduler();
  const dialed = broadcastChannelTransport({ name, scheduler }).dial(new AbortController().signal);
  await new Promise((resolve) => setTimeout(resolve, 20));
  const accepted: Connection[] = [];
  const acceptor = acceptBroadcastChannel({ name, scheduler }, (each) => accepted.push(each));
  const dialer = new RecordedEnd(await dialed);
  dialer.connection.close(HeddleErrorCode.sessionClosed);
  await vi.waitFor(() => expect(dialer.end).toMatchObject({ wasPolite: true }), patience);
  acceptor.stop();
  await vi.waitFor(() => expect([accepted.length, scheduler.pending]).toEqual([1, 0]), patience);
});

test("[TRN-1] of two acceptors one gets the connection, and the other forgets its offer", async () => {
  const site = await makeSite();
  const more: Connection[] = [];
  const scheduler = new CountedScheduler();
  const second = acceptBroadcastChannel({ name: site.name, scheduler }, (each) => more.push(each));
  const first: Connection[] = [];
  void site.accept().then((each) => first.push(each));
  const dialer = new RecordedEnd(await site.transport.dial(new AbortController().signal));
  await vi.waitFor(() => expect(first.length + more.length).toBe(1), patience);
  await vi.waitFor(() => {
    const { accepted, expired } = second.counters;
    expect([accepted + expired, scheduler.pending > more.length * 2]).toEqual([1, false]);
  }, patience);
  dialer.connection.close(HeddleErrorCode.sessionClosed);
  await vi.waitFor(() => expect(dialer.end).toBeDefined(), patience);
  second.stop();
  await site.dispose();
});

test("what is not for a heddle is counted, and answered by nobody", async () => {
  const site = await makeSite();
  const stranger = new BroadcastChannel(site.name);
  const strange = [null, 7, "dial", {}, { heddle: 2, kind: "dial", from: "0".repeat(32) }];
  const wrong = [
    { heddle: 1, kind: "dial", from: "x" },
    { heddle: 1, kind: "dial" },
  ];
  for (const message of [...strange, ...wrong]) stranger.postMessage(message);
  await vi.waitFor(() => expect(site.ignored()).toBe(7), patience);
  stranger.close();
  await site.dispose();
});

test.each([
  ["a kind that does not exist", { kind: "shout" }],
  ["a gap in the count", { kind: "data", number: 1, bytes: new Uint8Array(1), taken: 0 }],
  ["bytes that are none", { kind: "data", number: 0, bytes: "text", taken: 0 }],
  ["a count below zero", { kind: "alive", taken: -1 }],
])("[TRN-4] %s ends the connection of a pair", async (_what, message) => {
  const site = await makeSite();
  const made: InstanceType<BroadcastChannelConstructor>[] = [];
  class Kept extends (site.Channel as new (name: string) => BroadcastChannel) {
    constructor(name: string) {
      super(name);
      made.push(this as InstanceType<BroadcastChannelConstructor>);
    }
  }
  const { name } = site;
  const transport = broadcastChannelTransport({
    name,
    BroadcastChannel: Kept as BroadcastChannelConstructor,
  });
  const { dialer, acceptor } = await connected({ ...site, transport });
  made.at(-1)!.postMessage(message);
  const end = { code: HeddleErrorCode.frameMalformed, wasPolite: true };
  for (const each of [acceptor, dialer]) {
    await vi.waitFor(() => expect(each.end).toMatchObject(end), patience);
  }
  await site.dispose();
});
