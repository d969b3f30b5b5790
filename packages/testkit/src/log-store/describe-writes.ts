import { expect, it } from "vitest";

import { collect, collectLog, picturedEnvelope, picturedVector } from "../collect-log.ts";
import { testDocument, TestWriter } from "../test-writer.ts";
import { StoreBench, type LogStoreHarness } from "./store-bench.ts";

/** What every `LogStore` owes whoever writes to it and reads documents. */
export function describeReadsAndWrites(harness: LogStoreHarness): void {
  const bench = StoreBench.use(harness);

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

  it("[STO-2][STO-3] shows a document that is being made whole or not at all, and as no damage", async () => {
    const { store, writer } = bench;
    let readings = 0;
    for (let round = 0; round < 25; round++) {
      const document = bench.freshDocument();
      const envelope = writer.seal(document.id);
      const written = { isTold: false };
      const writing = store
        .append({ documents: [document], envelopes: [envelope] })
        .finally(() => (written.isTold = true));
      const read = async (): Promise<void> => {
        while (!written.isTold) {
          const stored = await store.readDocument(document.id);
          expect(stored?.id ?? document.id).toBe(document.id);
          for (const { id } of await collect(store.readDocuments())) expect(id).toBeDefined();
          readings++;
        }
      };
      await Promise.all([writing, ...Array.from({ length: 5 }, read)]);
      expect((await store.readDocument(document.id))?.dirty).toBe(true);
    }
    expect(readings).toBeGreaterThan(0);
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
