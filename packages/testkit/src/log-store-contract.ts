import {
  HeddleErrorCode,
  type DocumentEntry,
  type DocumentId,
  type LogBatch,
  type LogStore,
  type LogStoreState,
  type ParkedUpdate,
  type QuarantinedUpdate,
  type RecalledEnvelope,
} from "@heddle/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { describeCheckpoints } from "./checkpoint-contract.ts";
import {
  collect,
  collectChunks,
  collectLog,
  pictureOf,
  picturedEnvelope,
  picturedVector,
} from "./collect-log.ts";
import { describeLogStoreModel } from "./log-store-model.ts";
import { testEnvironment, type TestEnvironment } from "./test-environment.ts";
import { testDocument, TestWriter } from "./test-writer.ts";

/** One place that a store can be opened on, closed and opened again: a folder, a disk in memory. */
export interface LogStoreSite {
  open(): Promise<LogStore>;
  /** Removes what the site holds. Every store of it is closed. */
  dispose(): Promise<void>;
}

export type LogStoreHarness = (environment: TestEnvironment) => Promise<LogStoreSite>;

export interface LogStoreContractOptions {
  /** How many random histories the model test tries. */
  readonly modelRuns?: number;
}

/** What every `LogStore` owes (docs/guarantees.md, STO and LOG). Run it, do not copy it. */
export function describeLogStoreContract(
  name: string,
  harness: LogStoreHarness,
  { modelRuns = 30 }: LogStoreContractOptions = {},
): void {
  describe(`LogStore contract: ${name}`, () => {
    describe("writing and reading", () => describeReadsAndWrites(harness));
    describe("refusals", () => describeRefusals(harness));
    describe("change feed", () => describeChangeFeed(harness));
    describe("checkpoints", () => describeCheckpoints(harness));
    describe("life of a store", () => describeLife(harness));
    describeLogStoreModel(harness, modelRuns);
  });
}

/** A store on a fresh site with two documents and one lane, all of them appended. */
class Bench {
  readonly environment = testEnvironment();
  readonly notes = testDocument(this.environment, "notes");
  readonly plans = testDocument(this.environment, "plans");
  site!: LogStoreSite;
  store!: LogStore;
  writer!: TestWriter;

  static use(harness: LogStoreHarness): Bench {
    const bench = new Bench();
    beforeEach(async () => {
      bench.site = await harness(bench.environment);
      bench.store = await bench.site.open();
      bench.writer = await TestWriter.open(bench.environment);
      const documents = [bench.notes, bench.plans];
      await bench.store.append({ lanes: [bench.writer.lane], documents });
    });
    afterEach(async () => {
      await bench.store.close();
      await bench.site.dispose();
    });
    return bench;
  }

  async reopen(): Promise<void> {
    await this.store.close();
    this.store = await this.site.open();
  }

  async openLane(): Promise<TestWriter> {
    const writer = await TestWriter.open(this.environment);
    await this.store.append({ lanes: [writer.lane] });
    return writer;
  }

  parked(byte: number): ParkedUpdate {
    const update = Uint8Array.of(byte, 1, 2);
    const id = byte.toString(16).padStart(2, "0").repeat(16);
    return { id, update, parkedAtMs: 1000 + byte, principal: Uint8Array.of(0x61, byte) };
  }
}

