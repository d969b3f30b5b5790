import * as fc from "fast-check";
import { expect, test } from "vitest";

import { arrivalRunsOf, isNumbered } from "./arrival-runs.ts";
import { chainOf, testDocument, testLane } from "./envelope.fixture.ts";
import { documentId } from "./ids.ts";

const otherDocument = documentId(new Uint8Array(16).fill(0xd1));

test("[LOG-1] runs list the arrivals in their order, and never more than arrived", () => {
  const arrival = fc.record({
    document: fc.constantFrom(testDocument, otherDocument),
    lane: fc.constantFrom(testLane(1), testLane(2)),
    seq: fc.integer({ min: 1, max: 4 }),
  });
  fc.assert(
    fc.property(fc.array(arrival, { maxLength: 12 }), (arrivals) => {
      const runs = arrivalRunsOf(arrivals);
      const unfolded = runs.flatMap(({ document, lane, fromSeq, toSeq }) => {
        return Array.from({ length: toSeq - fromSeq + 1 }, (_, index) => {
          return { document, lane, seq: fromSeq + index };
        });
      });
      expect(unfolded).toEqual(arrivals);
    }),
  );
});

test("[LOG-1] a contiguous stretch of one lane and document is one run", () => {
  const [lane, other] = [testLane(1), testLane(2)];
  const arrivals = [...chainOf(lane, 3), ...chainOf(other, 2)];
  expect(arrivalRunsOf(arrivals)).toEqual([
    { document: testDocument, lane, fromSeq: 1, toSeq: 3 },
    { document: testDocument, lane: other, fromSeq: 1, toSeq: 2 },
  ]);
});

test("[LOG-1] a batch of nothing but vectors takes no number in the change feed", () => {
  const vectors = [{ document: testDocument, vector: new Map() }];
  expect(isNumbered({ vectors })).toBe(false);
  expect(isNumbered({ vectors, envelopes: [] })).toBe(false);
  expect(isNumbered({ vectors, envelopes: chainOf(testLane(1), 1) })).toBe(true);
  expect(isNumbered({ release: [{ document: testDocument, id: "00" }] })).toBe(true);
});
