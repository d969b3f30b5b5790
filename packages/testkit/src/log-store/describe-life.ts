import { HeddleErrorCode, type LogStoreState, type StoreId } from "@heddle/core";
import { expect, it } from "vitest";

import { collect, collectChunks, collectLog, pictureOf } from "../collect-log.ts";
import { testEnvironment } from "../test-environment.ts";
import { TestWriter } from "../test-writer.ts";
import { StoreBench, type LogStoreHarness } from "./store-bench.ts";

/** What every `LogStore` owes through closings, openings and the end of its use. */
export function describeLife(harness: LogStoreHarness): void {
  const bench = StoreBench.use(harness);

  it("[STO-1] holds everything after it was closed and opened again", async () => {
    const { store, writer, notes, plans } = bench;
    const later = await bench.openLane();
    await store.append({
      envelopes: [...(await writer.sealRun(notes.id, 3)), later.seal(plans.id)],
    });
    await store.append({ vectors: [{ document: notes.id, vector: writer.vector(notes.id) }] });
    await store.append({ park: [{ document: plans.id, update: bench.parked(2) }] });
    const before = await pictureOf(store);
    const lanes = await collect(store.readLanes());
    await bench.reopen();
    expect(await pictureOf(bench.store)).toEqual(before);
    expect(lanes).toEqual([writer.lane, later.lane]);
    expect(await collect(bench.store.readLanes())).toEqual(lanes);
    expect(await bench.store.readLane(later.lane.id)).toEqual(later.lane);
    const unknown = await TestWriter.open(testEnvironment("another device"));
    expect(await bench.store.readLane(unknown.lane.id)).toBeUndefined();
  });

  it("tells what opening found", async () => {
    const { store, writer, notes } = bench;
    expect(store.opening).toMatchObject({ created: true, lastArrival: 0 });
    expect(store.opening.incarnation).toHaveLength(16);
    const first = writer.seal(notes.id);
    const second = writer.seal(notes.id);
    // The clock reading of a store is its highest, not its latest.
    await store.append({ envelopes: [first] });
    const lastArrival = await store.append({ envelopes: [second] });
    await bench.reopen();
    const { opening, storeId } = bench.store;
    expect(storeId).toBe(store.storeId);
    expect(opening).toMatchObject({ created: false, lastArrival, lastHlc: second.hlc });
    expect(opening.incarnation).not.toEqual(store.opening.incarnation);
  });

  it("[STO-1] writes what was appended before it closes", async () => {
    const { store, writer, notes } = bench;
    const appends = [1, 2, 3].map(() => store.append({ envelopes: [writer.seal(notes.id)] }));
    const closing = store.close();
    expect(await Promise.all(appends)).toHaveLength(3);
    await closing;
    bench.store = await bench.site.open();
    expect(await collectLog(bench.store, notes.id)).toHaveLength(3);
  });

  it("[STO-5] refuses a second opener and goes on", async () => {
    const { site, store, writer, notes } = bench;
    const { storageLocked } = HeddleErrorCode;
    await expect(site.open()).rejects.toMatchObject({ code: storageLocked });
    await expect(site.open()).rejects.toMatchObject({ code: storageLocked });
    await store.append({ envelopes: [writer.seal(notes.id)] });
    await bench.reopen();
    expect(await collectLog(bench.store, notes.id)).toHaveLength(1);
  });

  it("says when its state changes, and closes once", async () => {
    const { store } = bench;
    const told: LogStoreState["name"][] = [];
    const untold: LogStoreState["name"][] = [];
    store.onStateChange(({ name }) => told.push(name));
    store.onStateChange(({ name }) => untold.push(name))();
    expect(store.state).toEqual({ name: "open" });
    await Promise.all([store.close(), store.close()]);
    await store.close();
    expect(store.state).toEqual({ name: "closed" });
    expect(told).toEqual(["closed"]);
    expect(untold).toEqual([]);
  });

  const calls: Record<string, (bench: StoreBench) => Promise<unknown>> = {
    append: ({ store, writer, notes }) => store.append({ envelopes: [writer.seal(notes.id)] }),
    readDocument: ({ store, notes }) => store.readDocument(notes.id),
    readDocuments: ({ store }) => collect(store.readDocuments()),
    readLog: ({ store, notes }) => collectLog(store, notes.id),
    readLogByArrival: ({ store, notes }) => collectChunks(store.readLogByArrival(notes.id)),
    readParked: ({ store, notes }) => store.readParked(notes.id),
    readQuarantine: ({ store, notes }) => store.readQuarantine(notes.id),
    readRecalls: ({ store, notes }) => store.readRecalls(notes.id),
    readCheckpoints: ({ store, notes }) => store.readCheckpoints(notes.id),
    readCheckpointState: ({ store, notes }) => store.readCheckpointState(notes.id, 1),
    readFloors: ({ store, notes }) => store.readFloors(notes.id),
    readAttributions: ({ store, notes }) => store.readAttributions(notes.id),
    readLastArrival: ({ store }) => store.readLastArrival(),
    readCursors: ({ store }) => store.readCursors(),
    readAcks: ({ store }) => collectChunks(store.readAcks("1a".repeat(16) as StoreId)),
    readForks: ({ store, notes }) => store.readForks(notes.id),
    readForkedDocuments: ({ store }) => collectChunks(store.readForkedDocuments()),
    readDocumentIds: ({ store }) => store.readDocumentIds(),
    surveyDocument: ({ store, notes }) => store.surveyDocument(notes.id),
    readAudit: ({ store }) => collectChunks(store.readAudit()),
    readRefused: ({ store }) => collectChunks(store.readRefused()),
    readLane: ({ store, writer }) => store.readLane(writer.lane.id),
    readLanes: ({ store }) => collect(store.readLanes()),
    readArrivals: ({ store }) => collectChunks(store.readArrivals(0)),
  };
  it.each(Object.keys(calls))("[STO-4] %s on a closed store fails with its code", async (call) => {
    await bench.store.close();
    const { storageClosed } = HeddleErrorCode;
    await expect(calls[call]!(bench)).rejects.toMatchObject({ code: storageClosed });
  });
}
