import { HeddleErrorCode, isHeddleError } from "@heddle/core";
import * as fc from "fast-check";
import { expect, test } from "vitest";

import { PartJoiner, PartsRoom, partsOf } from "./frame-parts.ts";
import { decodeFrame, type FrameOf } from "./frame.ts";
import { countingBytes } from "./frames.fixture.ts";
import { wireLimits } from "./wire-limits.ts";

function roomFor(bytesMax = 0, onDropped: () => void = () => undefined): PartsRoom {
  return new PartsRoom(bytesMax, onDropped);
}

function partFrames(frame: Uint8Array, transfer: number, frameBytesMax: number) {
  return [...partsOf(frame, transfer, frameBytesMax)].map((bytes) => {
    expect(bytes.length).toBeLessThanOrEqual(frameBytesMax);
    return decodeFrame(bytes) as FrameOf<"part">;
  });
}

test("[WIR-5] a frame over the cap travels in parts, whatever was begun before it", () => {
  const lengths = fc.array(fc.integer({ min: 1, max: 12_000 }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(lengths, fc.integer({ min: 4_096, max: 9_000 }), (lengths, frameBytesMax) => {
      const joiner = new PartJoiner(roomFor());
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
  const joiner = new PartJoiner(roomFor());
  expect([first, third].map((part) => joiner.add(part!))).toEqual(["waiting", "dropped"]);
  expect([first, first, third].map((part) => joiner.add(part!)).at(-1)).toBe("dropped");
  expect([second, first].map((part) => joiner.add(part!))).toEqual(["dropped", "waiting"]);
  expect([second, third].map((part) => joiner.add(part!)).at(-1)).toEqual(frame);
});

test("[WIR-2] parts outside of their frame, or of one over the cap, are refused", () => {
  const joiner = new PartJoiner(roomFor());
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

test("[WIR-7] frames that are begun by many take so much memory in all, and who goes on is not pushed out", () => {
  let dropped = 0;
  const bytesMax = wireLimits.joinedBytesMax;
  const room = roomFor(bytesMax, () => dropped++);
  const totalBytes = wireLimits.joinedBytesMax;
  const bytes = new Uint8Array(200 * 1024);
  const honest = new PartJoiner(room);
  const honestBytes = 8_000_000;
  let offset = 0;
  const goOn = (): unknown => {
    const length = Math.min(bytes.length, honestBytes - offset);
    const sized = { totalBytes: honestBytes, bytes: bytes.subarray(0, length) };
    const part = { transfer: 1, offset, ...sized };
    offset += length;
    return honest.add({ name: "part", ...part });
  };
  for (let stranger = 0; stranger < 10; stranger++) {
    const joiner = new PartJoiner(room);
    for (let at = 0; at + bytes.length < 3_000_000; at += bytes.length) {
      joiner.add({ name: "part", transfer: 1, totalBytes, offset: at, bytes });
      expect(room.heldBytes).toBeLessThanOrEqual(bytesMax);
    }
    expect(goOn()).toBe("waiting");
  }
  expect(dropped).toBeGreaterThan(3);
  let answer: unknown = "waiting";
  while (answer === "waiting") answer = goOn();
  expect(answer).toHaveLength(honestBytes);
});

test("[WIR-7] parts of a byte each, in large messages, keep a byte each", () => {
  const room = roomFor();
  const joiner = new PartJoiner(room);
  const message = new Uint8Array(256 * 1024);
  for (let offset = 0; offset < 5_000; offset++) {
    const bytes = message.subarray(9, 10);
    joiner.add({ name: "part", transfer: 1, totalBytes: 1_000_000, offset, bytes });
  }
  expect(joiner.heldBytes).toBe(5_000);
  expect(room.heldBytes).toBe(64 * 1024);
  joiner.drop();
  expect(room.heldBytes).toBe(0);
});
