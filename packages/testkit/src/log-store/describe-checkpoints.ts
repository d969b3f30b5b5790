import {
  encodeCheckpointVector,
  laneId,
  type Attribution,
  type Checkpoint,
  type DocumentEntry,
  type LaneId,
  type LogStore,
  type VersionVector,
} from "@heddle/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import {
  collect,
  collectChunks,
  collectLog,
  collectLogByArrival,
  pictureOf,
  picturedEnvelope,
} from "../collect-log.ts";
import type { LogStoreHarness, LogStoreSite } from "./store-bench.ts";
import { testEnvironment } from "../test-environment.ts";
import { testDocument, TestWriter } from "../test-writer.ts";

/** A checkpoint of `document` that covers `vector`; stores do not look into header and state. */
export function testCheckpoint(
  document: DocumentEntry,
  number: number,
  vector: VersionVector,
  stateBytes = 200_000,
): Checkpoint {
  return {
    document: document.id,
    number,
    header: Uint8Array.of(1, 1, number),
    vector: encodeCheckpointVector({ vector, clients: new Map() }),
    state: Uint8Array.from({ length: stateBytes }, (_, index) => (index * number) % 251),
  };
}

/** What every `LogStore` owes where checkpoints are added and logs are pruned below them. */
export function describeCheckpoints(harness: LogStoreHarness): void {
  const environment = testEnvironment("checkpoints");
  const notes = testDocument(environment, "notes");
  const plans = testDocument(environment, "plans");
  let site: LogStoreSite;
  let store: LogStore;
  let early: TestWriter;
  let late: TestWriter;

  beforeEach(async () => {
    site = await harness(environment);
    store = await site.open();
    early = await TestWriter.open(environment);
    late = await TestWriter.open(environment);
    await store.append({ lanes: [early.lane, late.lane], documents: [notes, plans] });
  });
  afterEach(async () => {
    await store.close();
    await site.dispose();
  });

  const reopen = async (): Promise<void> => {
    await store.close();
    store = await site.open();
  };
  const write = async (writer: TestWriter, document: DocumentEntry, count: number) => {
    for (let index = 0; index < count; index++) {
      await store.append({ envelopes: [writer.seal(document.id)] });
    }
  };
  const vector = (): VersionVector => {
    return new Map([...early.vector(notes.id), ...late.vector(notes.id)]);
  };
  const firstOfFeed = async (): Promise<number | undefined> => {
    return (await collectChunks(store.readArrivals(0)))[0]?.number;
  };

  it("[CKP-1] keeps checkpoints whole, newest first, through a restart", async () => {
    await write(early, notes, 3);
    const first = testCheckpoint(notes, 1, vector());
    await write(late, notes, 2);
    const second = testCheckpoint(notes, 2, vector(), 0);
    await store.append({ checkpoints: [first] });
    await store.append({ checkpoints: [second] });
    await reopen();
    const heads = [second, first].map(({ document, number, header, vector: chunks }) => {
      return { document, number, header, vector: chunks };
    });
    expect(await store.readCheckpoints(notes.id)).toEqual(heads);
    expect(await store.readCheckpointState(notes.id, 1)).toEqual(first.state);
    expect(await store.readCheckpointState(notes.id, 2)).toEqual(new Uint8Array());
    expect(await store.readCheckpoints(plans.id)).toEqual([]);
    await expect(store.readCheckpointState(notes.id, 3)).rejects.toThrow("missing");
  });

  it("[CKP-1] changes nothing in the log when a checkpoint is added", async () => {
    await write(early, notes, 3);
    const before = await pictureOf(store);
    await store.append({ checkpoints: [testCheckpoint(notes, 1, vector())] });
    expect(await pictureOf(store)).toEqual(before);
    expect(await store.readFloors(notes.id)).toEqual(new Map());
  });

  it("[CKP-4] drops exactly what it is told, and goes on above", async () => {
    await write(early, notes, 4);
    await write(late, notes, 2);
    await write(early, plans, 2);
    await store.append({ checkpoints: [testCheckpoint(notes, 1, vector())] });
    const [, , third, fourth, ...lates] = await collectLog(store, notes.id);
    const kept = [third, fourth, ...lates].map((envelope) => picturedEnvelope(envelope!));
    await store.append({ prune: [{ document: notes.id, floors: floors([early, 2]) }] });
    for (let opening = 1; opening <= 2; opening++) {
      expect((await collectLog(store, notes.id)).map(picturedEnvelope)).toEqual(kept);
      expect(await collectLog(store, plans.id)).toHaveLength(2);
      expect(await store.readFloors(notes.id)).toEqual(floors([early, 2]));
      await reopen();
    }
    const next = early.seal(notes.id);
    await store.append({ envelopes: [next] });
    const above = await collectLog(store, notes.id, vector());
    expect(above).toEqual([]);
    const all = (await collectLog(store, notes.id)).map(({ lane, seq }) => [lane, seq]);
    expect(all.filter(([lane]) => lane === early.lane.id).map(([, seq]) => seq)).toEqual([3, 4, 5]);
  });

  it("[CKP-4] reads above positions that lie below a floor as above the floor", async () => {
    await write(early, notes, 4);
    const [head] = await collectLog(store, notes.id);
    await store.append({ checkpoints: [testCheckpoint(notes, 1, vector())] });
    await store.append({ prune: [{ document: notes.id, floors: floors([early, 3]) }] });
    const above = new Map([[early.lane.id, { seq: 1, head: head!.bytes.slice(0, 32) }]]);
    expect((await collectLog(store, notes.id, above)).map(({ seq }) => seq)).toEqual([4]);
  });

  it("[CKP-5] refuses a floor above the newest checkpoint, or below the last floor", async () => {
    const prune = (seq: number) => {
      return store.append({ prune: [{ document: notes.id, floors: floors([early, seq]) }] });
    };
    await write(early, notes, 5);
    await expect(prune(1)).rejects.toThrow("below a checkpoint");
    const covered = new Map([[early.lane.id, { seq: 3, head: new Uint8Array(32) }]]);
    await store.append({ checkpoints: [testCheckpoint(notes, 1, covered)] });
    await expect(prune(4)).rejects.toThrow("above a checkpoint");
    await prune(3);
    await expect(prune(2)).rejects.toThrow("never falls");
    expect(store.state).toEqual({ name: "open" });
    expect(await collectLog(store, notes.id)).toHaveLength(2);
  });

  it("[CKP-4] drops older checkpoints, never the newest", async () => {
    await write(early, notes, 2);
    for (const number of [1, 2, 3]) {
      await store.append({ checkpoints: [testCheckpoint(notes, number, vector())] });
    }
    const below = (checkpointsBelow: number) => {
      const none = new Map<LaneId, number>();
      return store.append({ prune: [{ document: notes.id, floors: none, checkpointsBelow }] });
    };
    const numbers = async () => {
      return (await store.readCheckpoints(notes.id)).map(({ number }) => number);
    };
    await below(2);
    expect(await numbers()).toEqual([3, 2]);
    await below(99);
    expect(await numbers()).toEqual([3]);
    await expect(store.readCheckpointState(notes.id, 1)).rejects.toThrow("missing");
    expect(await store.readCheckpointState(notes.id, 3)).toHaveLength(200_000);
  });

  it("[CKP-6] keeps attributions in the order of their lanes, and replaces what is joined", async () => {
    await write(early, notes, 4);
    await write(late, notes, 1);
    await store.append({ checkpoints: [testCheckpoint(notes, 1, vector())] });
    const all = floors([early, 4], [late, 1]);
    const attributions = [attribution(late, 1), attribution(early, 3), attribution(early, 1)];
    await store.append({ prune: [{ document: notes.id, floors: all, attributions }] });
    const inOrder = [attribution(early, 1), attribution(early, 3), attribution(late, 1)];
    expect(await store.readAttributions(notes.id)).toEqual(inOrder);
    const { principal: _p, correlationId: _c, reason: _r, ...plain } = attribution(early, 1);
    const joined = { ...plain, toSeq: 3, envelopes: 2, isJoined: true, clients: new Map() };
    const forget = [attribution(early, 1), attribution(early, 3)];
    const step = { document: notes.id, floors: all, forget, attributions: [joined] };
    await store.append({ prune: [step] });
    await reopen();
    expect(await store.readAttributions(notes.id)).toEqual([joined, attribution(late, 1)]);
    expect(await store.readAttributions(plans.id)).toEqual([]);
  });

  it("[CKP-4] shortens the feed by groups of which nothing is left, and numbers on", async () => {
    await write(early, notes, 3);
    await write(early, plans, 1);
    const last = await store.append({ envelopes: [early.seal(notes.id)] });
    await store.append({ checkpoints: [testCheckpoint(notes, 1, vector())] });
    await store.append({ prune: [{ document: notes.id, floors: floors([early, 4]) }] });
    // Group 1 opened lanes and documents, 2 to 4 are gone, 5 holds an envelope of the other document.
    expect(await firstOfFeed()).toBe(5);
    await reopen();
    expect(store.opening.lastArrival).toBe(last);
    expect(await firstOfFeed()).toBe(5);
    expect(await store.append({ envelopes: [late.seal(notes.id)] })).toBe(last + 1);
    await reopen();
    expect((await collectChunks(store.readArrivals(last))).map(({ number }) => number)).toEqual([
      last + 1,
    ]);
  });

  describe("a checkpoint that is adopted", () => {
    const stranger = laneId(new Uint8Array(16).fill(9));
    const head = new Uint8Array(32).fill(7);
    const adoption = (
      document: DocumentEntry,
      number: number,
      seqs: readonly (readonly [LaneId, number])[],
      raised = seqs.map(([lane]) => lane),
    ) => {
      const covered = new Map(seqs.map(([lane, seq]) => [lane, { seq, head }]));
      const checkpoint = testCheckpoint(document, number, covered);
      const begins = new Map(raised.map((lane) => [lane, covered.get(lane)!.seq]));
      return { document: document.id, checkpoint, floors: begins };
    };

    it("[CKP-12] stands for what never came, in lanes that are known and that are not", async () => {
      await write(early, notes, 3);
      await write(late, notes, 2);
      const before = await store.readLastArrival();
      const covered = [
        [early.lane.id, 70_000],
        [late.lane.id, 1],
        [stranger, 2 ** 40],
      ] as const;
      const raised = [early.lane.id, stranger];
      const number = await store.append({ adopt: [adoption(notes, 1, covered, raised)] });
      expect(number).toBe(before + 1);
      for (let opening = 1; opening <= 2; opening++) {
        const log = (await collectLog(store, notes.id)).map(({ lane, seq }) => [lane, seq]);
        const left = [1, 2].map((seq) => [late.lane.id, seq]);
        expect(log).toEqual(left);
        const arrived = await collectLogByArrival(store, notes.id);
        expect(arrived.map(({ lane, seq }) => [lane, seq])).toEqual(left);
        const begins = new Map([covered[0], covered[2]]);
        expect(await store.readFloors(notes.id)).toEqual(begins);
        expect((await store.readCheckpoints(notes.id)).map((one) => one.number)).toEqual([1]);
        expect(await store.readCheckpointState(notes.id, 1)).toHaveLength(200_000);
        expect((await store.readDocument(notes.id))?.dirty).toBe(true);
        expect(await store.readLane(stranger)).toBeUndefined();
        const lanes = await collect(store.readLanes());
        expect(lanes.map(({ id }) => id)).toEqual([early.lane.id, late.lane.id]);
        await reopen();
      }
      const feed = await collectChunks(store.readArrivals(before));
      expect(feed).toEqual([
        {
          number,
          runs: [
            { document: notes.id, lane: early.lane.id, fromSeq: 70_000, toSeq: 70_000 },
            { document: notes.id, lane: stranger, fromSeq: 2 ** 40, toSeq: 2 ** 40 },
          ],
        },
      ]);
    });

    it("[CKP-12] goes on with the envelopes above it, and learns the lane from them", async () => {
      const third = await TestWriter.open(environment);
      await store.append({ adopt: [adoption(plans, 1, [[third.lane.id, 2]])] });
      await reopen();
      third.seal(plans.id);
      third.seal(plans.id);
      const next = third.seal(plans.id);
      await store.append({ lanes: [third.lane], envelopes: [next] });
      await store.append({ lanes: [third.lane], envelopes: [third.seal(plans.id)] });
      for (let opening = 1; opening <= 2; opening++) {
        expect((await store.readLane(third.lane.id))?.bytes).toEqual(third.lane.bytes);
        const lanes = await collect(store.readLanes());
        expect(lanes.map(({ id }) => id)).toEqual([early, late, third].map(({ lane }) => lane.id));
        expect((await collectLog(store, plans.id)).map(({ seq }) => seq)).toEqual([3, 4]);
        await reopen();
      }
      await store.append({ vectors: [{ document: plans.id, vector: third.vector(plans.id) }] });
      await reopen();
      expect((await store.readDocument(plans.id))?.dirty).toBe(false);
    });

    it("[CKP-12] makes a document, and keeps what its attributions say of what went", async () => {
      const fresh = testDocument(environment, "fresh");
      const { floors: begins, ...rest } = adoption(fresh, 1, [[stranger, 5]]);
      const said = [{ ...attribution(early, 1), lane: stranger }];
      const adopted = { ...rest, floors: begins, attributions: said };
      await store.append({ documents: [fresh], adopt: [adopted] });
      await reopen();
      expect(await store.readDocument(fresh.id)).toMatchObject({ name: fresh.name, dirty: true });
      expect(await store.readFloors(fresh.id)).toEqual(new Map([[stranger, 5]]));
      expect(await store.readAttributions(fresh.id)).toEqual(said);
    });

    it("[CKP-5] is refused when it does not reach a floor, or would not be the newest", async () => {
      await write(early, notes, 4);
      await store.append({ checkpoints: [testCheckpoint(notes, 3, vector())] });
      await store.append({ prune: [{ document: notes.id, floors: floors([early, 3]) }] });
      const adopt = (number: number, seqs: readonly (readonly [LaneId, number])[]) => {
        return store.append({ adopt: [adoption(notes, number, seqs)] });
      };
      await expect(adopt(4, [[early.lane.id, 2]])).rejects.toThrow("reaches all floors");
      await expect(adopt(4, [[stranger, 2]])).rejects.toThrow("reaches all floors");
      await expect(adopt(3, [[early.lane.id, 9]])).rejects.toThrow("the newest");
      const { floors: _, ...rest } = adoption(notes, 4, [[early.lane.id, 9]]);
      const lower = { ...rest, floors: floors([early, 8]) };
      await expect(store.append({ adopt: [lower] })).rejects.toThrow("above what is adopted");
      expect(store.state).toEqual({ name: "open" });
      expect(await collectLog(store, notes.id)).toHaveLength(1);
      await adopt(4, [[early.lane.id, 9]]);
      expect(await collectLog(store, notes.id)).toEqual([]);
    });
  });

  it("keeps whether a document keeps its history", async () => {
    await store.append({ documents: [{ ...notes, history: "prune" }] });
    await store.append({ documents: [{ ...plans, history: "keep" }] });
    await reopen();
    expect((await store.readDocument(notes.id))?.history).toBe("prune");
    expect((await store.readDocument(plans.id))?.history).toBe("keep");
  });
}

function floors(...entries: [TestWriter, number][]): ReadonlyMap<LaneId, number> {
  return new Map(entries.map(([{ lane }, seq]) => [lane.id, seq]));
}

function attribution(writer: TestWriter, fromSeq: number): Attribution {
  return {
    lane: writer.lane.id,
    fromSeq,
    toSeq: fromSeq,
    envelopes: 1,
    firstHlc: { wallMs: 1_795_000_000_000 + fromSeq, counter: 1 },
    lastHlc: { wallMs: 1_795_000_000_500, counter: 2 },
    clients: new Map([
      [7, [0, 3, 9, 12]],
      [4_294_967_295, [5, 6]],
    ]),
    principal: Uint8Array.of(0x61, fromSeq),
    correlationId: Uint8Array.of(1, 2),
    reason: Uint8Array.of(0x77),
    isJoined: false,
  };
}
