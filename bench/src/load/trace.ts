import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import * as Y from "yjs";
import { clientIdOf } from "./typing.ts";

export type Patch = readonly [position: number, deleteCount: number, inserted: string];

/** The log of a paper being written, https://github.com/josephg/editing-traces: one person, 259,778 edits. */
const file = findTrace();

export const hasTrace = file !== undefined;

/** It lies beside the repository, in `shared/data`, because of its size. */
function findTrace(): string | undefined {
  for (let at = dirname(fileURLToPath(import.meta.url)); ; at = dirname(at)) {
    const candidate = join(at, "shared/data/editing-traces/automerge-paper.json.gz");
    if (existsSync(candidate)) return candidate;
    if (at === dirname(at)) return undefined;
  }
}

export interface TypedTrace {
  readonly updates: readonly Uint8Array[];
  /** What arrives when all of it has: clocks of {@link clientIdOf}(0). */
  readonly clocks: number;
}

/** The first `edits` of the trace: each is one transaction. */
export function readTrace(edits: number): readonly (readonly Patch[])[] {
  if (file === undefined) throw new Error("shared/data has no editing trace");
  const { txns } = JSON.parse(gunzipSync(readFileSync(file)).toString("utf8")) as {
    txns: readonly { patches: readonly Patch[] }[];
  };
  return txns.slice(0, edits).map(({ patches }) => patches);
}

/** Does it to a text, inside a transaction. */
export function applyEdit(text: Y.Text, patches: readonly Patch[]): void {
  for (const [position, deleteCount, inserted] of patches) {
    if (deleteCount > 0) text.delete(position, deleteCount);
    if (inserted.length > 0) text.insert(position, inserted);
  }
}

/** The first `edits` of the trace as the updates that a live document emits, one per edit. */
export function typeTrace(edits: number): TypedTrace {
  const doc = new Y.Doc();
  doc.clientID = clientIdOf(0);
  const text = doc.getText("text");
  const updates: Uint8Array[] = [];
  doc.on("update", (update: Uint8Array) => updates.push(update));
  for (const patches of readTrace(edits)) doc.transact(() => applyEdit(text, patches));
  const clocks = Y.decodeStateVector(Y.encodeStateVector(doc)).get(doc.clientID) ?? 0;
  doc.destroy();
  return { updates, clocks };
}
