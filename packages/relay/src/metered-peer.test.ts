import { HeddleErrorCode } from "@heddle/core";
import {
  encodeFrame,
  FrameType,
  newConnectionCounters,
  type Connection,
  type ConnectionHandlers,
} from "@heddle/sync";
import { ManualTime } from "@heddle/testkit";
import { expect, test } from "vitest";

import { AddressBook } from "./address-book.ts";
import { meteredPeer } from "./metered-peer.ts";
import { newRelayCounters } from "./relay-counters.ts";
import { defaultRelayLimits, type RelayLimits } from "./relay-limits.ts";

// Goal: a replica that asks or sends too fast is read more slowly, and loses nothing.
// Method: a connection that hands out what it holds while it is not paused, in virtual time.

class HeldConnection implements Connection {
  readonly bufferedBytes = 0;
  readonly isCongested = false;
  readonly counters = newConnectionCounters();
  isPaused = false;
  closedWith: HeddleErrorCode | undefined;
  #handlers: ConnectionHandlers | undefined;
  readonly #held: Uint8Array[] = [];

  listen(handlers: ConnectionHandlers): void {
    this.#handlers = handlers;
  }

  arrives(bytes: Uint8Array): void {
    this.#held.push(bytes);
    this.#handOut();
  }

  send(): void {}

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    this.#handOut();
  }

  close(code: HeddleErrorCode): void {
    this.closedWith = code;
    this.#handlers?.onClosed({ code, closeCode: 1013, reason: "", wasPolite: true });
  }

  #handOut(): void {
    while (!this.isPaused && !this.closedWith && this.#held.length > 0) {
      this.#handlers?.onMessage(this.#held.shift()!);
    }
  }
}

const ping = encodeFrame({ name: "ping", token: 1, sentBytes: 0 });
const pull = Uint8Array.of(FrameType.pull);
const cursor = encodeFrame({
  name: "cursor",
  incarnation: undefined,
  arrival: 0,
  check: undefined,
});

function bench(changes: Partial<RelayLimits>) {
  const time = new ManualTime(0);
  const limits = { ...defaultRelayLimits, ...changes };
  const counters = newRelayCounters();
  const addresses = new AddressBook(limits);
  addresses.enter("a", 0);
  const open = () => {
    const inner = new HeldConnection();
    const environment = { clock: time, scheduler: time };
    const meter = meteredPeer(inner, { environment, limits, counters, addresses, address: "a" });
    const heard = { count: 0, ends: 0 };
    meter.listen({
      onMessage: () => void heard.count++,
      onDrain: () => undefined,
      onClosed: () => void heard.ends++,
    });
    return { inner, meter, heard };
  };
  return { time, counters, open };
}

test("[RLY-20] frames and bytes over the rate of a connection wait for their time, all of them", () => {
  const { time, counters, open } = bench({ peerFramesPerSecond: 10, peerFramesBurst: 20 });
  const { inner, heard } = open();
  for (let count = 0; count < 100; count++) inner.arrives(ping);
  expect(heard.count).toBe(21);
  time.advance(1_000);
  expect(heard.count).toBeGreaterThanOrEqual(30);
  expect(heard.count).toBeLessThanOrEqual(32);
  time.advance(10_000);
  expect(heard.count).toBe(100);
  expect(counters.limited.get("peerFramesPerSecond")).toBe(counters.readsPaused);

  const other = bench({ peerBytesPerSecond: 1_000, peerBytesBurst: 10_000 });
  const large = other.open();
  for (let count = 0; count < 4; count++) large.inner.arrives(new Uint8Array(5_000).fill(21));
  expect(large.heard.count).toBe(3);
  other.time.advance(5_100);
  expect(large.heard.count).toBe(4);
});

test("[RLY-20] asks are counted by address: many connections share one rate", () => {
  const limits = { peerAsksPerAddressPerSecond: 10, peerAsksPerAddressBurst: 50 };
  const { time, counters, open } = bench(limits);
  const all = Array.from({ length: 5 }, open);
  for (let count = 0; count < 40; count++) for (const { inner } of all) inner.arrives(pull);
  const heard = () => all.reduce((sum, each) => sum + each.heard.count, 0);
  expect(heard()).toBeLessThanOrEqual(50 + all.length);
  time.advance(5_000);
  expect(heard()).toBeLessThanOrEqual(100 + 2 * all.length);
  expect(counters.limited.get("peerAsksPerAddressPerSecond")).toBeGreaterThan(0);
  // What asks for nothing costs none of it.
  const quiet = bench(limits).open();
  for (let count = 0; count < 200; count++) quiet.inner.arrives(ping);
  expect(quiet.heard.count).toBe(200);
});

test("[RLY-20] who owes more time than there is patience for is told to come back", () => {
  const { counters, open } = bench({ peerAsksPerAddressBurst: 1_000, rateDebtMsMax: 3_000 });
  const all = Array.from({ length: 6 }, open);
  for (const { inner } of all) inner.arrives(cursor);
  expect(all.map(({ inner }) => inner.closedWith).filter(Boolean)).toContain(
    HeddleErrorCode.relayQuota,
  );
  expect(counters.limited.get("rateDebtMsMax")).toBeGreaterThan(0);
  expect(all.map(({ heard }) => heard.ends)).toEqual(
    all.map(({ inner }) => (inner.closedWith ? 1 : 0)),
  );
});

test("[RLY-20] a host that has paused is not woken by the end of a debt, nor the other way round", () => {
  const { time, open } = bench({ peerFramesPerSecond: 10, peerFramesBurst: 1 });
  const { inner, meter, heard } = open();
  for (let count = 0; count < 3; count++) inner.arrives(ping);
  expect(heard.count).toBe(2);
  meter.pause();
  time.advance(1_000);
  expect([inner.isPaused, heard.count]).toEqual([true, 2]);
  meter.resume();
  expect([inner.isPaused, heard.count]).toEqual([false, 3]);
});
