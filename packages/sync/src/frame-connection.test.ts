import { HeddleErrorCode, type Scheduler } from "@heddle/core";
import { expect, test } from "vitest";

import type { CloseWords } from "./close-words.ts";
import { FrameConnection, type FrameCarrier } from "./frame-connection.ts";
import type { ConnectionEnd } from "./transport.ts";

// What all transports share, over a carrier that does nothing by itself. Real ones pass the contract
// of the testkit (test/integration/transports.test.ts).

class Carrier implements FrameCarrier {
  bufferedBytes = 0;
  readonly sent: Uint8Array[] = [];
  readonly calls: string[] = [];
  words: CloseWords | undefined;

  send(bytes: Uint8Array): void {
    this.sent.push(bytes);
    this.bufferedBytes += bytes.length;
  }

  close(words: CloseWords): void {
    this.words = words;
  }

  destroy(): void {
    this.calls.push("destroy");
  }

  pause(): void {
    this.calls.push("pause");
  }

  resume(): void {
    this.calls.push("resume");
  }

  consumed(bytes: number): void {
    this.calls.push(`consumed ${bytes}`);
  }
}

/** Timers that run when a test says so. */
class Timers implements Scheduler {
  tasks: (() => void)[] = [];

  after(_delayMs: number, task: () => void): () => void {
    this.tasks.push(task);
    return () => {
      this.tasks = this.tasks.filter((each) => each !== task);
    };
  }

  run(): void {
    for (const task of this.tasks.splice(0)) task();
  }
}

const limits = {
  congestedBytes: 100,
  drainedBytes: 20,
  sendBufferBytesMax: 200,
  heldBytesMax: 1_000,
};

function connected() {
  const carrier = new Carrier();
  const timers = new Timers();
  const connection = new FrameConnection(carrier, { scheduler: timers, limits });
  const events: (string | ConnectionEnd)[] = [];
  const handlers = {
    onMessage: ([first]: Uint8Array) => void events.push(`message ${first}`),
    onDrain: () => void events.push("drain"),
    onClosed: (end: ConnectionEnd) => void events.push(end),
  };
  return { carrier, timers, connection, events, handlers };
}

const gone = { closeCode: 1006, text: "" };

test("[TRN-3] congestion begins at its bound, is polled for, and ends well below it", () => {
  const { carrier, timers, connection, events, handlers } = connected();
  connection.listen(handlers);
  connection.send(new Uint8Array(99));
  expect([connection.isCongested, timers.tasks.length]).toEqual([false, 0]);
  connection.send(new Uint8Array(1));
  expect(connection.isCongested).toBe(true);
  carrier.bufferedBytes = 21;
  timers.run();
  expect([connection.isCongested, events]).toEqual([true, []]);
  carrier.bufferedBytes = 20;
  timers.run();
  expect([connection.isCongested, events, timers.tasks.length]).toEqual([false, ["drain"], 0]);
});

test("[TRN-3] what waits to be sent has a bound, and the connection ends at it", () => {
  const { carrier, timers, connection, events, handlers } = connected();
  connection.listen(handlers);
  connection.send(new Uint8Array(150));
  connection.send(new Uint8Array(51));
  expect(carrier.sent).toHaveLength(1);
  expect(carrier.words).toMatchObject({ closeCode: 1013 });
  timers.run();
  expect(carrier.calls).toContain("destroy");
  const end = { code: HeddleErrorCode.relayOverloaded, wasPolite: false };
  expect(events).toEqual([expect.objectContaining(end)]);
  expect(timers.tasks).toEqual([]);
});

test("[TRN-3] what is held for a host that has paused has a bound, however small the messages", () => {
  const { carrier, connection, handlers } = connected();
  connection.listen(handlers);
  connection.pause();
  let arrived = 0;
  while (connection.isOpen) {
    connection.received(Uint8Array.of(arrived++));
    expect(connection.heldBytes).toBeLessThanOrEqual(1_000);
  }
  expect(arrived).toBeLessThan(10);
  expect(carrier.words?.text).toMatch(/^HEDDLE_RELAY_OVERLOADED /);
  expect(connection.counters.framesDropped).toBe(arrived);
  // A goodbye can be answered only to somebody who listens.
  expect(carrier.calls).toEqual(["pause", "resume"]);
});

test("[TRN-3] a message is consumed when it was handed out, and not before", () => {
  const { carrier, connection, events, handlers } = connected();
  connection.received(new Uint8Array(5));
  expect(carrier.calls).toEqual([]);
  connection.listen({
    ...handlers,
    onMessage: (bytes) => {
      handlers.onMessage(bytes);
      connection.pause();
    },
  });
  connection.received(new Uint8Array(6));
  expect([events.length, carrier.calls]).toEqual([1, ["pause", "consumed 5"]]);
  connection.resume();
  expect(carrier.calls.slice(2)).toEqual(["resume", "pause", "consumed 6"]);
});

test("[TRN-4] a peer's messages come before its end, also to a host that had paused", () => {
  const { connection, events, handlers } = connected();
  connection.listen(handlers);
  connection.pause();
  connection.received(Uint8Array.of(1));
  connection.ended({ closeCode: 1012, text: "" }, true);
  connection.received(Uint8Array.of(2));
  expect(events).toEqual([]);
  connection.resume();
  const end = { code: HeddleErrorCode.relayDraining, wasPolite: true };
  expect(events).toEqual(["message 1", expect.objectContaining(end)]);
  expect(connection.counters.framesDropped).toBe(1);
});

test("[TRN-4] the first end counts, and is told once", () => {
  const { carrier, timers, connection, events, handlers } = connected();
  connection.listen(handlers);
  connection.close(HeddleErrorCode.storageIo, "the disk is gone");
  connection.close(HeddleErrorCode.sessionClosed);
  connection.ended({ closeCode: 4400, text: "HEDDLE_FRAME_MALFORMED" }, true);
  connection.ended(gone, false);
  connection.failed(HeddleErrorCode.sessionTimeout, "late");
  timers.run();
  const end = { code: HeddleErrorCode.storageIo, reason: "the disk is gone", wasPolite: true };
  expect(events).toEqual([expect.objectContaining(end)]);
  expect(carrier.words?.text).toBe("HEDDLE_STORAGE_IO the disk is gone");
});

test("[TRN-4] an end that comes while a message is handed out waits for it", () => {
  const { connection, events, handlers } = connected();
  connection.received(Uint8Array.of(1));
  connection.received(Uint8Array.of(2));
  connection.listen({
    ...handlers,
    onMessage: (bytes) => {
      if (bytes[0] === 1) connection.ended(gone, false);
      handlers.onMessage(bytes);
    },
  });
  expect(events.slice(0, 2)).toEqual(["message 1", "message 2"]);
  expect(events).toHaveLength(3);
});

test("[TRN-2] an empty message ends the connection, as one over the cap does", () => {
  for (const [length, code] of [
    [0, HeddleErrorCode.frameMalformed],
    [256 * 1024 + 1, HeddleErrorCode.frameTooLarge],
  ] as const) {
    const { carrier, connection, handlers } = connected();
    connection.listen(handlers);
    connection.received(new Uint8Array(length));
    expect(carrier.words?.text).toContain(code);
  }
});
