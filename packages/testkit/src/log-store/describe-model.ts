import {
  toHex,
  type DocumentEntry,
  type DocumentId,
  type Envelope,
  type LaneDescriptor,
  type LogBatch,
  type LogStore,
  type ParkedUpdate,
} from "@heddle/core";
import * as fc from "fast-check";
import { expect, it } from "vitest";

import {
  picturedEnvelope,
  picturedParked,
  picturedVector,
  pictureOf,
  type DocumentPicture,
  type LogPicture,
} from "../collect-log.ts";
import type { LogStoreHarness } from "./store-bench.ts";
import { testEnvironment, type TestEnvironment } from "../test-environment.ts";
import { testDocument, TestWriter } from "../test-writer.ts";

/** Few lanes, documents and updates, so that appends meet in all ways. */
const laneCount = 3;
const documentCount = 4;
const updateCount = 3;

interface BatchPlan {
  readonly write: readonly {
    readonly lane: number;
    readonly document: number;
    readonly size: number;
  }[];
  readonly keep: readonly number[];
  readonly park: readonly { readonly document: number; readonly update: number }[];
  readonly release: readonly { readonly document: number; readonly update: number }[];
}

/** Appends that are made at once, and whether the store is opened anew after them. */
interface Step {
  readonly batches: readonly BatchPlan[];
  readonly reopen: boolean;
}

const documents = fc.nat(documentCount - 1);
const parking = fc.array(fc.record({ document: documents, update: fc.nat(updateCount - 1) }), {
  maxLength: 2,
});
const batchPlans = fc.record<BatchPlan>({
  write: fc.array(
    fc.record({ lane: fc.nat(laneCount - 1), document: documents, size: fc.nat(300) }),
    { minLength: 1, maxLength: 5 },
  ),
  keep: fc.uniqueArray(documents, { maxLength: 2 }),
  park: parking,
  release: parking,
});
const histories = fc.array(
  fc.record<Step>({
    batches: fc.array(batchPlans, { minLength: 1, maxLength: 5 }),
    reopen: fc.boolean(),
  }),
  { minLength: 1, maxLength: 5 },
);

/** Compares a store with a plain model of it after every step of random histories. */
export function describeLogStoreModel(harness: LogStoreHarness, runs: number): void {
  it("[STO-1][STO-2][STO-7] holds what a plain model holds, through any history", async () => {
    const property = fc.asyncProperty(histories, async (history) => {
      const environment = testEnvironment();
      const site = await harness(environment);
      const model = await LogModel.make(environment);
      let store = await site.open();
      try {
        for (const { batches, reopen } of history) {
          await applyAtOnce(store, model, batches);
          if (reopen) {
            await store.close();
            store = await site.open();
          }
          expect(await pictureOf(store)).toEqual(model.picture());
        }
      } finally {
        await store.close();
        await site.dispose();
      }
    });
    await fc.assert(property, { numRuns: runs });
  });
}

async function applyAtOnce(
  store: LogStore,
  model: LogModel,
  plans: readonly BatchPlan[],
): Promise<void> {
  const batches = plans.map((plan) => model.take(plan));
  const numbers = await Promise.all(batches.map((batch) => store.append(batch)));
  expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
}

/** What a store should hold, in plain maps and lists. Plans become real batches here. */
class LogModel {
  readonly #writers: readonly TestWriter[];
  readonly #entries: readonly DocumentEntry[];
  readonly #lanes: LaneDescriptor[] = [];
  readonly #documents = new Map<DocumentId, ModelDocument>();
  readonly #arrivals: string[] = [];

  private constructor(writers: readonly TestWriter[], entries: readonly DocumentEntry[]) {
    this.#writers = writers;
    this.#entries = entries;
  }

  static async make(environment: TestEnvironment): Promise<LogModel> {
    const writers: TestWriter[] = [];
    for (let lane = 0; lane < laneCount; lane++) writers.push(await TestWriter.open(environment));
    const names = Array.from({ length: documentCount }, (_, index) => `document ${index}`);
    return new LogModel(
      writers,
      names.map((name) => testDocument(environment, name)),
    );
  }

