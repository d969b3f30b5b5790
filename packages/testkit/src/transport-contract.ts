import { HeddleErrorCode } from "@heddle/core";
import {
  isPermanentBye,
  transportLimits,
  wireLimits,
  type Connection,
  type Transport,
} from "@heddle/sync";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { RecordedEnd } from "./recorded-end.ts";
import { seededRandom } from "./test-environment.ts";

export type TransportSide = "dialer" | "acceptor";

/** A transport with an acceptor at its other end, and with nothing else running. */
export interface TransportSite {
  readonly transport: Transport;
  /** Leads to where nobody answers; gives up within a second. */
  readonly unreachable: Transport;
  /** The next connection that the acceptor takes. */
  accept(): Promise<Connection>;
  /** Sends `bytes` as one message, past the caps of the port; resolves with who receives it. */
  forge(bytes: Uint8Array): Promise<Connection>;
  /** From now on that side of the newest connection says nothing at all, as a stopped process does. */
  silence?(side: TransportSide): void;
  /** Names of what is still there of connections that have ended: timers, sockets, sessions. */
  leftovers(): readonly string[];
  dispose(): Promise<void>;
}

export interface TransportTraits {
  /** Messages arrive in the order in which they were sent. */
  readonly keepsOrder: boolean;
  /** Who finds out by itself, and soon at this site, that the other side is silent. */
  readonly noticesSilence: readonly TransportSide[];
}

const sides = ["dialer", "acceptor"] as const;
const patience = { timeout: 30_000, interval: 5 };

/** What every `Transport` owes (docs/guarantees.md, TRN). Run it, do not copy it. */
export function describeTransportContract(
  name: string,
  makeSite: () => Promise<TransportSite>,
  traits: TransportTraits,
): void {
  describe(`Transport contract: ${name}`, () => {
    const bench = Bench.use(makeSite);
    describe("messages", () => describeMessages(bench, traits));
    describe("back-pressure", () => describeBackPressure(bench));
    describe("end", () => describeEnds(bench, traits));
    describe("dial", () => describeDials(bench));
  });
}

type Pair = Readonly<Record<TransportSide, RecordedEnd>>;

class Bench {
  site!: TransportSite;
  #ends: RecordedEnd[] = [];