function describeReadsAndWrites(harness: LogStoreHarness): void {
  const bench = Bench.use(harness);

  it("[STO-1][LOG-1] reads back the envelopes of a lane in the order of their seqs", async () => {
    const { store, writer, notes } = bench;
    const run = await writer.sealRun(notes.id, 3);
    await store.append({ envelopes: run.slice(0, 2) });
    await store.append({ envelopes: run.slice(2) });
    const log = await collectLog(store, notes.id);
    expect(log.map(picturedEnvelope)).toEqual(run.map(picturedEnvelope));
  });

  it("[LOG-1] reads lane after lane in the order of their opening, each document apart", async () => {
    const { store, writer, notes, plans } = bench;
    const later = await bench.openLane();
    const [a1, b1, a2] = [writer.seal(notes.id), later.seal(notes.id), writer.seal(notes.id)];
    const elsewhere = later.seal(plans.id);
    await store.append({ envelopes: [b1, elsewhere, a1, a2] });
    const log = await collectLog(store, notes.id);
    expect(log.map(picturedEnvelope)).toEqual([a1, a2, b1].map(picturedEnvelope));
    expect(await collectLog(store, plans.id)).toHaveLength(1);
  });

  it("[LOG-1] reads only above the given positions", async () => {
    const { store, writer, notes } = bench;
    const later = await bench.openLane();
    const first = await writer.sealRun(notes.id, 4);
    const second = await later.sealRun(notes.id, 2);
    await store.append({ envelopes: [...first, ...second] });
    const stranger = await TestWriter.open(bench.environment);
    stranger.seal(notes.id);
    const above = new Map([
      [writer.lane.id, { seq: 3, head: first[2]!.id }],
      ...stranger.vector(notes.id),
    ]);
    const rest = [first[3]!, ...second].map(picturedEnvelope);
    expect((await collectLog(store, notes.id, above)).map(picturedEnvelope)).toEqual(rest);
    const all = new Map([...writer.vector(notes.id), ...later.vector(notes.id)]);
    expect(await collectLog(store, notes.id, all)).toEqual([]);
  });

  it("reads an unknown document as nothing", async () => {
    const { store, environment } = bench;
    const { id } = testDocument(environment, "never opened");
    expect(await store.readDocument(id)).toBeUndefined();
    expect(await collectLog(store, id)).toEqual([]);
    expect(await store.readParked(id)).toEqual([]);
  });

  it("reads documents in the order of their ids, however many", async () => {
    const { store, environment, notes, plans } = bench;
    const names = Array.from({ length: 2500 }, (_, index) => `document ${index}`);
    const documents = names.map((name) => testDocument(environment, name));
    await store.append({ documents });
    const read = await collect(store.readDocuments());
    const ids = [notes, plans, ...documents].map(({ id }) => id).toSorted();
    expect(read.map(({ id }) => id)).toEqual(ids);
    expect(await store.readDocument(documents[7]!.id)).toEqual({
      ...documents[7],
      vector: new Map(),
      dirty: false,
    });
  });

  it("takes the later entry of a document", async () => {
    const { store, notes } = bench;
    const createdAt = { wallMs: 77, counter: 5 };
    await store.append({ documents: [{ ...notes, createdAt }] });
    expect(await store.readDocument(notes.id)).toMatchObject({ name: "notes", createdAt });
  });

  it("counts a document as dirty from its first envelope until its vector is kept", async () => {
    const { store, writer, notes } = bench;
    const isDirty = async () => (await store.readDocument(notes.id))?.dirty;
    expect(await isDirty()).toBe(false);
    await store.append({ envelopes: [writer.seal(notes.id)] });
    expect(await isDirty()).toBe(true);
    const vector = writer.vector(notes.id);
    await store.append({ vectors: [{ document: notes.id, vector }] });
    const kept = await store.readDocument(notes.id);
    expect(kept?.dirty).toBe(false);
    expect(await store.readDirtyDocuments()).toEqual([]);
    expect(picturedVector(kept?.vector ?? new Map())).toEqual(picturedVector(vector));
    await store.append({ envelopes: [writer.seal(notes.id)] });
    expect(await isDirty()).toBe(true);
    await bench.reopen();
    expect((await bench.store.readDocument(notes.id))?.dirty).toBe(true);
    expect(await bench.store.readDirtyDocuments()).toEqual([notes.id]);
    expect(await bench.store.countDocuments()).toBe(2);
  });

  it("keeps the last of several vectors, also next to the envelopes that it covers", async () => {
    const { store, writer, notes } = bench;
    const later = await bench.openLane();
    const envelopes = [writer.seal(notes.id)];
    const early = writer.vector(notes.id);
    envelopes.push(writer.seal(notes.id), later.seal(notes.id));
    const vector = new Map([...writer.vector(notes.id), ...later.vector(notes.id)]);
    await store.append({ envelopes, vectors: [{ document: notes.id, vector: early }] });
    await Promise.all([
      store.append({ vectors: [{ document: notes.id, vector: early }] }),
      store.append({ vectors: [{ document: notes.id, vector }] }),
    ]);
    await bench.reopen();
    const kept = await bench.store.readDocument(notes.id);
    expect(kept?.dirty).toBe(false);
    expect(picturedVector(kept?.vector ?? new Map())).toEqual(picturedVector(vector));
  });

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

  it("[STO-1] keeps a payload of 1 MiB and many small ones", async () => {
    const { writer, notes, plans } = bench;
    const payload = bench.environment.random.bytes(1024 * 1024);
    const large = writer.seal(plans.id, payload);
    const small = Array.from({ length: 2500 }, () => writer.seal(notes.id));
    await Promise.all([
      bench.store.append({ envelopes: [large] }),
      bench.store.append({ envelopes: small }),
    ]);
    await bench.reopen();
    const [read] = await collectLog(bench.store, plans.id);
    expect(picturedEnvelope(read!)).toBe(picturedEnvelope(large));
    const log = await collectLog(bench.store, notes.id);
    expect(log.map(({ seq }) => seq)).toEqual(small.map(({ seq }) => seq));
  });

  it("[STO-3] shares no memory with its caller, whatever kind of array that uses", async () => {
    const { store, writer, notes } = bench;
    const sealed = writer.seal(notes.id, Uint8Array.of(1, 2, 3));
    const envelope = { ...sealed, bytes: Buffer.from(sealed.bytes) };
    const before = picturedEnvelope(envelope);
    const parked = { ...bench.parked(6), update: Buffer.from(bench.parked(6).update) };
    const head = Buffer.from(sealed.id);
    const vector = new Map([[writer.lane.id, { seq: 1, head }]]);
    const kept = picturedVector(vector);
    const done = store.append({
      envelopes: [envelope],
      vectors: [{ document: notes.id, vector }],
      park: [{ document: notes.id, update: parked }],
    });
    for (const bytes of [envelope.bytes, parked.update, head]) bytes.fill(0xee);
    await done;
    // The second reading must not see what was done to the first.
    for (let reading = 1; reading <= 2; reading++) {
      const [read] = await collectLog(store, notes.id);
      const document = await store.readDocument(notes.id);
      const [readParked] = await store.readParked(notes.id);
      expect(picturedEnvelope(read!)).toBe(before);
      expect(picturedVector(document!.vector)).toEqual(kept);
      expect(readParked).toEqual(bench.parked(6));
      const position = document!.vector.get(writer.lane.id)!;
      for (const bytes of [read!.bytes, position.head, readParked!.update]) {
        expect(bytes.constructor).toBe(Uint8Array);
        bytes.fill(0xdd);
      }
    }
  });
}

