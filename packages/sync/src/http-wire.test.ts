import { HeddleErrorCode } from "@heddle/core";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { closeWordsOf } from "./close-words.ts";
import {
  decodeHttpWords,
  encodeHttpWords,
  FrameQueue,
  framesOfBatch,
  httpWire,
} from "./http-wire.ts";
import { wireLimits } from "./wire-limits.ts";

describe("batches", () => {
  const frame = fc.uint8Array({ minLength: 1, maxLength: 300 });

  test("[TRN-1] carry frames of any size in their order, in bodies within the bound", () => {
    const sizes = fc.constantFrom(1, 1_000, 100_000, wireLimits.frameBytesMax);
    fc.assert(
      fc.property(fc.array(sizes, { maxLength: 12 }), fc.array(frame), (large, small) => {
        const sent = [...large.map((size) => new Uint8Array(size).fill(size)), ...small];
        const queue = new FrameQueue();
        for (const each of sent) queue.push(each);
        const received: Uint8Array[] = [];
        let bytes = 0;
        while (!queue.isEmpty) {
          const batch = queue.take();
          bytes += batch.bytes;
          expect(batch.body.length).toBeGreaterThan(4);
          expect(batch.body.length).toBeLessThanOrEqual(httpWire.batchBytesMax);
          received.push(...framesOfBatch(batch.body));
        }
        expect(queue.bytes).toBe(0);
        expect(bytes).toBe(sent.reduce((sum, { length }) => sum + length, 0));
        expect(Buffer.concat(received).equals(Buffer.concat(sent))).toBe(true);
        expect(received.map(({ length }) => length)).toEqual(sent.map(({ length }) => length));
      }),
      { numRuns: 50 },
    );
  });

  test("[TRN-1] are laid out as docs/protocol.md says", () => {
    const queue = new FrameQueue();
    queue.push(Uint8Array.of(0xaa));
    queue.push(Uint8Array.of(0xbb, 0xcc));
    const { body } = queue.take();
    expect(Buffer.from(body).toString("hex")).toBe("00000001aa00000002bbcc");
    expect(queue.take()).toEqual({ body: new Uint8Array(), bytes: 0 });
  });

  test.each([
    ["cut in a length", "000000", HeddleErrorCode.frameMalformed],
    ["cut in a frame", "00000002aa", HeddleErrorCode.frameMalformed],
    ["an empty frame", "00000000", HeddleErrorCode.frameMalformed],
    ["bytes behind the last frame", "00000001aa00", HeddleErrorCode.frameMalformed],
    ["a length over the cap", "00040001aa", HeddleErrorCode.frameTooLarge],
    ["the largest length there is", "ffffffffaa", HeddleErrorCode.frameTooLarge],
  ])("[TRN-2] %s are refused whole", (_what, hex, code) => {
    const read = () => framesOfBatch(Buffer.from(hex, "hex"));
    expect(read).toThrow(expect.objectContaining({ code }));
  });

  test("[TRN-1] are copied from whatever view they came in", () => {
    const pool = Buffer.from("ffff00000001aaff", "hex");
    const [frame] = framesOfBatch(pool.subarray(2, 7));
    pool.fill(0);
    expect([frame!.buffer.byteLength, ...frame!]).toEqual([1, 0xaa]);
  });

  test("[TRN-2] of arbitrary bytes are frames, or refused with a code", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (body) => {
        try {
          const total = framesOfBatch(body).reduce((sum, { length }) => sum + 4 + length, 0);
          expect(total).toBe(body.length);
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/^HEDDLE_FRAME_/) });
        }
      }),
    );
  });
});

test("[TRN-4] a goodbye is read as it was written, and anything else as one without words", () => {
  for (const code of Object.values(HeddleErrorCode)) {
    const words = closeWordsOf(code, "why\nnot");
    expect(decodeHttpWords(encodeHttpWords(words))).toEqual(words);
  }
  expect(decodeHttpWords("1000")).toEqual({ closeCode: 1000, text: "" });
  for (const body of ["", "gone", "10000 x", "<html>", "100 x"]) {
    expect(decodeHttpWords(body).closeCode).toBe(1005);
  }
});