  static use(makeSite: () => Promise<TransportSite>): Bench {
    const bench = new Bench();
    beforeEach(async () => {
      bench.#ends = [];
      bench.site = await makeSite();
    });
    afterEach(() => bench.#leave());
    return bench;
  }

  async connect(): Promise<Pair> {
    const [dialer, acceptor] = await this.connectSilently();
    return { dialer: this.record(dialer), acceptor: this.record(acceptor) };
  }

  /** Nobody listens yet. */
  connectSilently(): Promise<[Connection, Connection]> {
    const dialed = this.site.transport.dial(new AbortController().signal);
    return Promise.all([dialed, this.site.accept()]);
  }

  record(connection: Connection): RecordedEnd {
    const end = new RecordedEnd(connection);
    this.#ends.push(end);
    return end;
  }

  /** Whatever a test did: each connection ends once, says nothing after that, and leaves nothing. */
  async #leave(): Promise<void> {
    try {
      for (const { connection } of this.#ends) {
        connection.resume();
        connection.close(HeddleErrorCode.sessionClosed);
      }
      await vi.waitFor(() => {
        expect(this.#ends.map(({ end }) => end !== undefined)).toEqual(this.#ends.map(() => true));
        expect(this.site.leftovers()).toEqual([]);
      }, patience);
      for (const { events } of this.#ends) {
        expect(events.filter((event) => event === "closed")).toHaveLength(1);
        expect(events.at(-1)).toBe("closed");
      }
    } finally {
      await this.site.dispose();
    }
  }
}

function describeMessages(bench: Bench, { keepsOrder }: TransportTraits): void {
  const { frameBytesMax } = wireLimits;
  const sizes = [1, 2, 125, 126, 127, 1_000, 65_535, 65_536, frameBytesMax - 1, frameBytesMax];

  it.each(sides)("[TRN-1] arrive whole and unchanged from the %s, of every size", async (from) => {
    const pair = await bench.connect();
    const random = seededRandom(from);
    const sent = sizes.map((size) => random.bytes(size));
    for (const bytes of sent) pair[from].connection.send(bytes.slice());
    const { messages } = pair[otherSide(from)];
    await vi.waitFor(() => expect(messages).toHaveLength(sent.length), patience);
    expect(hexes(messages, keepsOrder)).toEqual(hexes(sent, keepsOrder));
    // Each is its receiver's own: neither a view of something larger nor what the sender still has.
    expect(messages.map(({ buffer }) => buffer.byteLength)).toEqual(
      messages.map(({ byteLength }) => byteLength),
    );
    expect(pair[from].connection.counters).toMatchObject({ framesSent: sizes.length });
  });

  it("[TRN-1] arrive in the order of their sending, where that is claimed", async () => {
    const pair = await bench.connect();
    const sent = Array.from({ length: 500 }, (_, index) => Uint8Array.of(index >> 8, index & 0xff));
    for (const [index, bytes] of sent.entries()) {
      pair.dialer.connection.send(bytes);
      pair.acceptor.connection.send(bytes);
      // In bursts, as a protocol sends.
      if (index % 50 === 0) await turn();
    }
    for (const side of sides) {
      const { messages } = pair[side];
      await vi.waitFor(() => expect(messages).toHaveLength(sent.length), patience);
      expect(hexes(messages, keepsOrder)).toEqual(hexes(sent, keepsOrder));
    }
  });

  it("[TRN-1] of one connection stay apart from those of another", async () => {
    const pairs = [await bench.connect(), await bench.connect(), await bench.connect()];
    for (const [index, { dialer }] of pairs.entries()) dialer.connection.send(Uint8Array.of(index));
    await vi.waitFor(() => {
      const received = pairs.map(({ acceptor }) => acceptor.messages.map(([first]) => first));
      expect(received).toEqual([[0], [1], [2]]);
    }, patience);
  });

  it("[TRN-4] that come before anybody listens wait, and come before the end", async () => {
    const [dialer, acceptor] = await bench.connectSilently();
    const writer = bench.record(dialer);
    dialer.send(Uint8Array.of(1));
    dialer.send(Uint8Array.of(2));
    dialer.close(HeddleErrorCode.sessionClosed);
    await vi.waitFor(() => expect(writer.end).toBeDefined(), patience);
    const reader = bench.record(acceptor);
    await vi.waitFor(
      () => expect(reader.events).toEqual(["message", "message", "closed"]),
      patience,
    );
  });

  it("[TRN-2] over the cap are refused before they are sent", async () => {
    const { dialer, acceptor } = await bench.connect();
    const tooLarge = new Uint8Array(frameBytesMax + 1);
    const attempt = () => dialer.connection.send(tooLarge);
    expect(attempt).toThrow(expect.objectContaining({ code: HeddleErrorCode.frameTooLarge }));
    dialer.connection.send(Uint8Array.of(7));
    await vi.waitFor(() => expect(acceptor.messages).toEqual([Uint8Array.of(7)]), patience);
  });

  it("[TRN-2] over the cap of a hostile peer end its connection and reach nobody", async () => {
    const victim = bench.record(await bench.site.forge(new Uint8Array(frameBytesMax + 1)));
    await vi.waitFor(() => {
      expect(victim.end).toMatchObject({ code: HeddleErrorCode.frameTooLarge });
    }, patience);
    expect(victim.messages).toEqual([]);
  });
}

function describeBackPressure(bench: Bench): void {
  const chunk = new Uint8Array(64 * 1024).fill(0x61);
  /** More than the buffers of any network on the way take. */
  const floodBytes = 64 * 1024 * 1024;

  it.each(sides)("[TRN-3] makes the %s wait while nobody reads, and go on", async (from) => {
    const pair = await bench.connect();
    const [writer, reader] = [pair[from], pair[otherSide(from)]];
    reader.connection.pause();
    let sent = 0;
    while (!(await isStuck(writer.connection)) && sent * chunk.length < floodBytes) {
      writer.connection.send(chunk);
      sent++;
    }
    // It was held back: the loop did not end because everything was sent.
    expect(sent * chunk.length).toBeLessThan(floodBytes);
    expect(writer.connection.bufferedBytes).toBeLessThanOrEqual(transportLimits.sendBufferBytesMax);
    expect(reader.messages).toEqual([]);
    expect([writer.end, reader.end]).toEqual([undefined, undefined]);
    reader.connection.resume();
    await vi.waitFor(() => expect(reader.messages).toHaveLength(sent), patience);
    await vi.waitFor(() => expect(writer.connection.isCongested).toBe(false), patience);
    expect(writer.drains).toBeGreaterThan(0);
  });

  it.each(sides)("[TRN-3] cuts the %s off when it does not wait", async (from) => {
    const pair = await bench.connect();
    const [writer, reader] = [pair[from], pair[otherSide(from)]];
    reader.connection.pause();
    for (let sent = 0; !writer.end && sent < floodBytes; sent += chunk.length) {
      writer.connection.send(chunk);
      if ((sent / chunk.length) % 16 === 0) await turn();
    }
    await vi.waitFor(() => {
      expect(writer.end).toMatchObject({ code: HeddleErrorCode.relayOverloaded });
    }, patience);
    reader.connection.resume();
    await vi.waitFor(() => expect(reader.end).toBeDefined(), patience);
  });
}

function describeEnds(bench: Bench, { noticesSilence }: TransportTraits): void {
  it.each(sides)("[TRN-4] by the %s is seen by both, with code and reason", async (from) => {
    const pair = await bench.connect();
    pair[from].connection.send(Uint8Array.of(1));
    pair[from].connection.close(HeddleErrorCode.relayDraining, "back in a minute");
    const said = {
      code: HeddleErrorCode.relayDraining,
      reason: "back in a minute",
      wasPolite: true,
    };
    for (const side of sides) {
      await vi.waitFor(() => expect(pair[side].end).toMatchObject(said), patience);
      expect(isPermanentBye(pair[side].end!.closeCode)).toBe(false);
    }
    expect(pair[otherSide(from)].events).toEqual(["message", "closed"]);
    for (const side of sides) pair[side].connection.send(Uint8Array.of(2));
    expect(sides.map((side) => pair[side].connection.counters.framesDropped)).toEqual([1, 1]);
  });

  it("[TRN-4] for good is told apart from one that passes", async () => {
    const { dialer, acceptor } = await bench.connect();
    acceptor.connection.close(HeddleErrorCode.sessionRefused, "ß".repeat(200));
    await vi.waitFor(() => expect(dialer.end).toBeDefined(), patience);
    expect(dialer.end).toMatchObject({ code: HeddleErrorCode.sessionRefused, wasPolite: true });
    expect(isPermanentBye(dialer.end!.closeCode)).toBe(true);
    expect(dialer.end!.reason).toMatch(/^ß{10,}$/);
  });

  it("[TRN-4] from both sides at once is one end for each", async () => {
    const pair = await bench.connect();
    for (const side of sides) pair[side].connection.close(HeddleErrorCode.sessionClosed, side);
    for (const side of sides) {
      await vi.waitFor(() => expect(pair[side].end).toBeDefined(), patience);
    }
  });

  it("[TRN-4] of a host that ends in the middle of its messages is the last it hears", async () => {
    const [dialer, acceptor] = await bench.connectSilently();
    bench.record(dialer);
    const heard: string[] = [];
    acceptor.listen({
      onMessage: ([first]) => {
        heard.push(`message ${first}`);
        if (first === 2) acceptor.close(HeddleErrorCode.frameMalformed);
      },
      onDrain: () => heard.push("drain"),
      onClosed: ({ code }) => heard.push(code),
    });
    for (const byte of [1, 2, 3, 4]) dialer.send(Uint8Array.of(byte));
    const expected = ["message 1", "message 2", HeddleErrorCode.frameMalformed];
    await vi.waitFor(() => expect(heard).toEqual(expected), patience);
  });

  for (const side of noticesSilence) {
    it(`[TRN-6] of a silent peer is noticed by the ${side}`, async () => {
      const pair = await bench.connect();
      bench.site.silence!(otherSide(side));
      await vi.waitFor(() => {
        const end = { code: HeddleErrorCode.sessionTimeout, wasPolite: false };
        expect(pair[side].end).toMatchObject(end);
      }, patience);
    });
  }
}

function describeDials(bench: Bench): void {
  it("[TRN-5] of nobody fails with a code", async () => {
    const dialed = bench.site.unreachable.dial(new AbortController().signal);
    await expect(dialed).rejects.toMatchObject({ code: expect.stringMatching(/^HEDDLE_SESSION_/) });
  });

  it("[TRN-5] ends at once when it is aborted", async () => {
    const controller = new AbortController();
    const dialed = bench.site.unreachable.dial(controller.signal);
    const reason = new Error("no longer wanted");
    controller.abort(reason);
    const end = { code: HeddleErrorCode.sessionClosed, cause: reason };
    await expect(dialed).rejects.toMatchObject(end);
  });

  it("[TRN-5] is not begun when it was aborted before", async () => {
    const dialed = bench.site.transport.dial(AbortSignal.abort());
    await expect(dialed).rejects.toMatchObject({ code: HeddleErrorCode.sessionClosed });
  });

  it("[TRN-5] that succeeded is no longer ended by its signal", async () => {
    const controller = new AbortController();
    const accepted = bench.site.accept();
    const dialer = bench.record(await bench.site.transport.dial(controller.signal));
    const acceptor = bench.record(await accepted);
    controller.abort();
    dialer.connection.send(Uint8Array.of(1));
    await vi.waitFor(() => expect(acceptor.messages).toHaveLength(1), patience);
  });
}

/** True when a connection is congested and stays so. */
async function isStuck(connection: Connection): Promise<boolean> {
  for (let look = 0; look < 30; look++) {
    if (!connection.isCongested) return false;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return true;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function otherSide(side: TransportSide): TransportSide {
  return side === "dialer" ? "acceptor" : "dialer";
}

function hexes(messages: readonly Uint8Array[], keepsOrder: boolean): string[] {
  const list = messages.map((bytes) => Buffer.from(bytes).toString("hex"));
  return keepsOrder ? list : list.toSorted();
}
