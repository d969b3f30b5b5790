import { HeddleErrorCode, type HeddleError } from "@heddle/core";
import type { AnnouncedText, Sighting } from "@heddle/sync";
import { describeDiscoveryContract, MemorySegment } from "@heddle/testkit";
import { describe, expect, test, vi } from "vitest";

import { bonjourDiscovery } from "./bonjour-discovery.ts";
import { newLanCounters } from "./lan-counters.ts";
import { lanLimits } from "./lan-limits.ts";

// Goal: discovery finds who is there, and no packet of anybody does harm.
// Method: the contract, and floods, on a segment in memory; real multicast is in test/faults/lan.test.ts.

const running = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };

describeDiscoveryContract("bonjour-service", () => {
  const segment = new MemorySegment();
  return {
    at(host) {
      const newSocket = () => segment.socketAt(host);
      return bonjourDiscovery({ clock: running, counters: newLanCounters(), newSocket });
    },
    send: (packet, host) => segment.send(packet, host),
    packets: segment.packets,
    get socketCount() {
      return segment.socketCount;
    },
  };
});

describe("a flood", () => {
  const standing = { nowMs: () => 0, monotonicMs: () => 0 };

  function watch(segment: MemorySegment, clock = standing) {
    const counters = newLanCounters();
    const seen: Sighting[] = [];
    const newSocket = () => segment.socketAt("10.0.0.1");
    const discovery = bonjourDiscovery({ clock, counters, newSocket }).start(
      { instance: "victim", port: 1, text: {} },
      { onSeen: (each) => seen.push(each), onGone: () => {}, onTrouble: () => {} },
    );
    return { counters, seen, discovery };
  }

  test("[LAN-4] of packets is taken up to a rate, and the rest is counted", async () => {
    const segment = new MemorySegment();
    const { counters, discovery } = watch(segment);
    const flood = lanLimits.packetsBurst + 600;
    for (let sent = 0; sent < flood; sent++) segment.send(Buffer.from([1, 2, 3]), "10.0.0.9");
    segment.send(Buffer.alloc(lanLimits.packetBytesMax + 1), "10.0.0.9");
    await vi.waitFor(() => {
      expect(counters.packetsTooMany).toBeGreaterThanOrEqual(600);
      expect(counters).toMatchObject({ packetsTooLarge: 1 });
      expect(counters.packetsMalformed).toBeGreaterThan(0);
    });
    await discovery.stop();
  });

  test("[LAN-4] of instances is forgotten, and counted, before it fills the memory", async () => {
    const segment = new MemorySegment();
    const { counters, discovery } = watch(segment, { nowMs: () => 0, monotonicMs: fastClock() });
    const own = new MemorySegment();
    const loud = announce(own, "x0000", { v: "1" });
    await vi.waitFor(() => expect(own.packets.length).toBeGreaterThan(1));
    const packet = own.packets.find((each) => each.includes("x0000"))!.toString("latin1");
    for (let count = 1; count < lanLimits.instancesMax + 20; count++) {
      const name = `x${String(count).padStart(4, "0")}`;
      segment.send(Buffer.from(packet.replaceAll("x0000", name), "latin1"), "10.0.0.9");
    }
    await vi.waitFor(() => {
      expect(counters.instancesForgotten).toBeGreaterThan(lanLimits.instancesMax);
    });
    await Promise.all([discovery, loud].map((each) => each.stop()));
  });

  test("[LAN-4] of instances in the name of this device is forgotten like any other", async () => {
    const segment = new MemorySegment();
    const { counters, discovery } = watch(segment, { nowMs: () => 0, monotonicMs: fastClock() });
    for (let count = 0; count < lanLimits.instancesMax + 20; count++) {
      const instance = `victim.x${count}._tcp.local`;
      const records = [pointer(instance), record(instance, 33, [0, 0, 0, 0, 0, 9, ...nameOf("x")])];
      segment.send(packetOf(0, records), "10.0.0.9");
    }
    await vi.waitFor(() => {
      expect(counters.instancesForgotten).toBeGreaterThan(lanLimits.instancesMax);
    });
    await discovery.stop();
  });

  test("[LAN-4] of records or questions in one packet is not looked at: each would be compared with each", async () => {
    const segment = new MemorySegment();
    const { counters, discovery } = watch(segment);
    const records = Array.from({ length: 33 }, (_, index) => pointer(`x${index}.local`));
    segment.send(packetOf(0, records), "10.0.0.9");
    const question = [...nameOf("_heddle._tcp.local"), 0, 12, 0, 1];
    segment.send(packetOf(33, [Array.from({ length: 33 }, () => question).flat()]), "10.0.0.9");
    await vi.waitFor(() => expect(counters.packetsTooLarge).toBe(2));
    segment.send(packetOf(0, records.slice(1)), "10.0.0.9");
    await vi.waitFor(() => expect(segment.packets.length).toBeGreaterThan(1));
    expect(counters).toMatchObject({ packetsTooLarge: 2, packetsMalformed: 0 });
    await discovery.stop();
  });

  test("[LAN-4] of text, or what cannot be shown, is nobody's", async () => {
    const segment = new MemorySegment();
    const { counters, seen, discovery } = watch(segment);
    const long = {
      a: "x".repeat(250),
      b: "x".repeat(250),
      c: "x".repeat(250),
      d: "x".repeat(250),
      e: "x".repeat(250),
    };
    const loud = [announce(segment, "long", long), announce(segment, "odd", { v: "\u001b[2J" })];
    await vi.waitFor(() => expect(counters.announcementsIgnored).toBe(2));
    expect(seen).toEqual([]);
    await Promise.all([discovery, ...loud].map((each) => each.stop()));
  });
});

