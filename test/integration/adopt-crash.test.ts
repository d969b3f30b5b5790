import {
  concatBytes,
  decodeCheckpoint,
  decodeCheckpointVector,
  documentIdOf,
  HybridClock,
  MemoryDisk,
  MemoryLogStore,
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
import type { OfferedCheckpoint } from "@heddle/sync";
import { testEnvironment } from "@heddle/testkit";
import { expect, test } from "vitest";
import * as Y from "yjs";

import { sites, type Cut, type Site } from "./cut-store.ts";

// Goal: whenever the process or the disk stops while a checkpoint of another replica is adopted, the next
// start finds all of it or nothing, and everything that was answered before.
// Method: a session of writing and adopting, cut off at each of its writes in turn, once before the write
// lands and once after. In one kind of session the checkpoint is taken as it is, in the other it has to
// be folded together with one of our own. Then a start on what is left, which adopts and writes again.

const name = parseDocumentName("notes");
const signer = ephemeralDeviceKey();
const environment = testEnvironment("adopt crash", { timers: "real" });
const id = documentIdOf(environment.hash, openSpaceId(environment.hash), name);
const folder = new EngineFolder(yjsEngine, environment);

function builderOn(store: LogStore): CheckpointBuilder {
  const clock = new HybridClock(environment.clock);
  const space = openSpaceId(environment.hash);
  return { store, environment, folder, signer, space, tick: () => clock.tick() };
}

async function prune(store: LogStore): Promise<void> {
  const outcome = await checkpointDocument(builderOn(store), id);
  if (outcome.outcome === "built") await pruneDocument(builderOn(store), outcome.checkpoint);
}

function openReplica(store: LogStore): Promise<Replica> {
  return Replica.open({ store, environment, signer, folder, engine: "test", history: "prune" });
}

/** What one person wrote, update by update. */
function writtenBy(client: number, count: number): readonly Uint8Array[] {
  const doc = new Y.Doc();
  doc.clientID = client;
  const updates: Uint8Array[] = [];
  doc.on("update", (update: Uint8Array) => updates.push(update));
  const text = doc.getText("t");
  for (let turn = 0; turn < count; turn++) {
    if (turn % 5 === 4) text.delete(turn % 7, 3);
    else text.insert((turn * 7) % (text.length + 1), `word ${turn} `);
  }
  return updates;
}

const theirs = writtenBy(7, 12);
const ours = writtenBy(300, 8);

/** The checkpoint of a replica that wrote and pruned before we heard of it. */
async function theirCheckpoint(): Promise<OfferedCheckpoint> {
  const store = await MemoryLogStore.open(new MemoryDisk(), environment.random);
  const replica = await openReplica(store);
  const document = await replica.acquire(name);
  for (const update of theirs) {
    document.submit(update, {});
    await document.whenSettled();
  }
  await prune(store);
  const [stored] = await store.readCheckpoints(id);
  const header = decodeCheckpoint(environment.hash, stored!.header);
  const payload = await store.readCheckpointState(id, stored!.number);
  await replica.close();
  return { entry: document.entry, header, vector: concatBytes([...stored!.vector]), payload };
}

function digestsOf(updates: readonly Uint8Array[]): string {
  const loaded = yjsEngine.fold(updates);
  return `${toHex(loaded.digestS(environment.hash))} ${toHex(loaded.digestC(environment.hash))}`;
}

class Session {
  readonly #offered: OfferedCheckpoint;
  readonly #isPruned: boolean;
  /** Updates that were answered as durable. */
  #answered = 0;
  #isAdopted = false;

  constructor(offered: OfferedCheckpoint, isPruned: boolean) {
    this.#offered = offered;
    this.#isPruned = isPruned;
  }

  async run(store: LogStore): Promise<void> {
    const replica = await openReplica(store);
    const document = await replica.acquire(name);
    const failed = new Promise<never>((_resolve, reject) => {
      document.subscribe({ onCommit: () => undefined, onReset: reject });
    });
    failed.catch(() => undefined); // Whoever waits in `write` hears of it.
    const write = async (count: number): Promise<void> => {
      for (const update of ours.slice(this.#answered, this.#answered + count)) {
        document.submit(update, {});
        await Promise.race([document.whenSettled(), failed]);
        this.#answered++;
      }
    };
    await write(4);
    if (this.#isPruned) await prune(store);
    await write(2);
    expect(await replica.adopt(this.#offered)).toMatchObject({ outcome: "adopted" });
    this.#isAdopted = true;
    await write(2);
    await replica.close();
  }

  /** Nothing that was answered is missing, and theirs is there whole or not at all. */
  async checkLeft(store: LogStore): Promise<void> {
    if ((await store.readDocument(id)) === undefined) return expect(this.#answered).toBe(0);
    const found = await this.#digests(store);
    const possible = [0, 1].flatMap((more) => {
      const written = ours.slice(0, this.#answered + more);
      const both = digestsOf([...written, ...theirs]);
      return this.#isAdopted ? [both] : [digestsOf(written), both];
    });
    expect(possible).toContain(found);
  }

  async finish(store: LogStore): Promise<void> {
    const replica = await openReplica(store);
    expect(replica.recovery.documentsDamaged).toEqual([]);
    expect(await replica.adopt(this.#offered)).toMatchObject({ outcome: "adopted" });
    const document = await replica.acquire(name);
    document.submit(Y.mergeUpdates([...ours]), {});
    await document.whenSettled();
    await replica.close();
    await this.checkWhole(store);
  }

  async checkWhole(store: LogStore): Promise<void> {
    expect(await this.#digests(store)).toBe(digestsOf([...theirs, ...ours]));
  }

  async #digests(store: LogStore): Promise<string> {
    const stored = await store.readDocument(id);
    const { fold } = await loadDocument(store, environment, stored!);
    const [newest] = await store.readCheckpoints(id);
    const { vector } = decodeCheckpointVector(newest?.vector ?? []);
    for (const [lane, floor] of await store.readFloors(id)) {
      expect(floor).toBeLessThanOrEqual(vector.get(lane)?.seq ?? 0);
    }
    return digestsOf([fold.encodeSince()]);
  }
}

interface Case {
  readonly site: Site;
  readonly session: Session;
}

async function runCut({ site, session }: Case, n?: number, cut?: Cut): Promise<number> {
  const store = await site.open(environment, n, cut);
  try {
    await session.run(store);
  } catch (error) {
    expect(String(error), `write ${n}`).toContain("power");
  }
  const { writes } = site;
  await store.close();
  const again = await site.open(environment);
  await session.checkLeft(again);
  await session.finish(again);
  await again.close();
  const last = await site.open(environment);
  await session.checkWhole(last);
  await last.close();
  await site.remove();
  return writes;
}

test.each(
  Object.keys(sites).flatMap((kind) => [false, true].map((isPruned) => ({ kind, isPruned }))),
)(
  "[CKP-5][CKP-12][I6] cut off at any write of an adoption, a store in $kind goes on (pruned: $isPruned)",
  async ({ kind, isPruned }) => {
    const offered = await theirCheckpoint();
    const make = async (): Promise<Case> => {
      return { site: await sites[kind]!(), session: new Session(offered, isPruned) };
    };
    const writes = await runCut(await make());
    // Eight rounds, the adoption, the vectors at the end.
    expect(writes).toBeGreaterThan(9);
    for (let n = 1; n <= writes; n++) {
      for (const cut of ["before", "after"] as const) await runCut(await make(), n, cut);
    }
  },
  120_000,
);
