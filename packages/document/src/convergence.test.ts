import { toHex } from "@heddle/core";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import * as Y from "yjs";

import { AdmittingLog } from "./admission.fixture.ts";
import { admitUpdate } from "./admit-update.ts";
import { mergeParsed } from "./merge-parsed.ts";
import { parseUpdate } from "./parse-update.ts";
import {
  contentOf,
  deliver,
  delivery,
  hash,
  play,
  type Session,
  steps,
  runs,
} from "./sessions.fixture.ts";
import { UpdateFold } from "./update-fold.ts";
import { yjsEngine, YjsDocument } from "./yjs-engine.ts";

function digestOf(updates: Iterable<Uint8Array>): string {
  return toHex(yjsEngine.fold(updates).digestS(hash));
}

function receiveAll(updates: readonly Uint8Array[]): AdmittingLog {
  const log = new AdmittingLog();
  for (const update of updates) log.receive(update);
  return log;
}

function bytesOf(log: AdmittingLog): Uint8Array[] {
  return log.admitted.map((update) => update.bytes);
}

const scenario = fc.record({ script: steps, order: delivery, stock: fc.boolean() });

test("[DOC-3] any order, repetition and batching through admission gives the digest of direct application", () => {
  fc.assert(
    fc.property(scenario, ({ script, order, stock }) => {
      const session = play(script, { stock });
      const log = receiveAll(deliver(session, order));
      expect(log.parked).toEqual([]);
      const direct = digestOf(session.updates);
      expect(digestOf(bytesOf(log))).toBe(direct);
      expect(digestOf([mergeParsed(log.admitted)])).toBe(direct);
    }),
    runs(100),
  );
});

test("[DOC-2] what is known adds nothing when it comes again, in whatever form", () => {
  fc.assert(
    fc.property(scenario, ({ script, order, stock }) => {
      const session = play(script, { stock });
      const log = receiveAll(session.updates);
      for (const update of deliver(session, order)) {
        const admission = admitUpdate(log.knowledge, parseUpdate(update));
        // Whole states carry deletes that Yjs derived itself: those may be new, structs may not.
        expect(admission.parked).toBeUndefined();
        expect(admission.admitted?.runs ?? []).toEqual([]);
        if (admission.admitted !== undefined) log.knowledge.learn(admission.admitted);
        expect(admitUpdate(log.knowledge, parseUpdate(update)).isDuplicate).toBe(true);
      }
    }),
    runs(100),
  );
});

test("[DOC-6] what is admitted leaves Yjs nothing pending at any point, and is never admitted twice", () => {
  fc.assert(
    fc.property(scenario, ({ script, order, stock }) => {
      const session = play(script, { stock });
      const log = new AdmittingLog();
      const doc = new YjsDocument(true);
      let applied = 0;
      for (const update of deliver(session, order)) {
        log.receive(update);
        for (; applied < log.admitted.length; applied++) {
          doc.apply(log.admitted[applied]!.bytes);
          expect(doc.hasPending).toBe(false);
        }
      }
      expect(Y.decodeStateVector(log.knowledge.encodeStateVector())).toEqual(
        Y.decodeStateVector(doc.encodeStateVector()),
      );
      expectEachClockOnce(log);
    }),
    runs(100),
  );
});

function expectEachClockOnce(log: AdmittingLog): void {
  const clocks = new Map<number, number>();
  for (const run of log.admitted.flatMap((update) => update.runs)) {
    expect(run.clock).toBe(clocks.get(run.client) ?? 0);
    clocks.set(run.client, run.endClock);
  }
}

/** Vectors that peers may be at: each document of the session, and points inside any struct. */
function vectorsOf(session: Session, cuts: readonly number[]): Uint8Array[] {
  const partial = cuts.map((cut) => {
    const doc = new Y.Doc();
    for (const update of session.updates.slice(0, cut % (session.updates.length + 1))) {
      Y.applyUpdate(doc, update);
    }
    return Y.encodeStateVector(doc);
  });
  return [...session.docs.map((doc) => Y.encodeStateVector(doc)), ...partial];
}

test("[DOC-5] the fold of the log answers a state vector as a loaded document does", () => {
  const cuts = fc.array(fc.nat(60), { maxLength: 4 });
  fc.assert(
    fc.property(scenario, cuts, fc.boolean(), ({ script, order, stock }, cuts, gc) => {
      const session = play(script, { stock });
      const log = receiveAll(deliver(session, order));
      const fold = new UpdateFold();
      for (const update of log.admitted) fold.append(update);
      const loaded = new YjsDocument(gc);
      loaded.applyAll(bytesOf(log));
      expect(Y.decodeStateVector(fold.encodeStateVector())).toEqual(
        Y.decodeStateVector(loaded.encodeStateVector()),
      );
      expect(() => parseUpdate(fold.encodeSince())).not.toThrow();
      for (const vector of [undefined, ...vectorsOf(session, cuts)]) {
        const base = clientAt(session, vector);
        const viaFold = clientWith(base, fold.encodeSince(vector));
        const viaDoc = clientWith(base, loaded.encodeSince(vector));
        expect(toHex(viaFold.digestS(hash))).toBe(toHex(viaDoc.digestS(hash)));
        expect(contentOf(viaFold.ydoc)).toEqual(contentOf(viaDoc.ydoc));
      }
    }),
    runs(100),
  );
});

/** The state of a client that is at exactly this vector: one of the session's documents, or a prefix. */
function clientAt(session: Session, vector: Uint8Array | undefined): Uint8Array | undefined {
  if (vector === undefined) return undefined;
  const candidates = session.docs.map((doc) => Y.encodeStateAsUpdate(doc));
  const doc = new Y.Doc();
  for (const update of session.updates) {
    candidates.push(Y.encodeStateAsUpdate(doc));
    Y.applyUpdate(doc, update);
  }
  candidates.push(Y.encodeStateAsUpdate(doc));
  return candidates.find((state) => {
    const probe = new Y.Doc();
    Y.applyUpdate(probe, state);
    return Buffer.compare(Y.encodeStateVector(probe), vector) === 0;
  });
}

function clientWith(base: Uint8Array | undefined, update: Uint8Array): YjsDocument {
  const client = new YjsDocument(true);
  if (base !== undefined) client.apply(base);
  client.apply(update);
  return client;
}

test("[DOC-4] receiving never creates operations", () => {
  fc.assert(
    fc.property(scenario, ({ script, order }) => {
      const session = play(script, { stock: true });
      const receiver = new YjsDocument(true);
      let created = 0;
      receiver.ydoc.on("afterTransaction", (transaction) => {
        if (transaction.local && transaction.deleteSet.clients.size > 0) created++;
      });
      for (const update of receiveAll(deliver(session, order)).admitted)
        receiver.apply(update.bytes);
      expect(created).toBe(0);
      expect(toHex(receiver.digestS(hash))).toBe(digestOf(session.updates));
    }),
    runs(100),
  );
});
