import { readFileSync } from "node:fs";

import { fromHex, HeddleError, HeddleErrorCode, isHeddleError, toHex } from "@heddle/core";
import * as encoding from "lib0/encoding";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { checkOf } from "./feed-position.ts";
import { testHash } from "./environment.fixture.ts";
import type { FieldCodec } from "./field-codecs.ts";
import { frameShapes, FrameType } from "./frame-shapes.ts";
import { decodeFrame, encodeFrame, optionalTypeMin, type Frame } from "./frame.ts";
import { countingBytes, frames, helloWith } from "./frames.fixture.ts";
import { wireLimits } from "./wire-limits.ts";

const codes: ReadonlySet<HeddleErrorCode> = new Set([
  HeddleErrorCode.frameMalformed,
  HeddleErrorCode.frameTooLarge,
  HeddleErrorCode.protocolVersion,
]);

/** A frame, `undefined` for one that may be ignored, or an error with one of three codes. */
function decodedOrRefused(bytes: Uint8Array): Frame | HeddleError | undefined {
  try {
    return decodeFrame(bytes);
  } catch (error) {
    if (error instanceof HeddleError && codes.has(error.code)) return error;
    throw error;
  }
}

function codeOf(bytes: Uint8Array, bytesMax?: number): HeddleErrorCode | undefined {
  try {
    decodeFrame(bytes, bytesMax);
  } catch (error) {
    if (isHeddleError(error)) return error.code;
    throw error;
  }
  return undefined;
}

test("[WIR-1] every frame reads back as it was written, and has one encoding", () => {
  fc.assert(
    fc.property(frames, (frame) => {
      const bytes = encodeFrame(frame);
      const read = decodeFrame(bytes)!;
      expect(read).toEqual(frame);
      expect(toHex(encodeFrame(read))).toBe(toHex(bytes));
    }),
    { numRuns: 1_000 },
  );
});

describe("[WIR-2] bytes that are no frame are refused with a code", () => {
  test("however they are cut", () => {
    fc.assert(
      fc.property(frames, fc.nat(), (frame, at) => {
        const bytes = encodeFrame(frame);
        decodedOrRefused(bytes.subarray(0, at % bytes.length));
      }),
      { numRuns: 1_000 },
    );
    expect(codeOf(new Uint8Array())).toBe(HeddleErrorCode.frameMalformed);
  });

  test("whichever bytes are changed, inserted or removed", () => {
    const change = fc.record({
      at: fc.nat(),
      remove: fc.nat({ max: 3 }),
      insert: fc.uint8Array({ maxLength: 4 }),
    });
    fc.assert(
      fc.property(frames, fc.array(change, { minLength: 1, maxLength: 4 }), (frame, changes) => {
        let bytes = [...encodeFrame(frame)];
        for (const { at, remove, insert } of changes) {
          bytes = bytes.toSpliced(at % (bytes.length + 1), remove, ...insert);
        }
        decodedOrRefused(Uint8Array.from(bytes));
      }),
      { numRuns: 3_000 },
    );
  });

  test("whatever they are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300, size: "max" }), (bytes) => {
        decodedOrRefused(bytes);
      }),
      { numRuns: 3_000 },
    );
  });

  // A list that claims millions of items in a few bytes would cost memory before it is found out.
  test.each([
    ["have", 4, wireLimits.positionsPerFrameMax],
    ["push", 5, wireLimits.envelopesPerPushMax],
    ["ack", 2, wireLimits.positionsPerFrameMax],
    ["fork", 3, wireLimits.envelopesPerBranchMax],
  ] as const)("counts that the bytes of a %s cannot hold", (name, tag, countMax) => {
    for (const count of [2, countMax, countMax + 1, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
      const list = encoding.encode((encoder) => encoding.writeVarUint(encoder, count));
      const bytes = encoding.encode((encoder) => {
        encoding.writeUint8(encoder, FrameType[name]);
        if (name === "have") writeBytesTag(encoder, 2, new Uint8Array(32));
        if (name === "push") writeBytesTag(encoder, 4, new Uint8Array(32));
        writeBytesTag(encoder, tag, list);
      });
      expect(codeOf(bytes)).toBe(HeddleErrorCode.frameMalformed);
    }
  });

  test("[WIR-1] what is said by leaving it out is not said otherwise", () => {
    const fixed = new Map(
      Object.entries(frameShapes).map(([name, shape]) => {
        const codecs = Object.values(shape as Record<string, FieldCodec<unknown>>);
        return [name, codecs.toSorted((a, b) => a.tag - b.tag)];
      }),
    );
    let said = 0;
    for (const frame of fc.sample(frames, 1_000)) {
      const values = frame as unknown as Record<string, unknown>;
      const tags = new Map(
        Object.entries(frameShapes[frame.name]).map(([field, { tag }]) => [tag, field]),
      );
      for (const { tag: empty } of fixed.get(frame.name)!) {
        const value = values[tags.get(empty)!];
        const isLeftOut = value instanceof Uint8Array || typeof value === "string";
        if (!isLeftOut || value.length > 0) continue;
        said++;
        const bytes = encoding.encode((encoder) => {
          encoding.writeUint8(encoder, FrameType[frame.name]);
          for (const codec of fixed.get(frame.name)!) {
            if (codec.tag === empty) writeBytesTag(encoder, empty, new Uint8Array());
            else codec.write(encoder, values[tags.get(codec.tag)!]);
          }
        });
        expect(codeOf(bytes), `field ${empty} of ${frame.name}`).toBe(
          HeddleErrorCode.frameMalformed,
        );
      }
    }
    expect(said).toBeGreaterThan(10);
  });

  test("lengths beyond their end", () => {
    for (const length of [1, 2 ** 31, Number.MAX_SAFE_INTEGER]) {
      const bytes = encoding.encode((encoder) => {
        encoding.writeUint8(encoder, FrameType.lane);
        encoding.writeVarUint(encoder, (2 << 1) | 1);
        encoding.writeVarUint(encoder, length);
      });
      expect(codeOf(bytes)).toBe(HeddleErrorCode.frameMalformed);
    }
  });

  test("more than the cap, whatever is in them", () => {
    const large = new Uint8Array(wireLimits.frameBytesMax + 1);
    expect(codeOf(large)).toBe(HeddleErrorCode.frameTooLarge);
    expect(codeOf(encodeFrame(helloWith()), 20)).toBe(HeddleErrorCode.frameTooLarge);
  });

  test("fields over their bounds", () => {
    const tooLong = countingBytes(wireLimits.laneBytesMax + 1);
    expect(codeOf(encodeFrame({ name: "lane", laneRef: 1, descriptor: tooLong }))).toBe(
      HeddleErrorCode.frameMalformed,
    );
    expect(codeOf(encodeFrame({ name: "close", documentRef: wireLimits.refsMax }))).toBe(
      HeddleErrorCode.frameMalformed,
    );
  });
});

