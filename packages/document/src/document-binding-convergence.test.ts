import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as Y from "yjs";

import { digests, digestsOf } from "./bound-digests.fixture.ts";
import { BoundDocument } from "./bound-documents.fixture.ts";
import { parseUpdate } from "./parse-update.ts";
import { contentOf, runs, steps, take, type Step } from "./sessions.fixture.ts";
import { YjsDocument } from "./yjs-engine.ts";

const events = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: fc.record({ kind: fc.constant("edit" as const), pick: fc.nat(999) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("seal" as const), pick: fc.nat(2) }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant("deliver" as const), pick: fc.nat(99) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("attach" as const), pick: fc.nat(2) }) },
  ),
  { minLength: 1, maxLength: 120, size: "max" },
);

/** Edits, providers beside us (exchanges between the documents), seals and deliveries in any order. */
function playBound(script: readonly Step[], plan: readonly { kind: string; pick: number }[]) {
  const bounds = [1_000, 2_000_000_000, 3].map((first) => new BoundDocument(first));
  for (const bound of bounds.slice(0, 2)) bound.attach();
  const docs = bounds.map(({ ydoc }) => ydoc);
  const undo = new Y.UndoManager(docs[0]!.getText("t"), { captureTimeout: 0 });
  const delivered = bounds.map(() => new Set<Uint8Array>());
  const attachedTo = new Set([0, 1]);
  let next = 0;
  const deliverOne = (pick: number): void => {
    const to = pick % bounds.length;
    if (!attachedTo.has(to)) return;
    const waiting = bounds
      .flatMap(({ updates }, from) => (from === to ? [] : updates))
      .filter((update) => !delivered[to]!.has(update));
    const update = waiting[pick % Math.max(1, waiting.length)];
    if (update === undefined) return;
    delivered[to]!.add(update);
    bounds[to]!.receive(update);
  };
  const reattach = (index: number): void => {
    if (attachedTo.has(index)) bounds[index]!.binding.detach();
    attachedTo.add(index);
    bounds[index]!.attach();
  };
  for (const { kind, pick } of plan) {
    if (kind === "seal") bounds[pick]!.timers.fire();
    else if (kind === "deliver") deliverOne(pick);
    else if (kind === "attach") reattach(pick);
    else {
      const step = script[next++ % script.length]!;
      take(docs, undo, { ...step, who: step.who % docs.length }, true);
    }
  }
  for (const index of bounds.keys()) if (!attachedTo.has(index)) reattach(index);
  for (const bound of bounds) bound.binding.flush();
  const all = bounds.flatMap(({ updates }) => updates);
  for (const bound of bounds) for (const update of all) bound.receive(update);
  return { bounds, all };
}

describe("convergence", () => {
  test("[LIV-2] bound documents that exchange what they sealed, in any order, end equal, and so does the log", () => {
    fc.assert(
      fc.property(steps, events, (script, plan) => {
        const { bounds, all } = playBound(script, plan);
        for (const update of all) parseUpdate(update);
        for (const bound of bounds) {
          expect(bound.log.parked).toEqual([]);
          expect(bound.binding.edits).toBe(0);
          expect(bound.ydoc.store.pendingStructs).toBeNull();
        }
        const [first, ...others] = bounds.map(({ ydoc }) => digests(ydoc));
        for (const other of others) expect(other).toEqual(first);
        for (const { log } of bounds) {
          expect(digestsOf(log.admitted.map(({ bytes }) => bytes))).toEqual(first);
        }
        const [content, ...contents] = bounds.map(({ ydoc }) => contentOf(ydoc));
        for (const other of contents) expect(other).toEqual(content);
      }),
      runs(150),
    );
  });

  test("[LIV-2] what one document sealed is complete at every point: nothing waits, nothing is logged twice", () => {
    fc.assert(
      fc.property(steps, events, (script, plan) => {
        const { bounds } = playBound(script, plan);
        for (const { updates } of bounds.slice(0, 1)) {
          const reader = new YjsDocument(true);
          const others = bounds.slice(1).flatMap((other) => other.updates);
          for (const update of others) reader.apply(update);
          for (const update of updates) reader.apply(update);
          expect(reader.hasPending).toBe(false);
        }
      }),
      runs(50),
    );
  });
});
