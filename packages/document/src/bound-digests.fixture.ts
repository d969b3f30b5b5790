import { toHex } from "@heddle/core";
import * as Y from "yjs";

import { BoundDocument } from "./bound-documents.fixture.ts";
import { digestContent } from "./content-digest.ts";
import { hash } from "./sessions.fixture.ts";
import { digestState } from "./state-digest.ts";
import { yjsEngine } from "./yjs-engine.ts";

/** Digests S and C of a document as Yjs holds it. */
export function digests(doc: Y.Doc): { s: string; c: string } {
  const deletes = Y.createDeleteSetFromStructStore(doc.store);
  const vector = Y.decodeStateVector(Y.encodeStateVector(doc));
  const entries = [...deletes.clients].map(([client, items]) => ({
    client,
    ranges: joined(items.flatMap(({ clock, len }) => [clock, clock + len])),
  }));
  return {
    s: toHex(digestState(hash, vector, entries)),
    c: toHex(digestContent(hash, doc)),
  };
}

function joined(pairs: number[]): number[] {
  const out: number[] = [];
  for (let index = 0; index < pairs.length; index += 2) {
    if (out.at(-1) === pairs[index]) out[out.length - 1] = pairs[index + 1]!;
    else out.push(pairs[index]!, pairs[index + 1]!);
  }
  return out;
}

/** The same of what a log holds. */
export function digestsOf(updates: readonly Uint8Array[]): { s: string; c: string } {
  const loaded = yjsEngine.fold(updates);
  return { s: toHex(loaded.digestS(hash)), c: toHex(loaded.digestC(hash)) };
}

/** A document bound to a lane of its own. */
export function attached(firstClient = 100): BoundDocument {
  const bound = new BoundDocument(firstClient);
  bound.attach();
  return bound;
}
