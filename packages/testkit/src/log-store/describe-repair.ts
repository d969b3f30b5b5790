import { limits } from "@heddle/core";
import { expect, it } from "vitest";

import { collectChunks } from "../collect-log.ts";
import { testCheckpoint } from "./describe-checkpoints.ts";
import { StoreBench, type LogStoreHarness } from "./store-bench.ts";

/** What every `LogStore` owes whoever looks for damage, and writes down what was done about it. */
export function describeRepair(harness: LogStoreHarness): void {
  const bench = StoreBench.use(harness);

  it("[DRF-4] keeps the audit journal in order through a restart, and numbers no group for it", async () => {
    const { store } = bench;
    const before = await store.readLastArrival();
    const entry = Buffer.from("first");
    const done = store.append({ audit: [entry, new Uint8Array(limits.auditEntryBytesMax)] });
    entry.fill(0xee);
    await done;
    await store.append({ audit: [new Uint8Array(3)] });
    expect(await store.readLastArrival()).toBe(before);
    await bench.reopen();
    const journal = await collectChunks(bench.store.readAudit());
    expect(journal.map(({ number }) => number)).toEqual([1, 2, 3]);
    expect(Buffer.from(journal[0]!.bytes!).toString()).toBe("first");
    expect(await collectChunks(bench.store.readAudit(2))).toEqual([journal[2]]);
    await bench.store.append({ audit: [new Uint8Array(1)] });
    expect((await collectChunks(bench.store.readAudit(3))).map(({ number }) => number)).toEqual([
      4,
    ]);
  });

  it("[DRF-3] a survey of what is whole finds it whole, above floors too", async () => {
    const { store, writer, notes } = bench;
    await store.append({ envelopes: [writer.seal(notes.id), writer.seal(notes.id)] });
    const vector = writer.vector(notes.id);
    await store.append({ checkpoints: [testCheckpoint(notes, 1, vector)] });
    const floors = new Map([[writer.lane.id, 1]]);
    await store.append({ prune: [{ document: notes.id, floors }] });
    expect(await store.surveyDocument(notes.id)).toMatchObject({
      document: notes.id,
      entry: notes,
      lanes: [{ lane: writer.lane.id, floor: 1, lastSeq: 2, holes: [] }],
      checkpoints: [{ number: 1, isWhole: true }],
      isVectorLost: false,
      others: [],
    });
    const ids = await store.readDocumentIds();
    expect(ids).toContain(notes.id);
    expect(ids).toEqual(ids.toSorted());
  });

  it("[DRF-3] a log can be read up to a seq of each lane", async () => {
    const { store, writer, notes } = bench;
    const other = await bench.freshWriter();
    await store.append({ lanes: [other.lane] });
    for (let turn = 0; turn < 3; turn++) {
      await store.append({ envelopes: [writer.seal(notes.id), other.seal(notes.id)] });
    }
    const read = async (upTo: ReadonlyMap<string, number>) => {
      const range = { upTo: upTo as ReadonlyMap<typeof other.lane.id, number> };
      const stored = await collectChunks(store.readLogByArrival(notes.id, range));
      return stored.map(({ lane, seq }) => [lane === other.lane.id, seq]);
    };
    const lanes = [writer.lane.id, other.lane.id] as const;
    expect(
      await read(
        new Map([
          [lanes[0], 2],
          [lanes[1], 1],
        ]),
      ),
    ).toEqual([
      [false, 1],
      [true, 1],
      [false, 2],
    ]);
    expect(await read(new Map([[lanes[1], 9]]))).toEqual([
      [true, 1],
      [true, 2],
      [true, 3],
    ]);
  });
}
