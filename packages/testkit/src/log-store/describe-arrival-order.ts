import {
  encodeCheckpointVector,
  type DocumentId,
  type Envelope,
  type LaneId,
  type LogRange,
  type StoredEnvelope,
} from "@heddle/core";
import * as fc from "fast-check";
import { expect, it } from "vitest";

import { collectLogByArrival, picturedEnvelope } from "../collect-log.ts";
import type { TestWriter } from "../test-writer.ts";
import { StoreBench, type LogStoreHarness } from "./store-bench.ts";

/** What every `LogStore` owes whoever needs causes before effects (I10). */
export function describeArrivalOrder(harness: LogStoreHarness, modelRuns: number): void {
  const bench = StoreBench.use(harness);

  it("[STO-15] reads envelopes of all lanes in the order in which they arrived", async () => {
    const { store, writer, notes, plans } = bench;
    const other = await bench.openLane();
    const arrived: Envelope[] = [];
    const append = async (...envelopes: Envelope[]): Promise<void> => {
      arrived.push(...envelopes.filter(({ document }) => document === notes.id));
      await store.append({ envelopes });
    };
    await append(other.seal(notes.id), writer.seal(plans.id), writer.seal(notes.id));
    await append(writer.seal(notes.id));
    await append(other.seal(notes.id), other.seal(notes.id), writer.seal(notes.id));
    const third = await bench.openLane();
    await append(third.seal(notes.id), other.seal(notes.id));
    for (let opening = 1; opening <= 2; opening++) {
      expect(pictured(await collectLogByArrival(bench.store, notes.id))).toEqual(pictured(arrived));
      expect(await collectLogByArrival(bench.store, plans.id)).toHaveLength(1);
      await bench.reopen();
    }
  });

  it("[STO-15] reads above the given seqs, and one lane alone", async () => {
    const { store, writer, notes } = bench;
    const other = await bench.openLane();
    const arrived = Array.from({ length: 12 }, (_, index) => {
      return [writer, other, writer][index % 3]!.seal(notes.id);
    });
    await store.append({ envelopes: arrived });
    const read = async (range: LogRange) => {
      return pictured(await collectLogByArrival(store, notes.id, range));
    };
    const above = new Map([[writer.lane.id, 5]]);
    const isAbove = ({ lane, seq }: Envelope) => seq > (above.get(lane) ?? 0);
    expect(await read({ above })).toEqual(pictured(arrived.filter(isAbove)));
    const ofOther = arrived.filter(({ lane }) => lane === other.lane.id);
    expect(await read({ lane: other.lane.id })).toEqual(pictured(ofOther));
    const last = { lane: other.lane.id, above: new Map([[other.lane.id, 3]]) };
    expect(await read(last)).toEqual(pictured(ofOther.slice(3)));
    expect(await read({ above: seqsOf(arrived) })).toEqual([]);
    const beyond = new Map([...seqsOf(arrived)].map(([lane, seq]) => [lane, seq + 10]));
    expect(await read({ above: beyond })).toEqual([]);
    expect(await read({ lane: "f".repeat(32) as LaneId })).toEqual([]);
    expect(await collectLogByArrival(store, "0".repeat(32) as DocumentId)).toEqual([]);
  });

  it("[STO-15] holds what was acknowledged at its start, and nothing that came later", async () => {
    const { store, writer, notes } = bench;
    const other = await bench.openLane();
    const arrived = Array.from({ length: 3000 }, (_, index) => {
      return [writer, other][index % 2]!.seal(notes.id);
    });
    await store.append({ envelopes: arrived });
    const read: StoredEnvelope[] = [];
    for await (const chunk of store.readLogByArrival(notes.id)) {
      if (read.length === 0) await store.append({ envelopes: [other.seal(notes.id)] });
      read.push(...chunk);
    }
    expect(pictured(read)).toEqual(pictured(arrived));
    expect(await collectLogByArrival(store, notes.id)).toHaveLength(3001);
  });

  it("[STO-15] reads on from where an earlier reading stopped, through hundreds of lanes", async () => {
    const { store, notes } = bench;
    const arrived: Envelope[] = [];
    let before: TestWriter | undefined;
    for (let lane = 0; lane < 200; lane++) {
      const writer = await bench.openLane();
      const envelopes = [writer.seal(notes.id)];
      if (before) envelopes.push(before.seal(notes.id));
      envelopes.push(writer.seal(notes.id));
      await store.append({ envelopes });
      arrived.push(...envelopes);
      before = writer;
    }
    const above = new Map<LaneId, number>();
    const read: StoredEnvelope[] = [];
    for (;;) {
      const piece = await takeFrom(store.readLogByArrival(notes.id, { above }), 17);
      if (piece.length === 0) break;
      for (const { lane, seq } of piece) above.set(lane, seq);
      read.push(...piece);
      if (read.length % 5 === 0 && arrived.length < 620) {
        // What arrives between two readings comes last.
        const envelope = before!.seal(notes.id);
        await store.append({ envelopes: [envelope] });
        arrived.push(envelope);
      }
    }
    expect(pictured(read)).toEqual(pictured(arrived));
  });

  it("[STO-15] readers beside writers see whole beginnings of what was appended", async () => {
    const document = bench.freshDocument();
    await bench.store.append({ documents: [document] });
    const arrived: Envelope[] = [];
    for (let round = 0; round < 25; round++) {
      const writers = [await bench.openLane(), await bench.openLane()];
      const known = arrived.length;
      const readings = [collectLogByArrival(bench.store, document.id)];
      const appends = [0, 1, 1, 0].map((index) => {
        const envelope = writers[index]!.seal(document.id);
        arrived.push(envelope);
        readings.push(collectLogByArrival(bench.store, document.id));
        return bench.store.append({ envelopes: [envelope] });
      });
      await Promise.all(appends);
      readings.push(collectLogByArrival(bench.store, document.id));
      for (const [index, reading] of readings.entries()) {
        const read = pictured(await reading);
        expect(read).toEqual(pictured(arrived.slice(0, read.length)));
        const isLast = index === readings.length - 1;
        expect(read.length).toBeGreaterThanOrEqual(isLast ? arrived.length : known);
      }
      if (round % 6 === 5) await bench.reopen();
    }
  });

  it("[CKP-4][STO-15] reads above the floors of a pruned log, before and after what arrives then", async () => {
    const { store, writer, notes } = bench;
    const other = await bench.openLane();
    const arrived = Array.from({ length: 8 }, (_, index) => {
      return [writer, other][index % 2]!.seal(notes.id);
    });
    await store.append({ envelopes: arrived });
    expect(await collectLogByArrival(store, notes.id)).toHaveLength(8);
    const vector = new Map([...writer.vector(notes.id), ...other.vector(notes.id)]);
    const checkpoint = {
      document: notes.id,
      number: 1,
      header: Uint8Array.of(1),
      vector: encodeCheckpointVector({ vector, clients: new Map() }),
      state: Uint8Array.of(2),
    };
    await store.append({ checkpoints: [checkpoint] });
    const floors = new Map([
      [writer.lane.id, 4],
      [other.lane.id, 3],
    ]);
    await store.append({ prune: [{ document: notes.id, floors }] });
    const next = [writer.seal(notes.id), other.seal(notes.id), writer.seal(notes.id)];
    await store.append({ envelopes: next });
    const rest = pictured([arrived[7]!, ...next]);
    expect(pictured(await collectLogByArrival(store, notes.id))).toEqual(rest);
    const above = new Map([[other.lane.id, 1]]);
    await bench.reopen();
    expect(pictured(await collectLogByArrival(bench.store, notes.id, { above }))).toEqual(rest);
  });

  it("[STO-15] keeps the order of arrival through any history", async () => {
    const steps = fc.array(
      fc.record({
        lanes: fc.array(fc.nat(4), { minLength: 1, maxLength: 6 }),
        skipped: fc.array(fc.nat(6), { minLength: 5, maxLength: 5 }),
        reopen: fc.boolean(),
      }),
      { minLength: 1, maxLength: 8 },
    );
    const property = fc.asyncProperty(steps, async (history) => {
      const writers: (TestWriter | undefined)[] = [];
      const document = bench.freshDocument();
      await bench.store.append({ documents: [document] });
      const arrived: Envelope[] = [];
      for (const { lanes, skipped, reopen } of history) {
        const envelopes: Envelope[] = [];
        for (const lane of lanes) {
          writers[lane] ??= await bench.openLane();
          envelopes.push(writers[lane].seal(document.id));
        }
        const half = envelopes.length >> 1;
        await Promise.all([
          ...(half > 0 ? [bench.store.append({ envelopes: envelopes.slice(0, half) })] : []),
          bench.store.append({ envelopes: envelopes.slice(half) }),
        ]);
        arrived.push(...envelopes);
        if (reopen) await bench.reopen();
        const above = new Map(
          writers.flatMap((writer, index) => {
            return writer ? [[writer.lane.id, skipped[index]!] as const] : [];
          }),
        );
        const expected = arrived.filter(({ lane, seq }) => seq > (above.get(lane) ?? 0));
        const read = await collectLogByArrival(bench.store, document.id, { above });
        expect(pictured(read)).toEqual(pictured(expected));
      }
    });
    await fc.assert(property, { numRuns: modelRuns });
  });
}

function pictured(envelopes: readonly StoredEnvelope[]): string[] {
  return envelopes.map(picturedEnvelope);
}

function seqsOf(envelopes: readonly Envelope[]): Map<LaneId, number> {
  return new Map(envelopes.map(({ lane, seq }) => [lane, seq]));
}

async function takeFrom(
  chunks: AsyncIterable<readonly StoredEnvelope[]>,
  count: number,
): Promise<StoredEnvelope[]> {
  const taken: StoredEnvelope[] = [];
  for await (const chunk of chunks) {
    taken.push(...chunk.slice(0, count - taken.length));
    if (taken.length >= count) break;
  }
  return taken;
}
