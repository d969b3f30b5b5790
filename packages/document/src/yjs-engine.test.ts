import { HeddleErrorCode, toHex } from "@heddle/core";
import { expect, test } from "vitest";
import * as Y from "yjs";

import { hash } from "./sessions.fixture.ts";
import { suppressRemoteCleanup, yjsEngine, YjsDocument } from "./yjs-engine.ts";

/** One makes a word bold while another deletes it: its markers are left around nothing. */
function boldOfDeleted(): Uint8Array[] {
  const origin = new Y.Doc();
  origin.getText("t").insert(0, "hello world");
  const base = Y.encodeStateAsUpdate(origin);
  const edits = [0, 1].map((turn) => {
    const doc = new Y.Doc();
    Y.applyUpdate(doc, base);
    const vector = Y.encodeStateVector(doc);
    if (turn === 0) doc.getText("t").format(0, 5, { bold: true });
    else doc.getText("t").delete(0, 5);
    return Y.encodeStateAsUpdate(doc, vector);
  });
  return [base, ...edits];
}

function countLocalUpdates(doc: Y.Doc, updates: readonly Uint8Array[]): number {
  let created = 0;
  doc.on(
    "update",
    (_update: Uint8Array, _origin: unknown, _doc: Y.Doc, transaction: Y.Transaction) => {
      if (transaction.local) created++;
    },
  );
  // A text counts as formatted only for someone who has used it.
  doc.getText("t");
  for (const update of updates) Y.applyUpdate(doc, update);
  return created;
}

test("[DOC-4] Yjs answers remote formatting with operations of its own, unless told not to", () => {
  const updates = boldOfDeleted();
  // If this becomes 0, Yjs has changed and the hook may go.
  expect(countLocalUpdates(new Y.Doc(), updates)).toBe(1);
  const quiet = new Y.Doc();
  suppressRemoteCleanup(quiet);
  expect(countLocalUpdates(quiet, updates)).toBe(0);
});

test("[DOC-4] local formatting is still cleaned up as Yjs does", () => {
  const lengths = [new Y.Doc(), new Y.Doc()].map((doc, index) => {
    if (index === 1) suppressRemoteCleanup(doc);
    const text = doc.getText("t");
    text.insert(0, "hello");
    text.format(0, 5, { bold: true });
    text.delete(0, 5);
    return Y.createDeleteSetFromStructStore(doc.store).clients.get(doc.clientID)!.length;
  });
  expect(lengths[1]).toBe(lengths[0]);
});

test("[DOC-3] digest S tells documents apart that differ by a delete only", () => {
  const doc = new Y.Doc();
  doc.getText("t").insert(0, "abc");
  const before = Y.encodeStateAsUpdate(doc);
  doc.getText("t").delete(1, 1);
  const after = Y.encodeStateAsUpdate(doc);
  const digests = [before, after].map((update) => toHex(yjsEngine.fold([update]).digestS(hash)));
  expect(digests[0]).not.toBe(digests[1]);
  expect(digests[0]).toHaveLength(64);
});

test("[DOC-3] digest S has fixed bytes", () => {
  const update = Uint8Array.of(1, 1, 7, 0, 4, 1, 1, 0x74, 3, 0x61, 0x62, 0x63, 1, 7, 1, 1, 1);
  const digest = yjsEngine.fold([update]).digestS(hash);
  // SHA-256 of "heddle/state/1" and the bytes 1 7 3 (vector), 1 7 1 1 1 (deletes).
  const input = [...new TextEncoder().encode("heddle/state/1"), 1, 7, 3, 1, 7, 1, 1, 1];
  expect(digest).toEqual(hash.sha256(Uint8Array.from(input)));
});

test("[DOC-6] no digest is given while something is pending", () => {
  const doc = new Y.Doc();
  doc.getText("t").insert(0, "a");
  const vector = Y.encodeStateVector(doc);
  doc.getText("t").insert(1, "b");
  const loaded = yjsEngine.fold([Y.encodeStateAsUpdate(doc, vector)]);
  expect(loaded.hasPending).toBe(true);
  expect(() => loaded.digestS(hash)).toThrow("invariant broken");
  loaded.apply(Y.encodeStateAsUpdate(doc));
  expect(loaded.hasPending).toBe(false);
  expect(loaded.digestS(hash)).toHaveLength(32);
});

test("[DOC-1] an engine failure carries a code, and the document is not used again", () => {
  const loaded = new YjsDocument(true);
  const refusal = expect.objectContaining({ code: HeddleErrorCode.updateRefused });
  expect(() => loaded.apply(Uint8Array.of(1, 1))).toThrow(refusal);
  expect(() => loaded.apply(Uint8Array.of(0, 0))).toThrow("invariant broken");
  expect(() => yjsEngine.fold([Uint8Array.of(1)])).toThrow(refusal);
});

test("[DOC-3] a document is folded with or without the content of what was deleted", () => {
  const doc = new Y.Doc({ gc: false });
  doc.getText("t").insert(0, "a secret");
  doc.getText("t").delete(2, 6);
  const updates = [Y.encodeStateAsUpdate(doc)];
  const [kept, dropped] = [false, true].map((gc) => yjsEngine.fold(updates, { gc }));
  expect(kept!.encodeState().length).toBeGreaterThan(dropped!.encodeState().length);
  expect(kept!.digestS(hash)).toEqual(dropped!.digestS(hash));
  dropped!.destroy();
});
