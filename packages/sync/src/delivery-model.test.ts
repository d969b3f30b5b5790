import { storeId, type DocumentId } from "@heddle/core";
import * as fc from "fast-check";
import { expect, test } from "vitest";

import { FixtureLane, testEntry } from "./environment.fixture.ts";
import { countingBytes } from "./frames.fixture.ts";
import { type MemoryDisk } from "./memory-disk.fixture.ts";
import { MemoryHost } from "./memory-host.fixture.ts";
import { connect, disconnect, exchange, pass } from "./memory-wire.fixture.ts";

// Goal: what is delivered and what the outbox says is what a model of a few numbers says.
// Method: a writer and a reader on a wire that loses what fast-check wants it to lose, with restarts and
// restored disks; beside them how much was written, and how much the reader's disk has.

const readerSeed = 2;
const readerStore = storeId(countingBytes(16, readerSeed));
const documentCount = 2;

/** How many envelopes were written to each document. That is all that has to be known. */
interface Model {
  readonly written: number[];
}

class Real {
  writer: MemoryHost;
  reader = new MemoryHost(readerSeed);
  backup: MemoryDisk | undefined;
  /** The lane that the present process writes to each document; a restart begins others. */
  lanes: FixtureLane[] = [];
  key = 0;
  isConnected = false;
  nextLane = 10;

  constructor() {
    this.writer = new MemoryHost(1);
  }

  async laneOf(index: number): Promise<FixtureLane> {
    const entry = testEntry(`note ${index}`);
    this.lanes[index] ??= await FixtureLane.open(this.nextLane++, entry);
    return this.lanes[index];
  }

  connect(): void {
    if (this.isConnected) return;
    this.isConnected = true;
    connect(this.writer, this.reader, ++this.key);
  }

  disconnect(): void {
    if (!this.isConnected) return;
    this.isConnected = false;
    disconnect(this.writer, this.reader, this.key);
  }

  /** What the reader's disk has of a document, and that it is a log without gaps. */
  heldOf(document: DocumentId): number {
    return this.reader.disk.documents.get(document)?.log.length ?? 0;
  }

  check(model: Model): void {
    const sizes = this.writer.replication.outboxTo(readerStore);
    for (const [index, written] of model.written.entries()) {
      const { id } = testEntry(`note ${index}`);
      const held = this.heldOf(id);
      const waiting = sizes.get(id)?.count ?? 0;
      expect(held).toBeLessThanOrEqual(written);
      expect(waiting).toBeLessThanOrEqual(written);
      // The outbox may not know yet that something arrived; that it did and had not it may never say.
      if (!this.isRestored) expect(waiting).toBeGreaterThanOrEqual(written - held);
    }
  }

  restores = 0;
  /** The reader's disk is an older one, and it has not said so yet. */
  isRestored = false;
}

type Command = fc.AsyncCommand<Model, Real>;

/** A command that is always possible, after which everything is compared. */
function command(name: string, run: (model: Model, real: Real) => Promise<void>): Command {
  return {
    check: () => true,
    async run(model, real) {
      await run(model, real);
      real.check(model);
    },
    toString: () => name,
  };
}

const write = fc
  .record({ index: fc.nat({ max: documentCount - 1 }), count: fc.integer({ min: 1, max: 4 }) })
  .map(({ index, count }) => {
    return command(`write ${count} to ${index}`, async (model, real) => {
      const lane = await real.laneOf(index);
      await real.writer.write(lane, count);
      model.written[index]! += count;
    });
  });

/** One frame of so many is lost, or none. */
const talk = fc
  .record({ lostEvery: fc.constantFrom(0, 2, 3, 5), seconds: fc.integer({ min: 1, max: 4 }) })
  .map(({ lostEvery, seconds }) => {
    return command(`talk ${seconds} s, 1 of ${lostEvery} lost`, async (_model, real) => {
      let count = 0;
      // Irregular: in step with a question and its answer the same frame would be lost for ever.
      const passes = () => {
        return lostEvery === 0 || (Math.imul(++count, 0x9e3779b1) >>> 16) % lostEvery !== 0;
      };
      await pass(real.writer, real.reader, seconds * 1_000, passes);
      const { isSettled } = real.writer.replication;
      if (real.isConnected && lostEvery === 0 && isSettled) real.isRestored = false;
    });
  });

const others = fc.constantFrom(
  command("connect", async (_model, real) => real.connect()),
  command("disconnect", async (_model, real) => real.disconnect()),
  command("restart the writer", async (_model, real) => {
    real.disconnect();
    const { nowMs, disk } = real.writer;
    real.writer = new MemoryHost(1, {}, disk);
    real.writer.nowMs = nowMs;
    real.lanes = [];
  }),
  command("restart the reader", async (_model, real) => {
    real.disconnect();
    const { nowMs, disk } = real.reader;
    real.reader = new MemoryHost(readerSeed, {}, disk);
    real.reader.nowMs = nowMs;
  }),
  command("back the reader up", async (_model, real) => {
    real.backup = real.reader.disk.clone();
  }),
  command("restore the reader", async (_model, real) => {
    if (!real.backup) return;
    real.disconnect();
    const { nowMs } = real.reader;
    real.reader = new MemoryHost(readerSeed, {}, real.backup.clone());
    real.reader.nowMs = nowMs;
    real.isRestored = true;
    real.restores++;
  }),
);

test("[WIR-8, WIR-18] delivery and outbox are what the model says, after whatever happened", async () => {
  let restored = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.commands([write, write, talk, others], { maxCommands: 40, size: "max" }),
      async (all) => {
        const model: Model = { written: Array.from({ length: documentCount }, () => 0) };
        const real = new Real();
        await fc.asyncModelRun(() => ({ model, real }), all);
        // A sound wire at the end: everything arrives, and it is known.
        real.disconnect();
        real.connect();
        await exchange(real.writer, real.reader);
        await pass(real.writer, real.reader, 70_000);
        if (real.restores > 0) restored++;
        for (const [index, written] of model.written.entries()) {
          expect(real.heldOf(testEntry(`note ${index}`).id)).toBe(written);
        }
        expect(real.writer.replication.outboxTo(readerStore)).toEqual(new Map());
        expect(real.writer.replication.isSettled).toBe(true);
      },
    ),
    { numRuns: 120 },
  );
  expect(restored).toBeGreaterThan(5);
}, 300_000);
