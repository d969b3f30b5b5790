import type { Clock, Scheduler } from "@heddle/core";
import { describe, expect, it } from "vitest";

import {
  busyMax,
  CalmCollector,
  lookMs,
  restFactor,
  type ProcessReading,
} from "./calm-collector.ts";

const megabyte = 1024 * 1024;
const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** Time that moves when a test says so; there is one timer at a time. */
class ManualTime implements Clock, Scheduler {
  #nowMs = 0;
  #timer: { readonly dueMs: number; readonly task: () => void } | undefined;

  get isWaiting(): boolean {
    return this.#timer !== undefined;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, task: () => void): () => void {
    this.#timer = { dueMs: this.#nowMs + delayMs, task };
    return () => (this.#timer = undefined);
  }

  advance(byMs: number): void {
    const endMs = this.#nowMs + byMs;
    for (let timer = this.#timer; timer && timer.dueMs <= endMs; timer = this.#timer) {
      this.#timer = undefined;
      this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
      timer.task();
    }
    this.#nowMs = Math.max(this.#nowMs, endMs);
  }
}

/** A process whose memory a test sets; each collection brings it down to `aliveMb`. */
class Process {
  readonly time = new ManualTime();
  heldMb = 40;
  aliveMb = 40;
  busy = 0;
  documents = 0;
  tookMs = 0;
  collections = 0;
  readonly collector = new CalmCollector({
    clock: this.time,
    scheduler: this.time,
    logger: silent,
    read: (): ProcessReading => {
      const { heldMb, busy, documents } = this;
      return { heldBytes: heldMb * megabyte, busy, documents };
    },
    collect: () => {
      this.collections++;
      this.heldMb = this.aliveMb;
      this.time.advance(this.tookMs);
    },
  });

  looks(count: number): void {
    this.time.advance(lookMs * count);
  }
}

describe("CalmCollector", () => {
  it("collects twice when a busy time is over, and then no more", () => {
    const process = new Process();
    process.heldMb = 120;
    process.busy = busyMax * 2;
    process.looks(10);
    expect(process.collections).toBe(0);
    process.busy = 0;
    process.looks(3);
    expect(process.collections).toBe(0);
    process.looks(1);
    expect(process.collections).toBe(1);
    process.looks(1);
    expect(process.collections).toBe(2);
    process.looks(100);
    expect(process.collections).toBe(2);
  });

  it("leaves a process alone that holds little more than it always does", () => {
    const process = new Process();
    process.heldMb = 47;
    process.looks(100);
    expect(process.collections).toBe(0);
  });

  it("takes what is still in use after a collection for what has to be held", () => {
    const process = new Process();
    process.heldMb = 200;
    process.aliveMb = 150;
    process.looks(100);
    expect(process.collections).toBe(2);
    process.heldMb = 180;
    process.looks(100);
    expect(process.collections).toBe(2);
    process.heldMb = 190;
    process.looks(100);
    expect(process.collections).toBe(4);
  });

  it("collects when documents have left, whose memory the heap still holds", () => {
    const process = new Process();
    process.documents = 100;
    process.looks(100);
    expect(process.collections).toBe(0);
    for (process.documents = 100; process.documents > 50; process.documents -= 5) process.looks(1);
    expect(process.collections).toBe(0);
    process.looks(100);
    expect(process.collections).toBe(2);
    process.documents = 40;
    process.looks(100);
    expect(process.collections).toBe(2);
  });

  it("does not collect a second time when somebody has come back", () => {
    const process = new Process();
    process.heldMb = 120;
    process.looks(4);
    process.busy = 1;
    process.looks(1);
    expect(process.collections).toBe(1);
  });

  it("rests after a collection that took long", () => {
    const process = new Process();
    process.tookMs = 1_000;
    process.heldMb = 120;
    process.looks(5);
    expect(process.collections).toBe(2);
    process.heldMb = 120;
    process.looks(restFactor / (lookMs / 1_000) - 5);
    expect(process.collections).toBe(2);
    process.looks(10);
    expect(process.collections).toBeGreaterThan(2);
  });

  it("stops", () => {
    const process = new Process();
    process.collector.stop();
    expect(process.time.isWaiting).toBe(false);
  });
});
