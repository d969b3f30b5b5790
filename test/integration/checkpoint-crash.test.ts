import {
  decodeCheckpointVector,
  documentIdOf,
  HybridClock,
  openSpaceId,
  parseDocumentName,
  toHex,
  type LogStore,
} from "@heddle/core";
import { yjsEngine } from "@heddle/document";
import {
  checkpointDocument,
  EngineFolder,
  loadDocument,
  pruneDocument,
  Replica,
  type CheckpointBuilder,
} from "@heddle/replica";
import { ephemeralDeviceKey } from "@heddle/replica/node";
import { testEnvironment } from "@heddle/testkit";
import { expect, test } from "vitest";
import * as Y from "yjs";

import { sites, type Cut, type Site } from "./cut-store.ts";

// Goal: whenever the process or the disk stops while checkpoints are built and logs are pruned, the
// next start finds every update that was answered, and no log that begins above its checkpoint.
// Method: one session of writing, building and pruning, cut off at each of its writes in turn, once
// before the write lands and once after. Then a start on what is left, which goes on with the session.

const name = parseDocumentName("notes");
const signer = ephemeralDeviceKey();

class Session {
  readonly doc = new Y.Doc();
  readonly updates: Uint8Array[] = [];
  readonly environment = testEnvironment("crash", { timers: "real" });
  /** Updates that were answered as durable. */
  answered = 0;

  constructor() {
    this.doc.clientID = 7;
    this.doc.on("update", (update: Uint8Array) => this.updates.push(update));
    const text = this.doc.getText("t");
    for (let turn = 0; turn < 20; turn++) {
      if (turn % 5 === 4) text.delete(turn % 7, 3);
      else text.insert((turn * 7) % (text.length + 1), `word ${turn} `);
    }
  }

  get id() {
    return documentIdOf(this.environment.hash, openSpaceId(this.environment.hash), name);
  }

  builderOn(store: LogStore): CheckpointBuilder {
    const { environment } = this;
    const clock = new HybridClock(environment.clock);
    const folder = new EngineFolder(yjsEngine, environment);
    const space = openSpaceId(environment.hash);
    const tick = () => clock.tick();
    return { store, environment, folder, signer, space, tick, pruneStepEnvelopes: 3 };
  }

  async openReplica(store: LogStore): Promise<Replica> {
    const { environment } = this;
    return Replica.open({ store, environment, signer, engine: "test", history: "prune" });
  }

  async checkpoint(store: LogStore): Promise<void> {
    const builder = this.builderOn(store);
    const outcome = await checkpointDocument(builder, this.id);
    if (outcome.outcome === "built") await pruneDocument(builder, outcome.checkpoint);
  }

  /** Writes, builds and prunes by turns, until the end or the first failure. */
  async run(store: LogStore): Promise<void> {
    const replica = await this.openReplica(store);
    const document = await replica.acquire(name);
    const failed = new Promise<never>((_resolve, reject) => {
      document.subscribe({ onCommit: () => undefined, onReset: reject });
    });
    failed.catch(() => undefined); // Whoever waits in `write` hears of it.
    const write = async (count: number): Promise<void> => {
      for (const update of this.updates.slice(this.answered, this.answered + count)) {
        document.submit(update, { principal: Uint8Array.of(0x61 + (this.answered % 2)) });
        await Promise.race([document.whenSettled(), failed]);
        this.answered++;
      }
    };
    await write(8);
    await this.checkpoint(store);
    await write(5);
    await this.checkpoint(store);
    await write(2);
    await store.append({ vectors: [{ document: this.id, vector: document.takeNewVector()! }] });
    await write(2);
    await this.checkpoint(store);
    await write(1);
    await replica.close();
  }

  digestsOf(updates: readonly Uint8Array[]): string {
    const loaded = yjsEngine.fold(updates);
    const { hash } = this.environment;
    return `${toHex(loaded.digestS(hash))} ${toHex(loaded.digestC(hash))}`;
  }

  /** What is there is what was answered, or one update more, whose answer was cut off. */
  async checkLeft(store: LogStore): Promise<void> {
    const stored = await store.readDocument(this.id);
    if (stored === undefined) {
      expect(this.answered).toBe(0);
      return;
    }
    const { fold } = await loadDocument(store, this.environment, stored);
    const possible = [0, 1].map((more) => {
      return this.digestsOf(this.updates.slice(0, this.answered + more));
    });
    expect(possible).toContain(this.digestsOf([fold.encodeSince()]));
    await this.checkFloors(store);
  }

  async checkFloors(store: LogStore): Promise<void> {
    const [newest] = await store.readCheckpoints(this.id);
    const { vector } = decodeCheckpointVector(newest?.vector ?? []);
    for (const [lane, floor] of await store.readFloors(this.id)) {
      expect(floor).toBeLessThanOrEqual(vector.get(lane)?.seq ?? 0);
    }
  }

  /** The rest arrives as clients bring it: all at once. */
  async finish(store: LogStore): Promise<void> {
    const replica = await this.openReplica(store);
    expect(replica.recovery.documentsDamaged).toEqual([]);
    const document = await replica.acquire(name);
    document.submit(Y.encodeStateAsUpdate(this.doc), {});
    await document.whenSettled();
    await this.checkpoint(store);
    await replica.close();
    await this.checkWhole(store);
  }

  async checkWhole(store: LogStore): Promise<void> {
    const stored = await store.readDocument(this.id);
    const { fold } = await loadDocument(store, this.environment, stored!);
    expect(this.digestsOf([fold.encodeSince()])).toBe(this.digestsOf(this.updates));
    await this.checkFloors(store);
    expect(await store.readCheckpoints(this.id)).toHaveLength(1);
    for await (const _ of store.readLog(this.id)) throw new Error("something was not pruned");
    // Who wrote is known of every clock, once.
    const attributions = await store.readAttributions(this.id);
    const clocks = attributions.flatMap(({ clients }) => clients.get(7) ?? []);
    const written = clocks.reduce((sum, clock, at) => sum + (at % 2 === 0 ? -clock : clock), 0);
    expect(written).toBe(Y.getState(this.doc.store, 7));
  }
}

async function runCut(site: Site, n: number | undefined, cut: Cut): Promise<number> {
  const session = new Session();
  const store = await site.open(session.environment, n, cut);
  try {
    await session.run(store);
  } catch (error) {
    expect(String(error), `write ${n}`).toContain("power");
  }
  const { writes } = site;
  await store.close();
  const again = await site.open(session.environment);
  await session.checkLeft(again);
  await session.finish(again);
  await again.close();
  const last = await site.open(session.environment);
  await session.checkWhole(last);
  await last.close();
  await site.remove();
  return writes;
}

test.each(Object.keys(sites))(
  "[CKP-5][STO-2] cut off at any write, a store in %s is readable and goes on",
  async (kind) => {
    const make = sites[kind]!;
    const writes = await runCut(await make(), undefined, "before");
    // 18 rounds, kept vectors twice, and for each of three checkpoints its batch and its prunes.
    expect(writes).toBeGreaterThan(28);
    for (let n = 1; n <= writes; n++) {
      for (const cut of ["before", "after"] as const) await runCut(await make(), n, cut);
    }
  },
  120_000,
);