  /** Carries `plan` out on the model and returns the batch that should do the same to a store. */
  take({ write, keep, park, release }: BatchPlan): LogBatch {
    const lanes = this.#newLanes(write.map(({ lane }) => lane));
    const touched = [...write, ...park, ...release].map(({ document }) => document);
    const documents = this.#newDocuments([...touched, ...keep]);
    const envelopes = write.map(({ lane, document, size }) => {
      const payload = new Uint8Array(size).fill(size % 251);
      const envelope = this.#writers[lane]!.seal(this.#entries[document]!.id, payload);
      this.#write(envelope);
      return envelope;
    });
    const vectors = keep.map((document) => this.#keep(this.#entries[document]!.id));
    const released = release.map(({ document, update }) => {
      const place = { document: this.#entries[document]!.id, id: parkedUpdate(update).id };
      this.#document(place.document).parked.delete(place.id);
      return place;
    });
    const parked = park.map(({ document, update }) => {
      const place = { document: this.#entries[document]!.id, update: parkedUpdate(update) };
      const { parked } = this.#document(place.document);
      if (!parked.has(place.update.id)) parked.set(place.update.id, place.update);
      return place;
    });
    return { lanes, documents, envelopes, vectors, release: released, park: parked };
  }

  picture(): LogPicture {
    const documents = [...this.#documents.values()].toSorted((a, b) =>
      a.entry.id < b.entry.id ? -1 : 1,
    );
    return {
      lanes: this.#lanes.map(({ id }) => id),
      documents: documents.map((document) => this.#pictureOf(document)),
      arrivals: this.#arrivals,
    };
  }

  #pictureOf({ entry, dirty, vector, log, parked }: ModelDocument): DocumentPicture {
    return {
      name: entry.name,
      dirty,
      vector,
      log: this.#lanes.flatMap(({ id }) => {
        return log.filter(({ lane }) => lane === id).map(picturedEnvelope);
      }),
      parked: [...parked.values()].map(picturedParked),
    };
  }

  #newLanes(indexes: readonly number[]): LaneDescriptor[] {
    const opened = [...new Set(indexes)]
      .map((index) => this.#writers[index]!.lane)
      .filter((lane) => !this.#lanes.includes(lane));
    this.#lanes.push(...opened);
    return opened;
  }

  #newDocuments(indexes: readonly number[]): DocumentEntry[] {
    const opened = [...new Set(indexes)]
      .map((index) => this.#entries[index]!)
      .filter(({ id }) => !this.#documents.has(id));
    for (const entry of opened) {
      const empty = { dirty: false, vector: [], log: [], parked: new Map() };
      this.#documents.set(entry.id, { entry, ...empty });
    }
    return opened;
  }

  #write(envelope: Envelope): void {
    const { document, lane, seq } = envelope;
    const held = this.#document(document);
    held.log.push(envelope);
    held.dirty = true;
    this.#arrivals.push(`${document} ${lane} ${seq}`);
  }

  #keep(document: DocumentId): NonNullable<LogBatch["vectors"]>[number] {
    const held = this.#document(document);
    const vector = new Map(this.#writers.flatMap((writer) => [...writer.vector(document)]));
    held.vector = picturedVector(vector);
    held.dirty = false;
    return { document, vector };
  }

  #document(id: DocumentId): ModelDocument {
    return this.#documents.get(id)!;
  }
}

interface ModelDocument {
  readonly entry: DocumentEntry;
  dirty: boolean;
  vector: string[];
  readonly log: Envelope[];
  readonly parked: Map<string, ParkedUpdate>;
}

function parkedUpdate(index: number): ParkedUpdate {
  const update = Uint8Array.of(index, 0, 0);
  return { id: toHex(new Uint8Array(16).fill(index)), update, parkedAtMs: 1000 + index };
}
