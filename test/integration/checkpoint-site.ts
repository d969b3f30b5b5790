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
  type ReplicaDocument,
} from "@heddle/replica";
import { ephemeralDeviceKey } from "@heddle/replica/node";
import { testEnvironment } from "@heddle/testkit";
import { expect } from "vitest";
import * as Y from "yjs";

export const name = parseDocumentName("notes");

/** A device that builds checkpoints of one document, and prunes it, on whatever store it is given. */
export class CheckpointSite {
  readonly environment;
  readonly id;
  readonly #signer = ephemeralDeviceKey();
  readonly #folder;

  constructor(seed: string) {
    this.environment = testEnvironment(seed, { timers: "real" });
    const { hash } = this.environment;
    this.id = documentIdOf(hash, openSpaceId(hash), name);
    this.#folder = new EngineFolder(yjsEngine, this.environment);
  }

  openReplica(store: LogStore): Promise<Replica> {
    const parts = { store, environment: this.environment, signer: this.#signer };
    return Replica.open({ ...parts, folder: this.#folder, engine: "test", history: "prune" });
  }

  /** Builds a checkpoint where there is something to build, and drops what it covers. */
  async checkpoint(store: LogStore, steps: Pick<CheckpointBuilder, "pruneStepEnvelopes"> = {}) {
    const { environment } = this;
    const clock = new HybridClock(environment.clock);
    const builder: CheckpointBuilder = {
      store,
      environment,
      folder: this.#folder,
      signer: this.#signer,
      space: openSpaceId(environment.hash),
      tick: () => clock.tick(),
      ...steps,
    };
    const outcome = await checkpointDocument(builder, this.id);
    if (outcome.outcome === "built") await pruneDocument(builder, outcome.checkpoint);
  }

  /** Of the document as the store has it, of which no log begins above its checkpoint. */
  async digestsIn(store: LogStore): Promise<string> {
    const stored = await store.readDocument(this.id);
    const { fold } = await loadDocument(store, this.environment, stored!);
    const [newest] = await store.readCheckpoints(this.id);
    const { vector } = decodeCheckpointVector(newest?.vector ?? []);
    for (const [lane, floor] of await store.readFloors(this.id)) {
      expect(floor).toBeLessThanOrEqual(vector.get(lane)?.seq ?? 0);
    }
    return this.digestsOf([fold.encodeSince()]);
  }

  /** Of the document that all of `updates` make. */
  digestsOf(updates: readonly Uint8Array[]): string {
    const loaded = yjsEngine.fold(updates);
    const { hash } = this.environment;
    return `${toHex(loaded.digestS(hash))} ${toHex(loaded.digestC(hash))}`;
  }
}

/** Submits updates one by one, and knows how many of them were answered as durable. */
export class AnsweredWriter {
  answered = 0;
  readonly #updates: readonly Uint8Array[];

  constructor(updates: readonly Uint8Array[]) {
    this.#updates = updates;
  }

  /** What was answered, and so many updates more. */
  written(more: number): readonly Uint8Array[] {
    return this.#updates.slice(0, this.answered + more);
  }

  /** Begins on a document; the returned function writes so many more, up to the first failure. */
  on(document: ReplicaDocument): (count: number) => Promise<void> {
    const failed = new Promise<never>((_resolve, reject) => {
      document.subscribe({ onCommit: () => undefined, onReset: reject });
    });
    failed.catch(() => undefined); // Whoever waits below hears of it.
    return async (count) => {
      for (const update of this.#updates.slice(this.answered, this.answered + count)) {
        document.submit(update, { principal: Uint8Array.of(0x61 + (this.answered % 2)) });
        await Promise.race([document.whenSettled(), failed]);
        this.answered++;
      }
    };
  }
}

/** What one person wrote and deleted, update by update. */
export function writtenBy(client: number, count: number): readonly Uint8Array[] {
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
