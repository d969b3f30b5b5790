import type { DocumentEntry } from "@heddle/core";
import { expect, it } from "vitest";

import { collectChunks, pictureOf } from "../collect-log.ts";
import { testDocument } from "../test-writer.ts";
import { StoreBench, type LogStoreHarness } from "./store-bench.ts";

/** What every `LogStore` owes whoever follows what arrives. */
export function describeChangeFeed(harness: LogStoreHarness): void {
  const bench = StoreBench.use(harness);

  it("[STO-7] numbers commit groups without gaps and lists every envelope once", async () => {
    const { store, writer, notes, plans } = bench;
    const order: string[] = [];
    for (let round = 0; round < 12; round++) {
      const document = round % 3 === 0 ? plans.id : notes.id;
      const envelope = writer.seal(document);
      order.push(`${document} ${writer.lane.id} ${envelope.seq}`);
      await store.append({ envelopes: [envelope] });
    }
    const arrivals = await collectChunks(store.readArrivals(0));
    expect(arrivals.map(({ number }) => number)).toEqual(arrivals.map((_, index) => index + 1));
    expect((await pictureOf(store)).arrivals).toEqual(order);
  });

  it("[STO-7] reads the feed from a cursor on", async () => {
    const { store, writer, notes } = bench;
    const numbers: number[] = [];
    for (let round = 0; round < 5; round++) {
      numbers.push(await store.append({ envelopes: [writer.seal(notes.id)] }));
      expect(await store.readLastArrival()).toBe(numbers.at(-1));
    }
    const above = await collectChunks(store.readArrivals(numbers[2]!));
    expect(above.map(({ number }) => number)).toEqual(numbers.slice(3));
    expect(await collectChunks(store.readArrivals(numbers[4]!))).toEqual([]);
    expect(await collectChunks(store.readArrivals(numbers[4]! + 10))).toEqual([]);
  });

  it("[STO-2] gives one append one number, with adjacent envelopes as one run", async () => {
    const { store, writer, notes, plans } = bench;
    const envelopes = [
      ...(await writer.sealRun(notes.id, 3)),
      writer.seal(plans.id),
      writer.seal(notes.id),
    ];
    const number = await store.append({ envelopes });
    const arrivals = await collectChunks(store.readArrivals(number - 1));
    const run = (document: DocumentEntry, fromSeq: number, toSeq: number) => {
      return { document: document.id, lane: writer.lane.id, fromSeq, toSeq };
    };
    const runs = [run(notes, 1, 3), run(plans, 1, 1), run(notes, 4, 4)];
    expect(arrivals).toEqual([{ number, runs }]);
  });

  it("[STO-7] keeps the order of concurrent appends, whose groups they may share", async () => {
    const { store, writer, notes } = bench;
    const others = [await bench.openLane(), await bench.openLane()];
    const before = (await collectChunks(store.readArrivals(0))).length;
    const envelopes = Array.from({ length: 40 }, (_, index) => {
      return [writer, ...others][index % 3]!.seal(notes.id);
    });
    const appends = envelopes.map((envelope) => store.append({ envelopes: [envelope] }));
    const numbers = await Promise.all(appends);
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    const arrivals = await collectChunks(store.readArrivals(before));
    expect(arrivals.map(({ number }) => number)).toEqual(
      Array.from({ length: numbers.at(-1)! - before }, (_, index) => before + 1 + index),
    );
    const expected = envelopes.map(({ document, lane, seq }) => `${document} ${lane} ${seq}`);
    expect((await pictureOf(store)).arrivals).toEqual(expected);
  });

  it("takes no number for vectors alone", async () => {
    const { store, writer, notes } = bench;
    const number = await store.append({ envelopes: [writer.seal(notes.id)] });
    const vector = writer.vector(notes.id);
    expect(await store.append({ vectors: [{ document: notes.id, vector }] })).toBe(number);
    expect(await collectChunks(store.readArrivals(number))).toEqual([]);
  });

  it("numbers groups that hold no envelope", async () => {
    const { store, environment, notes } = bench;
    const number = await store.append({ park: [{ document: notes.id, update: bench.parked(3) }] });
    const next = await store.append({ documents: [testDocument(environment, "third")] });
    expect(next).toBe(number + 1);
    const runs = (await collectChunks(store.readArrivals(number - 1))).map((group) => group.runs);
    expect(runs).toEqual([[], []]);
  });
}
