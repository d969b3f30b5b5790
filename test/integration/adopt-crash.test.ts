import {
  concatBytes,
  decodeCheckpoint,
  MemoryDisk,
  MemoryLogStore,
  type LogStore,
} from "@heddle/core";
import type { OfferedCheckpoint } from "@heddle/sync";
import { expect, test } from "vitest";
import * as Y from "yjs";

import { AnsweredWriter, CheckpointSite, name, writtenBy } from "./checkpoint-site.ts";
import { sites } from "./cut-store.ts";
import { runAllCuts, type CutSession } from "./run-cut.ts";

// Goal: whenever the process or the disk stops while a checkpoint of another replica is adopted, the next
// start finds all of it or nothing, and everything that was answered before.
// Method: a session of writing and adopting, cut off at each of its writes in turn, once before the write
// lands and once after. In one kind of session the checkpoint is taken as it is, in the other it has to
// be folded together with one of our own. Then a start on what is left, which adopts and writes again.

const device = new CheckpointSite("adopt crash");
const { environment, id } = device;
const theirs = writtenBy(7, 12);
const ours = writtenBy(300, 8);

/** The checkpoint of a replica that wrote and pruned before we heard of it. */
async function theirCheckpoint(): Promise<OfferedCheckpoint> {
  const store = await MemoryLogStore.open(new MemoryDisk(), environment.random);
  const replica = await device.openReplica(store);
  const document = await replica.acquire(name);
  await new AnsweredWriter(theirs).on(document)(theirs.length);
  await device.checkpoint(store);
  const [stored] = await store.readCheckpoints(id);
  const header = decodeCheckpoint(environment.hash, stored!.header);
  const payload = await store.readCheckpointState(id, stored!.number);
  await replica.close();
  return { entry: document.entry, header, vector: concatBytes([...stored!.vector]), payload };
}

class Session implements CutSession {
  readonly #offered: OfferedCheckpoint;
  readonly #isPruned: boolean;
  readonly #writer = new AnsweredWriter(ours);
  #isAdopted = false;

  constructor(offered: OfferedCheckpoint, isPruned: boolean) {
    this.#offered = offered;
    this.#isPruned = isPruned;
  }

  async run(store: LogStore): Promise<void> {
    const replica = await device.openReplica(store);
    const write = this.#writer.on(await replica.acquire(name));
    await write(4);
    if (this.#isPruned) await device.checkpoint(store);
    await write(2);
    expect(await replica.adopt(this.#offered)).toMatchObject({ outcome: "adopted" });
    this.#isAdopted = true;
    await write(2);
    await replica.close();
  }

  /** Nothing that was answered is missing, and theirs is there whole or not at all. */
  async checkLeft(store: LogStore): Promise<void> {
    const { answered } = this.#writer;
    if ((await store.readDocument(id)) === undefined) return expect(answered).toBe(0);
    const possible = [0, 1].flatMap((more) => {
      const written = this.#writer.written(more);
      const both = device.digestsOf([...written, ...theirs]);
      return this.#isAdopted ? [both] : [device.digestsOf(written), both];
    });
    expect(possible).toContain(await device.digestsIn(store));
  }

  async finish(store: LogStore): Promise<void> {
    const replica = await device.openReplica(store);
    expect(replica.recovery.documentsDamaged).toEqual([]);
    expect(await replica.adopt(this.#offered)).toMatchObject({ outcome: "adopted" });
    const document = await replica.acquire(name);
    document.submit(Y.mergeUpdates([...ours]), {});
    await document.whenSettled();
    await replica.close();
    await this.checkWhole(store);
  }

  async checkWhole(store: LogStore): Promise<void> {
    expect(await device.digestsIn(store)).toBe(device.digestsOf([...theirs, ...ours]));
  }
}

test.each(
  Object.keys(sites).flatMap((kind) => [false, true].map((isPruned) => ({ kind, isPruned }))),
)(
  "[CKP-5][CKP-12][I6] cut off at any write of an adoption, a store in $kind goes on (pruned: $isPruned)",
  async ({ kind, isPruned }) => {
    const offered = await theirCheckpoint();
    const make = async () => {
      return { environment, site: await sites[kind]!(), session: new Session(offered, isPruned) };
    };
    // Eight rounds, the adoption, the vectors at the end.
    await runAllCuts(make, 10);
  },
  120_000,
);