test("a socket that cannot be had is said with a code", async () => {
  const troubles: HeddleError[] = [];
  const segment = new MemorySegment();
  const newSocket = () => {
    const socket = segment.socketAt("10.0.0.1");
    const taken = Object.assign(new Error("bind EADDRINUSE"), { code: "EADDRINUSE" });
    const refuse = () =>
      void setImmediate(() =>
        (socket as unknown as { emit(name: string, error: Error): void }).emit("error", taken),
      );
    return Object.assign(socket, { bind: refuse });
  };
  const discovery = bonjourDiscovery({ clock: running, counters: newLanCounters(), newSocket });
  const run = discovery.start(
    { instance: "ada", port: 1, text: {} },
    { onSeen: () => {}, onGone: () => {}, onTrouble: (error) => troubles.push(error) },
  );
  await vi.waitFor(() => {
    expect(troubles[0]).toMatchObject({ code: HeddleErrorCode.discoveryUnavailable });
  });
  await run.stop();
});

function nameOf(text: string): number[] {
  const labels = text.split(".").map((label) => String.fromCharCode(label.length) + label);
  return [...Buffer.from(`${labels.join("")}\0`)];
}

/** Of a class and a lifetime that anything may have (RFC 1035, 4.1.3). */
function record(name: string, type: number, data: readonly number[]): number[] {
  return [
    ...nameOf(name),
    0,
    type,
    0,
    1,
    0,
    0,
    0,
    120,
    data.length >> 8,
    data.length & 0xff,
    ...data,
  ];
}

/** Says that `instance` is one of a heddle device. */
function pointer(instance: string): number[] {
  return record("_heddle._tcp.local", 12, nameOf(instance));
}

/** An answer with these records, or so many questions. */
function packetOf(questions: number, parts: readonly (readonly number[])[]): Buffer {
  const answers = questions > 0 ? 0 : parts.length;
  const head = [0, 0, questions > 0 ? 0 : 0x84, 0, 0, questions, 0, answers, 0, 0, 0, 0];
  return Buffer.from([...head, ...parts.flat()]);
}

/** A second for each look: nobody is over a rate. */
function fastClock(): () => number {
  let nowMs = 0;
  return () => (nowMs += 1_000);
}

function announce(segment: MemorySegment, instance: string, text: AnnouncedText) {
  const newSocket = () => segment.socketAt("10.0.0.9");
  const loud = bonjourDiscovery({ clock: running, counters: newLanCounters(), newSocket });
  const silent = { onSeen: () => {}, onGone: () => {}, onTrouble: () => {} };
  return loud.start({ instance, port: 9, text }, silent);
}
