import type { DocumentId, LogBatch } from "@heddle/core";
import { expect, it } from "vitest";

import { StoreBench, type LogStoreHarness } from "./store-bench.ts";

/** What every `LogStore` owes updates that wait for what they depend on. */
export function describeParking(harness: LogStoreHarness): void {
  const bench = StoreBench.use(harness);

  it("[DOC-6] keeps parked updates, oldest first, and parks the same one once", async () => {
    const { store, notes, plans } = bench;
    const park = (byte: number, document: DocumentId = notes.id): LogBatch => {
      return { park: [{ document, update: bench.parked(byte) }] };
    };
    await store.append(park(9));
    await Promise.all([store.append(park(4)), store.append(park(9)), store.append(park(4))]);
    await store.append({ park: [...park(1).park!, ...park(4).park!, ...park(5, plans.id).park!] });
    expect(await store.readParked(notes.id)).toEqual([9, 4, 1].map((byte) => bench.parked(byte)));
    await bench.reopen();
    const bytes = [9, 4, 1].map((byte) => bench.parked(byte));
    expect(await bench.store.readParked(notes.id)).toEqual(bytes);
    expect(await bench.store.readParked(plans.id)).toEqual([bench.parked(5)]);
  });

  it("[DOC-6] releases parked updates; one that is parked again goes to the end", async () => {
    const { store, notes } = bench;
    const entry = (byte: number) => ({ document: notes.id, update: bench.parked(byte) });
    const release = (byte: number) => ({ document: notes.id, id: bench.parked(byte).id });
    await store.append({ park: [entry(1), entry(2), entry(3)] });
    await store.append({ release: [release(1), release(2), release(8)], park: [entry(1)] });
    expect(await store.readParked(notes.id)).toEqual([bench.parked(3), bench.parked(1)]);
  });
}
