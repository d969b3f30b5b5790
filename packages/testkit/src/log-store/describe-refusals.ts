import type { QuarantinedUpdate, RecalledEnvelope } from "@heddle/core";
import { expect, it } from "vitest";

import { collectLog } from "../collect-log.ts";
import { StoreBench, type LogStoreHarness } from "./store-bench.ts";

/** What every `LogStore` owes what was kept away from documents. */
export function describeRefusals(harness: LogStoreHarness): void {
  const bench = StoreBench.use(harness);
  const quarantined = (byte: number, atMs = 2000 + byte): QuarantinedUpdate => {
    const { id, update, principal } = bench.parked(byte);
    const size = update.length;
    return { id, update, size, principal, reason: `over ${byte} ms`, validatorVersion: 1, atMs };
  };
  const recalled = (byte: number): RecalledEnvelope => {
    const id = byte.toString(16).padStart(2, "0").repeat(32);
    const { id: lane } = bench.writer.lane;
    return {
      id,
      lane,
      seq: byte,
      reason: "exception: odd",
      validatorVersion: 1,
      atMs: 3000 - byte,
    };
  };

  it("[REC-12] tells of which documents something was written that a reader may see", async () => {
    const { store, writer, notes, plans } = bench;
    const since = async (batch: Parameters<typeof store.append>[0]) => {
      const mark = store.moves!.mark();
      await store.append(batch);
      return store.moves!.since(mark);
    };
    const { id: document } = notes;
    const update = quarantined(4);
    expect(await since({ envelopes: [writer.seal(document)] })).toEqual([document]);
    expect(await since({ recall: [{ document, envelope: recalled(1) }] })).toEqual([document]);
    expect(await since({ quarantine: [{ document: plans.id, update }] })).toEqual([plans.id]);
    expect(await since({ park: [{ document, update: bench.parked(9) }] })).toEqual([document]);
    expect(await since({ audit: [new Uint8Array(1)] })).toEqual([]);
    const mark = store.moves!.mark();
    await bench.reopen();
    expect(bench.store.moves!.since(mark)).toBeUndefined();
  });

  it("[STO-8] keeps quarantined updates of each document by time, through a restart", async () => {
    const { store, notes, plans } = bench;
    const entry = (byte: number, document = notes.id) => {
      return { document, update: quarantined(byte) };
    };
    await store.append({ quarantine: [entry(9), entry(3)] });
    await store.append({ quarantine: [entry(5), entry(7, plans.id)] });
    const expected = [3, 5, 9].map((byte) => quarantined(byte));
    expect(await store.readQuarantine(notes.id)).toEqual(expected);
    await bench.reopen();
    expect(await bench.store.readQuarantine(notes.id)).toEqual(expected);
    expect(await bench.store.readQuarantine(plans.id)).toHaveLength(1);
    expect(await bench.store.readParked(notes.id)).toEqual([]);
  });

  it("[STO-8] keeps an update once, with its newest note", async () => {
    const { store, notes } = bench;
    const [first, second] = [quarantined(4, 10), quarantined(4, 20)];
    await store.append({ quarantine: [{ document: notes.id, update: first! }] });
    await store.append({ quarantine: [{ document: notes.id, update: second! }] });
    expect(await store.readQuarantine(notes.id)).toEqual([second]);
  });

  it("[STO-8] keeps a note without the update, and whose word released what", async () => {
    const { store, writer, notes } = bench;
    await store.append({ envelopes: [writer.seal(notes.id)] });
    const { update: _dropped, ...rest } = quarantined(4);
    const kept = { ...rest, size: 70_000, sourceTag: Uint8Array.of(1, 2) };
    const release = { atMs: 9000, by: "ada" };
    const said = { correlationId: Uint8Array.of(7, 8), editReason: Uint8Array.of(111, 107) };
    const updates = [kept, { ...quarantined(5), ...said, release }];
    const envelope = { ...recalled(1), ...said, release };
    await store.append({
      quarantine: updates.map((update) => ({ document: notes.id, update })),
      recall: [{ document: notes.id, envelope }],
    });
    await bench.reopen();
    expect(await bench.store.readQuarantine(notes.id)).toEqual(updates);
    expect(await bench.store.readRecalls(notes.id)).toEqual([envelope]);
  });

  it("[STO-8] keeps recalls beside a log that they do not change", async () => {
    const { store, writer, notes, plans } = bench;
    await store.append({ envelopes: [writer.seal(notes.id), writer.seal(notes.id)] });
    const before = await collectLog(store, notes.id);
    const recall = [2, 1].map((byte) => ({ document: notes.id, envelope: recalled(byte) }));
    await store.append({ recall });
    await bench.reopen();
    expect(await bench.store.readRecalls(notes.id)).toEqual([recalled(2), recalled(1)]);
    expect(await bench.store.readRecalls(plans.id)).toEqual([]);
    expect(await collectLog(bench.store, notes.id)).toEqual(before);
  });

  it("[STO-7] numbers groups that hold only a refusal", async () => {
    const { store, writer, notes } = bench;
    const number = await store.append({ envelopes: [writer.seal(notes.id)] });
    const recall = [{ document: notes.id, envelope: recalled(1) }];
    expect(await store.append({ recall })).toBe(number + 1);
  });
}