function describeRefusals(harness: LogStoreHarness): void {
  const bench = Bench.use(harness);
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
    const updates = [kept, { ...quarantined(5), release }];
    const envelope = { ...recalled(1), release };
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

function describeChangeFeed(harness: LogStoreHarness): void {
  const bench = Bench.use(harness);

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

function describeLife(harness: LogStoreHarness): void {
  const bench = Bench.use(harness);

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

  const calls: Record<string, (bench: Bench) => Promise<unknown>> = {
    append: ({ store, writer, notes }) => store.append({ envelopes: [writer.seal(notes.id)] }),
    readDocument: ({ store, notes }) => store.readDocument(notes.id),
    readDocuments: ({ store }) => collect(store.readDocuments()),
    readLog: ({ store, notes }) => collectLog(store, notes.id),
    readParked: ({ store, notes }) => store.readParked(notes.id),
    readQuarantine: ({ store, notes }) => store.readQuarantine(notes.id),
    readRecalls: ({ store, notes }) => store.readRecalls(notes.id),
    readCheckpoints: ({ store, notes }) => store.readCheckpoints(notes.id),
    readCheckpointState: ({ store, notes }) => store.readCheckpointState(notes.id, 1),
    readFloors: ({ store, notes }) => store.readFloors(notes.id),
    readAttributions: ({ store, notes }) => store.readAttributions(notes.id),
    readLanes: ({ store }) => collect(store.readLanes()),
    readArrivals: ({ store }) => collectChunks(store.readArrivals(0)),
  };
  it.each(Object.keys(calls))("[STO-4] %s on a closed store fails with its code", async (call) => {
    await bench.store.close();
    const { storageClosed } = HeddleErrorCode;
    await expect(calls[call]!(bench)).rejects.toMatchObject({ code: storageClosed });
  });
}
