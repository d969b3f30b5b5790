import * as fc from "fast-check";
import * as encoding from "lib0/encoding";
import { describe, expect, test } from "vitest";

import { equalBytes, toHex } from "./bytes.ts";
import { testLane } from "./envelope.fixture.ts";
import { sha256 } from "./environment.fixture.ts";
import { HeddleErrorCode } from "./errors.ts";
import { bytesOfId, laneId, type LaneId } from "./ids.ts";
import {
  decodeVersionVector,
  encodeVersionVector,
  logDigest,
  type LanePosition,
  type VersionVector,
} from "./version-vector.ts";

const entry: fc.Arbitrary<[LaneId, LanePosition]> = fc.tuple(
  fc.uint8Array({ minLength: 16, maxLength: 16 }).map(laneId),
  fc.record({
    seq: fc.oneof(fc.integer({ min: 1, max: 130 }), fc.constant(Number.MAX_SAFE_INTEGER)),
    head: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  }),
);
const entries = fc.uniqueArray(entry, { selector: ([lane]) => lane, maxLength: 12 });
const malformed = expect.objectContaining({ code: HeddleErrorCode.frameMalformed });
const head = new Uint8Array(32).fill(3);

function write(...lanes: readonly (readonly [LaneId, number])[]): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, lanes.length);
    for (const [lane, seq] of lanes) {
      encoding.writeUint8Array(encoder, bytesOfId(lane));
      encoding.writeVarUint(encoder, seq);
      encoding.writeUint8Array(encoder, head);
    }
  });
}

describe("version vectors", () => {
  test("[LOG-3] come back from their bytes, and have one encoding", () => {
    fc.assert(
      fc.property(entries, (list) => {
        const bytes = encodeVersionVector(new Map(list));
        const read = decodeVersionVector(bytes);
        expect(read).toEqual(new Map(list));
        expect([...read.keys()]).toEqual([...read.keys()].toSorted());
        expect(encodeVersionVector(read)).toEqual(bytes);
      }),
    );
  });

  test("[LOG-3] a vector that was read does not share memory with what it was read from", () => {
    for (const bytes of [write([testLane(1), 2]), Buffer.from(write([testLane(1), 2]))]) {
      const read = decodeVersionVector(bytes);
      bytes.fill(0);
      expect(read.get(testLane(1))?.head).toEqual(head);
    }
  });

  test("[LOG-4] lanes out of order, repeated or without a position are refused", () => {
    const [low, high] = [testLane(1), testLane(2)];
    expect(decodeVersionVector(write([low, 1], [high, 1])).size).toBe(2);
    for (const bytes of [write([high, 1], [low, 1]), write([low, 1], [low, 2]), write([low, 0])]) {
      expect(() => decodeVersionVector(bytes)).toThrow(malformed);
    }
  });

  test("[LOG-4] cut, extended or random bytes are refused with a code", () => {
    const bytes = write([testLane(1), 300], [testLane(2), 1]);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeVersionVector(bytes.slice(0, length))).toThrow(malformed);
      expect(() => decodeVersionVector(bytes.subarray(0, length))).toThrow(malformed);
    }
    expect(() => decodeVersionVector(Uint8Array.of(...bytes, 0))).toThrow(malformed);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 2, maxLength: 200 }), (random) => {
        expect(() => decodeVersionVector(random)).toThrow(malformed);
      }),
    );
  });

  test("[LOG-4] a claimed number of lanes allocates nothing", () => {
    for (const count of [2, 1_000_001, 2 ** 40]) {
      const claim = encoding.encode((encoder) => encoding.writeVarUint(encoder, count));
      expect(() => decodeVersionVector(claim)).toThrow(malformed);
    }
  });
});

describe("digest L", () => {
  test("[LOG-2] does not depend on the order in which lanes became known", () => {
    const shuffled = entries.chain((list) => {
      return fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }));
    });
    fc.assert(
      fc.property(shuffled, ([list, again]) => {
        expect(digest(new Map(again))).toBe(digest(new Map(list)));
      }),
    );
  });

  test("[LOG-2] is equal only where the same envelopes are held", () => {
    fc.assert(
      fc.property(entries, entries, (one, other) => {
        const [a, b] = [new Map(one), new Map(other)];
        const isSame = equalBytes(encodeVersionVector(a), encodeVersionVector(b));
        expect(digest(a) === digest(b)).toBe(isSame);
      }),
    );
    const digests = [at(1, 1), at(2, 1), at(1, 2), new Map()].map(digest);
    expect(new Set(digests).size).toBe(4);
  });
});

function at(seq: number, fill: number): VersionVector {
  return new Map([[testLane(1), { seq, head: new Uint8Array(32).fill(fill) }]]);
}

function digest(vector: VersionVector): string {
  return toHex(logDigest(sha256, vector));
}
