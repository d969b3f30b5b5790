import type { HeddleErrorCode } from "@heddle/core";
import {
  FrameType,
  newConnectionCounters,
  type Connection,
  type ConnectionHandlers,
} from "@heddle/sync";
import { ManualTime } from "@heddle/testkit";
import { expect, test } from "vitest";

import { DeviceAllowance } from "./device-allowance.ts";
import { newLanCounters } from "./lan-counters.ts";
import { lanLimits } from "./lan-limits.ts";

// Goal: a paired device that floods costs what it may, over all of its connections, and no more.
// Method: connections that hand out everything at once, in virtual time.

class Flood implements Connection {
  readonly bufferedBytes = 0;
  readonly isCongested = false;
  readonly counters = newConnectionCounters();
  closedWith: HeddleErrorCode | undefined;
  isPaused = false;
  #handlers: ConnectionHandlers | undefined;

  listen(handlers: ConnectionHandlers): void {
    this.#handlers = handlers;
  }

  /** How many of them were read before it was told to wait. */
  send(bytes: Uint8Array, count = 1): number {
    let read = 0;
    while (read < count && !this.isPaused && this.closedWith === undefined) {
      this.#handlers?.onMessage(bytes);
      read++;
    }
    return read;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  close(code: HeddleErrorCode): void {
    this.closedWith = code;
  }
}

const ignore = (): void => undefined;

function bench() {
  const time = new ManualTime(0);
  const counters = newLanCounters();
  const allowance = new DeviceAllowance({ clock: time, scheduler: time }, counters);
  const connect = (): Flood => {
    const flood = new Flood();
    allowance.meter(flood).listen({ onMessage: ignore, onDrain: ignore, onClosed: ignore });
    return flood;
  };
  return { time, counters, allowance, connect };
}

test("[LAN-12] a device that sends too fast is read more slowly, and goes on later", () => {
  const { time, counters, connect } = bench();
  const flood = connect();
  const frame = new Uint8Array(256 * 1024).fill(FrameType.push);
  const most = lanLimits.deviceBytesBurst / frame.length;
  expect(flood.send(frame, 10 * most)).toBeLessThanOrEqual(most + 2);
  expect(counters.readsPaused).toBe(1);
  time.advance(1_000);
  expect(flood.isPaused).toBe(false);
  const inASecond = lanLimits.deviceBytesPerSecond / frame.length;
  expect(flood.send(frame, 10 * most)).toBeLessThanOrEqual(inASecond + 2);
});

test("[LAN-12] what it owes it owes on its next connection, too", () => {
  const { time, counters, connect } = bench();
  const frame = new Uint8Array(256 * 1024).fill(FrameType.push);
  const most = lanLimits.deviceBytesBurst / frame.length;
  let read = 0;
  for (let round = 0; round < 20; round++) read += connect().send(frame, 10 * most);
  // Each connection is read until it owes, and each of them began with nothing to spare.
  expect(read).toBeLessThanOrEqual(most + 2 + 20);
  const small = Uint8Array.of(FrameType.push);
  time.advance(60_000);
  for (let round = 0; round < 20; round++) connect().send(small, lanLimits.deviceFramesBurst);
  expect(connect().send(small, lanLimits.deviceFramesBurst)).toBeLessThan(100);
  expect(counters.readsPaused).toBeGreaterThan(20);
});

test("[LAN-12] what it asks for is counted over all of its connections, and too much ends them", () => {
  const { counters, connect } = bench();
  const [first, second] = [connect(), connect()];
  const everything = Uint8Array.of(FrameType.cursor);
  // Each may list all documents.
  const most = lanLimits.deviceAsksBurst / 1_000;
  expect(first.send(everything, 10 * most)).toBeLessThanOrEqual(most + 2);
  expect(second.send(everything, 10 * most)).toBeLessThanOrEqual(2);
  // Each new connection begins with one more, until patience ends.
  const later = Array.from({ length: 200 }, connect);
  for (const each of later) each.send(everything);
  expect(later.at(-1)!.closedWith).toBe("HEDDLE_RELAY_QUOTA");
  expect(counters.quotaClosed).toBeGreaterThan(0);
});

test("[LAN-12] it brings so many new documents an hour", () => {
  const { time, counters, allowance } = bench();
  let brought = 0;
  while (allowance.mayOpenNew()) brought++;
  expect(brought).toBe(lanLimits.deviceDocumentsPerHour);
  expect(counters.documentsPutOff).toBe(1);
  time.advance(60 * 60_000);
  expect(allowance.mayOpenNew()).toBe(true);
});
