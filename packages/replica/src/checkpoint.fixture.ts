import { HybridClock, openSpaceId, toHex, type DocumentId, type LogStore } from "@heddle/core";
import { yjsEngine } from "@heddle/document";
import * as Y from "yjs";

import type { CheckpointBuilder } from "./build-checkpoint.ts";
import { EngineFolder } from "./engine-folder.ts";
import { loadDocument } from "./load-document.ts";
import { environment, signer } from "./replica.fixture.ts";

/** Builds checkpoints in this thread. */
export const folder = new EngineFolder(yjsEngine, environment);

export function builderOn(store: LogStore): CheckpointBuilder {
  const clock = new HybridClock(environment.clock);
  const space = openSpaceId(environment.hash);
  return { store, environment, folder, signer, space, tick: () => clock.tick() };
}

/** Digests S and C of what the updates add up to. */
export function digestsOf(updates: readonly Uint8Array[]): string {
  const loaded = yjsEngine.fold(updates);
  const { hash } = environment;
  const digests = `${toHex(loaded.digestS(hash))} ${toHex(loaded.digestC(hash))}`;
  loaded.destroy();
  return digests;
}

/** The same of what a store holds. */
export async function storedDigests(store: LogStore, id: DocumentId): Promise<string> {
  const stored = await store.readDocument(id);
  if (stored === undefined) throw new Error("the store has no such document");
  const { fold } = await loadDocument(store, environment, stored);
  return digestsOf([fold.encodeSince()]);
}

/** A person who types, and every update that this made. */
export class Typist {
  readonly doc = new Y.Doc();
  readonly updates: Uint8Array[] = [];

  constructor(clientId: number) {
    this.doc.clientID = clientId;
    this.doc.on("update", (update: Uint8Array, _origin, _doc, { local }: Y.Transaction) => {
      if (local) this.updates.push(update);
    });
  }

  /** One edit, told by a number: mostly text, sometimes a delete, a key, an array. */
  type(what: number): Uint8Array {
    const text = this.doc.getText("t");
    const before = this.updates.length;
    if (what % 5 === 4 && text.length > 3) text.delete(what % (text.length - 2), 2);
    else if (what % 7 === 6) this.doc.getMap("m").set(`k${what % 3}`, what);
    else if (what % 11 === 10) this.doc.getArray("a").insert(0, [{ n: what }, new Y.Map()]);
    else text.insert(what % (text.length + 1), `w${what} `);
    return this.updates[before]!;
  }
}
