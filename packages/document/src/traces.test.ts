import { toHex } from "@heddle/core";
import { describe, expect, test } from "vitest";
import * as Y from "yjs";

import { AdmittingLog } from "./admission.fixture.ts";
import { parseUpdate } from "./parse-update.ts";
import { hash } from "./sessions.fixture.ts";
import { isDataMissing, readTrace, unheardBy } from "./shared-data.fixture.ts";
import { UpdateFold } from "./update-fold.ts";
import { yjsEngine, YjsDocument } from "./yjs-engine.ts";

/** One document per agent, which hears of a transaction when it first builds upon it. */
function replay(trace: ReturnType<typeof readTrace>): Uint8Array[] {
  const updates: Uint8Array[][] = [];
  const agents = Array.from({ length: trace.numAgents ?? 1 }, (_, agent) => {
    const doc = new Y.Doc();
    doc.clientID = 0xf000_0000 + agent;
    doc.on("update", (update: Uint8Array, _o: unknown, _d: Y.Doc, transaction: Y.Transaction) => {
      if (transaction.local) updates.at(-1)!.push(update);
    });
    return { doc, heard: new Set<number>() };
  });
  for (const [index, { agent = 0, parents, patches }] of trace.txns.entries()) {
    const { doc, heard } = agents[agent]!;
    for (const parent of unheardBy(trace, parents ?? [], heard)) {
      for (const update of updates[parent]!) Y.applyUpdate(doc, update);
    }
    updates.push([]);
    const text = doc.getText("t");
    for (const [position, deleted, inserted] of patches) {
      if (deleted > 0) text.delete(position, deleted);
      if (inserted !== "") text.insert(position, inserted);
    }
    heard.add(index);
  }
  return updates.flat();
}

describe.skipIf(isDataMissing)("real editing sessions", () => {
  test.each(["friendsforever", "sveltecomponent"])(
    "[DOC-5] %s passes the validator, is admitted whole, and its fold is the document",
    (name) => {
      const trace = readTrace(name);
      const updates = replay(trace);
      const log = new AdmittingLog();
      const fold = new UpdateFold();
      for (const update of updates) {
        log.receive(update);
        fold.append(log.admitted.at(-1)!);
      }
      expect(log.parked).toEqual([]);
      expect(log.admitted).toHaveLength(updates.length);
      const direct = yjsEngine.fold(updates);
      const folded = new YjsDocument(true);
      folded.apply(fold.encodeSince());
      expect(folded.ydoc.getText("t").toJSON()).toBe(trace.endContent);
      expect(toHex(folded.digestS(hash))).toBe(toHex(direct.digestS(hash)));
      // No larger than what Yjs keeps of the same history, deleted content included.
      const withHistory = yjsEngine.fold(updates, { gc: false }).encodeState().length;
      expect(fold.encodeSince().length).toBeLessThan(withHistory);
      parseUpdate(direct.encodeState());
    },
  );

  test("[DOC-6] a session that arrives backwards is parked, then released completely", () => {
    const updates = replay(readTrace("friendsforever")).slice(0, 400);
    const log = new AdmittingLog();
    for (const update of updates.toReversed()) log.receive(update);
    expect(log.parked).toEqual([]);
    const direct = yjsEngine.fold(updates);
    const released = yjsEngine.fold(log.admitted.map((update) => update.bytes));
    expect(toHex(released.digestS(hash))).toBe(toHex(direct.digestS(hash)));
  });
});
