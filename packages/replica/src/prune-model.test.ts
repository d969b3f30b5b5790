import {
  decodeCheckpointVector,
  decodeEnvelope,
  MemoryDisk,
  MemoryLogStore,
  toHex,
  type LogBatch,
  type LogStore,
} from "@heddle/core";
import * as fc from "fast-check";
import { expect, test } from "vitest";

import { builderOn, storedDigests, Typist } from "./checkpoint.fixture.ts";
import { checkpointDocument, pruneDocument } from "./checkpointer.ts";
import { readCheckpoint } from "./read-checkpoint.ts";
import { environment, notes, signer } from "./replica.fixture.ts";
import { Replica } from "./replica.ts";

// Goal: no history of writing, building, pruning, recalling and crashing leaves a log that begins above
// its checkpoint (I6), or a document other than the one that its whole log would give.
// Method: every batch goes to a second store too, which is never pruned. After each step both are read.

type Step =
  | { readonly what: "write"; readonly who: number; readonly count: number }
  /** A small build leaves a part of the log to the next one. */
  | { readonly what: "build"; readonly payloadBytesMax: number }
  | { readonly what: "prune"; readonly stepEnvelopes: number }
  | { readonly what: "recall"; readonly back: number }
  | { readonly what: "restart"; readonly isOrderly: boolean };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        what: fc.constant("write" as const),
        who: fc.nat(2),
        count: fc.integer({ min: 1, max: 6 }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        what: fc.constant("build" as const),
        payloadBytesMax: fc.constantFrom(60, 1_000_000),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        what: fc.constant("prune" as const),
        stepEnvelopes: fc.constantFrom(1, 3, 100),
      }),
    },
    { weight: 1, arbitrary: fc.record({ what: fc.constant("recall" as const), back: fc.nat(3) }) },
    {
      weight: 2,
      arbitrary: fc.record({ what: fc.constant("restart" as const), isOrderly: fc.boolean() }),
    },
  ),
  { minLength: 3, maxLength: 24 },
);

class World {
  readonly #disk = new MemoryDisk();
  readonly #shadowDisk = new MemoryDisk();
  readonly #typists = [7, 300, 70_000].map((client) => new Typist(client));
  #shadow!: MemoryLogStore;
  #store!: LogStore;
  #replica!: Replica;
  #turn = 0;

  async start(): Promise<void> {
    this.#disk.isLocked = false;
    this.#shadowDisk.isLocked = false;
    this.#shadow = await MemoryLogStore.open(this.#shadowDisk, environment.random);
    this.#store = this.#paired(await MemoryLogStore.open(this.#disk, environment.random));
    const own = { store: this.#store, environment, signer, engine: "test", idleMs: 1_000_000 };
    this.#replica = await Replica.open(own);
    expect(this.#replica.recovery.documentsDamaged).toEqual([]);
  }

  async take(step: Step): Promise<void> {
    const document = await this.#replica.acquire(notes);
    const { id } = document.entry;
    const builder = builderOn(this.#store);
    if (step.what === "write") {
      for (let turn = 0; turn < step.count; turn++) {
        document.submit(this.#typists[step.who]!.type(++this.#turn), {});
        await document.whenSettled();
      }
    } else if (step.what === "build") {
      const { payloadBytesMax } = step;
      const { outcome } = await checkpointDocument({ ...builder, payloadBytesMax }, id);
      expect(outcome).not.toBe("refused");
    } else if (step.what === "prune") await this.#prune(step.stepEnvelopes);
    else if (step.what === "recall") await this.#recall(step.back);
    else {
      if (step.isOrderly) await this.#replica.close();
      await this.start();
    }
  }

  async check(): Promise<void> {
    const { id } = (await this.#replica.acquire(notes)).entry;
    if ((await this.#shadow.readDocument(id)) === undefined) return;
    expect(await storedDigests(this.#store, id)).toBe(await storedDigests(this.#shadow, id));
    const [newest] = await this.#store.readCheckpoints(id);
    const { vector } = decodeCheckpointVector(newest?.vector ?? []);
    for (const [lane, floor] of await this.#store.readFloors(id)) {
      expect(floor).toBeLessThanOrEqual(vector.get(lane)?.seq ?? 0);
    }
  }

  async #prune(pruneStepEnvelopes: number): Promise<void> {
    const { id } = (await this.#replica.acquire(notes)).entry;
    const builder = { ...builderOn(this.#store), pruneStepEnvelopes };
    const recalls = await this.#store.readRecalls(id);
    const checkpoint = await readCheckpoint(builder, id, recalls);
    if (!checkpoint) return;
    const [newest] = await this.#store.readCheckpoints(id);
    if (newest!.number !== checkpoint.number) return;
    const dropped = await pruneDocument(builder, checkpoint);
    if (recalls.length > 0) expect(dropped).toBe(0);
  }

  /** Takes out one of the last envelopes that are still there, as an audit does. */
  async #recall(back: number): Promise<void> {
    const { id } = (await this.#replica.acquire(notes)).entry;
    const envelopes = [];
    for await (const chunk of this.#store.readLog(id)) envelopes.push(...chunk);
    const last = envelopes.at(-1 - back);
    if (last === undefined) return;
    const { lane, seq, bytes } = last;
    const envelope = {
      id: toHex(decodeEnvelope(environment.hash, bytes).id),
      lane,
      seq,
      reason: "model",
      validatorVersion: 1,
      atMs: this.#turn,
    };
    await this.#store.append({ recall: [{ document: id, envelope }] });
    // Those who have it open start over.
    await this.#replica.close();
    await this.start();
  }

  #paired(store: MemoryLogStore): LogStore {
    const shadow = this.#shadow;
    return new Proxy(store, {
      get: (target, property) => {
        if (property === "append") {
          return async (batch: LogBatch) => {
            const { checkpoints: _, prune: __, ...rest } = batch;
            const number = await target.append(batch);
            if (Object.values(rest).some((part) => part.length > 0)) await shadow.append(rest);
            return number;
          };
        }
        const value: unknown = Reflect.get(target, property, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }
}

test("[CKP-5][CKP-7] any history of pruning leaves a log that begins at or below its checkpoint", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (history) => {
      const world = new World();
      await world.start();
      for (const step of history) {
        await world.take(step);
        await world.check();
      }
    }),
    { numRuns: 60 * Number(process.env["HEDDLE_TEST_SCALE"] ?? 1) },
  );
});
