import { HeddleErrorCode, isHeddleError } from "@heddle/core";
import * as fc from "fast-check";
import { expect, test } from "vitest";

import { PartJoiner, partsOf } from "./frame-parts.ts";
import { decodeFrame, type FrameOf } from "./frame.ts";
import { countingBytes } from "./frames.fixture.ts";
import { wireLimits } from "./wire-limits.ts";

function partFrames(frame: Uint8Array, transfer: number, frameBytesMax: number) {
  return partsOf(frame, transfer, frameBytesMax).map((bytes) => {
    expect(bytes.length).toBeLessThanOrEqual(frameBytesMax);
    return decodeFrame(bytes) as FrameOf<"part">;
  });
}

test("[WIR-5] a frame over the cap travels in parts, whatever was begun before it", () => {
  const lengths = fc.array(fc.integer({ min: 1, max: 12_000 }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(lengths, fc.integer({ min: 4_096, max: 9_000 }), (lengths, frameBytesMax) => {
      const joiner = new PartJoiner();
      for (const [transfer, length] of lengths.entries()) {
        // Another frame was cut off after its first part.
        joiner.add({
          name: "part",
          transfer: 99,
          totalBytes: 50,
          offset: 0,
          bytes: countingBytes(9),
        });
        const frame = countingBytes(length, transfer);
        const answers = partFrames(frame, transfer, frameBytesMax).map((part) => joiner.add(part));
        expect(answers.pop()).toEqual(frame);
        expect(answers.every((answer) => answer === "waiting")).toBe(true);
        expect(joiner.heldBytes).toBe(0);
      }
    }),
    { numRuns: 30 },
  );
});

test("[WIR-5] a lost, repeated or swapped part loses its frame and nothing else", () => {
  const frame = countingBytes(10_000);
  const [first, second, third] = partFrames(frame, 4, 4_096);
  const joiner = new PartJoiner();
  expect([first, third].map((part) => joiner.add(part!))).toEqual(["waiting", "dropped"]);
  expect([first, first, third].map((part) => joiner.add(part!)).at(-1)).toBe("dropped");
  expect([second, first].map((part) => joiner.add(part!))).toEqual(["dropped", "waiting"]);
  expect([second, third].map((part) => joiner.add(part!)).at(-1)).toEqual(frame);
});

test("[WIR-2] parts outside of their frame, or of one over the cap, are refused", () => {
  const joiner = new PartJoiner();
  const codeOf = (changes: Partial<FrameOf<"part">>) => {
    try {
      joiner.add({
        name: "part",
        transfer: 1,
        totalBytes: 10,
        offset: 0,
        bytes: countingBytes(4),
        ...changes,
      });
    } catch (error) {
      return isHeddleError(error) ? error.code : error;
    }
    return undefined;
  };
  expect(codeOf({ totalBytes: wireLimits.joinedBytesMax + 1 })).toBe(HeddleErrorCode.frameTooLarge);
  expect(codeOf({ offset: 7 })).toBe(HeddleErrorCode.frameMalformed);
  expect(codeOf({ bytes: new Uint8Array() })).toBe(HeddleErrorCode.frameMalformed);
  expect(codeOf({})).toBeUndefined();
});