describe("[WIR-3] what a newer peer adds", () => {
  test("as an optional type is ignored, as a mandatory one refused", () => {
    const known: readonly number[] = Object.values(FrameType);
    for (let type = 0; type < 256; type++) {
      if (known.includes(type)) continue;
      const bytes = Uint8Array.of(type, 0xff, 0xff);
      if (type >= optionalTypeMin) expect(decodeFrame(bytes)).toBeUndefined();
      else expect(codeOf(bytes)).toBe(HeddleErrorCode.protocolVersion);
    }
  });

  test("as an optional field is ignored, as a mandatory one refused", () => {
    expect(decodeFrame(pongWith(90))).toEqual({ name: "pong", token: 7 });
    expect(codeOf(pongWith(9))).toBe(HeddleErrorCode.protocolVersion);
  });
});

// Goal: heddle.1 does not change without its version.
// Method: test/fixtures/sync holds each frame as the first version wrote it. Never edit it: a change
// of these bytes is another version of the protocol.
test.each(golden())("[WIR-1] golden bytes of $name", ({ encoded, ...frame }) => {
  const wanted = revived(frame) as unknown as Frame;
  expect(decodeFrame(fromHex(encoded)!)).toEqual(wanted);
  expect(toHex(encodeFrame(wanted))).toBe(encoded);
});

test("[WIR-1] golden bytes of fields that frames were given after their first golden bytes", () => {
  const checkpoint = new Uint8Array(32).fill(7);
  const get = {
    name: "checkpointGet",
    documentRef: 1,
    checkpoint,
    firstChunk: 3,
    flags: 1,
  } as const;
  expect(toHex(encodeFrame(get))).toBe(`1002010520${"07".repeat(32)}06030801`);
  const offer = {
    name: "checkpointOffer",
    documentRef: 1,
    header: Uint8Array.of(9),
    attestations: [],
    vectorBytes: 300,
    flags: 1,
  } as const;
  expect(toHex(encodeFrame(offer))).toBe("0f020105010908ac020a01");
  const incarnation = new Uint8Array(16).fill(7);
  const position = { incarnation, arrival: 300 };
  const mark = { name: "mark", ...position, check: checkOf(testHash, position) } as const;
  expect(toHex(encodeFrame(mark))).toBe(`040310${"07".repeat(16)}04ac0241089cb1f79b24148267`);
  const push = {
    name: "push",
    documentRef: 0,
    laneRef: 0,
    firstSeq: 300,
    prev: undefined,
    envelopes: [Uint8Array.of(9)],
    flags: 1,
  } as const;
  expect(toHex(encodeFrame(push))).toBe("0a06ac020b030101090c01");
});

test("[WIR-1] every frame has golden bytes", () => {
  expect(
    golden()
      .map(({ name }) => name)
      .toSorted(),
  ).toEqual(Object.keys(FrameType).toSorted());
});

interface GoldenFrame {
  readonly name: string;
  readonly encoded: string;
}

function golden(): GoldenFrame[] {
  const file = new URL("../../../test/fixtures/sync/frames-v1.json", import.meta.url);
  return JSON.parse(readFileSync(file, "utf8")) as GoldenFrame[];
}

/** Byte fields are written `{ "hex": "…" }`, absent ones `{ "absent": true }`. */
function revived(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(revived);
  if (typeof value !== "object" || value === null) return value;
  const { hex, absent } = value as { readonly hex?: string; readonly absent?: boolean };
  if (hex !== undefined) return fromHex(hex);
  if (absent) return undefined;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, revived(each)]));
}

function writeBytesTag(encoder: encoding.Encoder, tag: number, bytes: Uint8Array): void {
  encoding.writeVarUint(encoder, (tag << 1) | 1);
  encoding.writeVarUint8Array(encoder, bytes);
}

function pongWith(tag: number): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeUint8Array(encoder, encodeFrame({ name: "pong", token: 7 }));
    writeBytesTag(encoder, tag, countingBytes(5));
  });
}
