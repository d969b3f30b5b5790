import type { LogStore } from "@heddle/core";
import { expect, test } from "vitest";
import * as Y from "yjs";

import { AnsweredWriter, CheckpointSite, name, writtenBy } from "./checkpoint-site.ts";
import { sites } from "./cut-store.ts";
import { runAllCuts, type CutSession } from "./run-cut.ts";

// Goal: whenever the process or the disk stops while checkpoints are built and logs are pruned, the
// next start finds every update that was answered, and no log that begins above its checkpoint.
// Method: one session of writing, building and pruning, cut off at each of its writes in turn, once
// before the write lands and once after. Then a start on what is left, which goes on with the session.

const author = 7;
const updates = writtenBy(author, 20);

class Session implements CutSession {
  readonly device = new CheckpointSite("crash");
  readonly #writer = new AnsweredWriter(updates);

  /** Writes, builds and prunes by turns, until the end or the first failure. */
  async run(store: LogStore): Promise<void> {
    const replica = await this.device.openReplica(store);
    const document = await replica.acquire(name);
    const write = this.#writer.on(document);
    await write(8);
    await this.#checkpoint(store);
    await write(5);
    await this.#checkpoint(store);
    await write(2);
    const { id } = this.device;
    await store.append({ vectors: [{ document: id, vector: document.takeNewVector()! }] });
    await write(2);
    await this.#checkpoint(store);
    await write(1);
    await replica.close();
  }

  /** What is there is what was answered, or one update more, whose answer was cut off. */
  async checkLeft(store: LogStore): Promise<void> {
    const { device } = this;
    const { answered } = this.#writer;
    if ((await store.readDocument(device.id)) === undefined) return expect(answered).toBe(0);
    const possible = [0, 1].map((more) => device.digestsOf(this.#writer.written(more)));
    expect(possible).toContain(await device.digestsIn(store));
  }

  /** The rest arrives as clients bring it: all at once. */
  async finish(store: LogStore): Promise<void> {
    const replica = await this.device.openReplica(store);
    expect(replica.recovery.documentsDamaged).toEqual([]);
    const document = await replica.acquire(name);
    document.submit(Y.mergeUpdates([...updates]), {});
    await document.whenSettled();
    await this.#checkpoint(store);
    await replica.close();
    await this.checkWhole(store);
  }

  async checkWhole(store: LogStore): Promise<void> {
    const { device } = this;
    expect(await device.digestsIn(store)).toBe(device.digestsOf(updates));
    expect(await store.readCheckpoints(device.id)).toHaveLength(1);
    for await (const _ of store.readLog(device.id)) throw new Error("something was not pruned");
    // Who wrote is known of every clock, once.
    const attributions = await store.readAttributions(device.id);
    const clocks = attributions.flatMap(({ clients }) => clients.get(author) ?? []);
    const written = clocks.reduce((sum, clock, at) => sum + (at % 2 === 0 ? -clock : clock), 0);
    const whole = new Y.Doc();
    Y.applyUpdate(whole, Y.mergeUpdates([...updates]));
    expect(written).toBe(Y.getState(whole.store, author));
  }

  #checkpoint(store: LogStore): Promise<void> {
    return this.device.checkpoint(store, { pruneStepEnvelopes: 3 });
  }
}

test.each(Object.keys(sites))(
  "[CKP-5][STO-2] cut off at any write, a store in %s is readable and goes on",
  async (kind) => {
    const make = async () => {
      const session = new Session();
      return { environment: session.device.environment, site: await sites[kind]!(), session };
    };
    // 18 rounds, kept vectors twice, and for each of three checkpoints its batch and its prunes.
    await runAllCuts(make, 29);
  },
  120_000,
);
