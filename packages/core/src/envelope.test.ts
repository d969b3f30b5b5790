import * as fc from "fast-check";
import * as encoding from "lib0/encoding";
import { describe, expect, test } from "vitest";

import { concatBytes } from "./bytes.ts";
import { envelopeContents, envelopeWith } from "./envelope.fixture.ts";
import { decodeEnvelope, encodeEnvelope, withSignature } from "./envelope.ts";
import { sha256 } from "./environment.fixture.ts";
import { HeddleErrorCode, isHeddleError } from "./errors.ts";
import { writeBytesField, writeUintField } from "./fields.ts";
import { limits } from "./limits.ts";

const signature = new Uint8Array(64).fill(0x5e);
const full = withSignature(
  envelopeWith({
    flags: 4,
    seq: 300,
    epoch: 2,
    schema: 7,
    correlationId: Uint8Array.of(1, 2),
    principal: new TextEncoder().encode("ada"),
    reason: new TextEncoder().encode("undo"),
  }),
  signature,
);

function decode(bytes: Uint8Array) {
  return decodeEnvelope(sha256, bytes);
}

function refusal(bytes: Uint8Array): string {
  try {
    decode(bytes);
  } catch (error) {
    if (isHeddleError(error)) return error.code;
    throw error;
  }
  return "accepted";
}

function fields(write: (encoder: encoding.Encoder) => void): Uint8Array {
  return encoding.encode(write);
}

const codecTag = 11;
const bytesField = (tag: number, value: Uint8Array) =>
  fields((encoder) => writeBytesField(encoder, tag, value));

describe("reading what was written", () => {
  test("[LOG-2] every field survives, signed and unsigned", () => {
    fc.assert(
      fc.property(envelopeContents, fc.boolean(), (content, isSigned) => {
        const sealed = encodeEnvelope(sha256, content);
        const written = isSigned ? withSignature(sealed, signature) : sealed;
        const { bytes, ...read } = decode(written.bytes);
        expect(read).toEqual({
          correlationId: undefined,
          principal: undefined,
          reason: undefined,
          signature: isSigned ? signature : undefined,
          ...content,
          id: sealed.id,
        });
        expect(bytes).toEqual(written.bytes);
      }),
    );
  });

  test("[LOG-2] a reading is written again as the same bytes", () => {
    fc.assert(
      fc.property(envelopeContents, (content) => {
        const { bytes } = encodeEnvelope(sha256, content);
        expect(encodeEnvelope(sha256, decode(bytes)).bytes).toEqual(bytes);
      }),
    );
  });

  test("[LOG-4] a field over its cap is a mistake of the writer, and never reaches the log", () => {
    expect(() => envelopeWith({ correlationId: new Uint8Array(17) })).toThrow("cap");
    expect(() => envelopeWith({ principal: new Uint8Array(257) })).toThrow("cap");
    expect(() => envelopeWith({ reason: new Uint8Array(258) })).toThrow("cap");
    expect(() => envelopeWith({ payload: new Uint8Array(limits.updateBytesMax + 1) })).toThrow(
      "cap",
    );
    expect(() => envelopeWith({ prev: new Uint8Array(31) })).toThrow("32 bytes");
    expect(() => envelopeWith({ seq: 0 })).toThrow("start at 1");
  });
});

describe("refusing what is damaged", () => {
  test("[LOG-4] an envelope cut anywhere is refused or, where a field ends, has another id", () => {
    for (let length = 0; length < full.bytes.length; length++) {
      const outcome = refusal(full.bytes.slice(0, length));
      if (outcome === "accepted") {
        expect(decode(full.bytes.slice(0, length)).signature).toBeUndefined();
      } else {
        expect(outcome).toBe(HeddleErrorCode.frameMalformed);
      }
    }
  });

  test("[LOG-4] a length that runs past the end does not read the neighbour's memory", () => {
    const { bytes } = envelopeWith();
    const memory = new Uint8Array(bytes.length * 3).fill(1);
    memory.set(bytes, 40);
    for (let length = 0; length < bytes.length; length++) {
      expect(refusal(memory.subarray(40, 40 + length))).toBe(HeddleErrorCode.frameMalformed);
    }
  });

  test("[LOG-4] random bytes are refused with a code", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400, size: "max" }), (bytes) => {
        expect(refusal(bytes)).toMatch(/^HEDDLE_/);
        expect(refusal(concatBytes([Uint8Array.of(1, 1), bytes]))).toMatch(/^HEDDLE_/);
      }),
      { numRuns: 1_000 },
    );
  });

  test("[LOG-4] bytes put into, taken from or changed in an envelope never crash the reader", () => {
    const edit = fc.record({
      at: fc.nat({ max: full.bytes.length }),
      removed: fc.nat({ max: 9 }),
      added: fc.uint8Array({ maxLength: 9 }),
    });
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
        let { bytes } = full;
        for (const { at, removed, added } of edits) {
          bytes = concatBytes([bytes.subarray(0, at), added, bytes.subarray(at + removed)]);
        }
        expect(refusal(bytes)).toMatch(/^HEDDLE_|^accepted$/);
      }),
      { numRuns: 1_000 },
    );
  });

  test("[LOG-4] a field without which there is no envelope is missed", () => {
    const { bytes } = envelopeWith();
    const starts = fieldStarts(bytes);
    for (const [index, { tag, start }] of starts.entries()) {
      const end = starts[index + 1]?.start ?? bytes.length;
      const without = concatBytes([bytes.subarray(0, start), bytes.subarray(end)]);
      // A number that is not there says zero, and a payload may be of no codec.
      const expected = tag === codecTag ? "accepted" : HeddleErrorCode.frameMalformed;
      expect([tag, refusal(without)]).toEqual([tag, expected]);
    }
  });

  test("[LOG-4] a field of the wrong kind or length is refused", () => {
    const { bytes } = envelopeWith();
    const [correlationId, principal] = [32, 33];
    for (const field of [
      bytesField(correlationId, new Uint8Array(17)),
      bytesField(principal, new Uint8Array(257)),
      fields((encoder) => writeUintField(encoder, principal, 5)),
      fields((encoder) => writeUintField(encoder, 127, 64)),
      bytesField(127, new Uint8Array(63)),
    ]) {
      expect(refusal(concatBytes([bytes, field]))).toBe(HeddleErrorCode.frameMalformed);
    }
  });

  test("[LOG-4] nothing follows the signature", () => {
    for (const tag of [35, 126, 127, 128, 5_000]) {
      const trailing = concatBytes([full.bytes, bytesField(tag, Uint8Array.of(1))]);
      expect(refusal(trailing)).toBe(HeddleErrorCode.frameMalformed);
    }
    expect(refusal(concatBytes([full.bytes, Uint8Array.of(0)]))).toMatch(/MALFORMED/);
  });
});

describe("meeting a newer version", () => {
  test("[LOG-4] an envelope for newer readers only is refused, one by a newer writer is read", () => {
    const [forNewerReaders, byNewerWriter] = [full.bytes.slice(), full.bytes.slice()];
    forNewerReaders.set([2, 2]);
    byNewerWriter.set([2, 1]);
    expect(refusal(forNewerReaders)).toBe(HeddleErrorCode.protocolVersion);
    expect(decode(byNewerWriter).seq).toBe(300);
    for (const noVersion of [
      [0, 0],
      [0, 1],
      [1, 0],
    ]) {
      const bytes = full.bytes.slice();
      bytes.set(noVersion);
      expect(refusal(bytes)).toBe(HeddleErrorCode.frameMalformed);
    }
  });

  test("[LOG-4] an unknown field below 32 is refused, one above is skipped and kept in the id", () => {
    const { bytes, id } = envelopeWith();
    for (const tag of [13, 31]) {
      const extended = concatBytes([bytes, bytesField(tag, Uint8Array.of(9))]);
      expect(refusal(extended)).toBe(HeddleErrorCode.protocolVersion);
    }
    for (const tag of [35, 126]) {
      const extended = concatBytes([bytes, bytesField(tag, Uint8Array.of(9))]);
      const read = decode(extended);
      expect(read.payload).toEqual(Uint8Array.of(11, 12, 13));
      expect(read.id).not.toEqual(id);
      expect(read.bytes).toEqual(extended);
    }
  });

  test("[LOG-4] an unknown kind or codec is refused as too new", () => {
    expect(refusal(envelopeWith({ kind: 4 as 3 }).bytes)).toBe(HeddleErrorCode.protocolVersion);
    expect(refusal(envelopeWith({ codec: 2 as 1 }).bytes)).toBe(HeddleErrorCode.protocolVersion);
  });
});

describe("bounding what a stranger can cost", () => {
  test("[LOG-4] a claimed length allocates nothing", () => {
    const { bytes } = envelopeWith();
    const claims = [2 ** 20, 2 ** 31, 2 ** 40, Number.MAX_SAFE_INTEGER].map((length) => {
      return concatBytes([
        bytes,
        fields((encoder) => {
          encoding.writeVarUint(encoder, (33 << 1) | 1);
          encoding.writeVarUint(encoder, length);
        }),
      ]);
    });
    const before = process.memoryUsage().arrayBuffers;
    for (let round = 0; round < 50; round++) {
      for (const claim of claims) expect(refusal(claim)).toBe(HeddleErrorCode.frameMalformed);
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1024 * 1024);
  });

  test("[LOG-4] payload and header have a cap each, and cannot lend it to each other", () => {
    const whole = new Uint8Array(limits.updateBytesMax + limits.envelopeHeaderBytesMax + 1);
    expect(refusal(whole)).toBe(HeddleErrorCode.frameTooLarge);
    const { bytes } = envelopeWith();
    const hidden = bytesField(40, new Uint8Array(limits.envelopeHeaderBytesMax));
    expect(refusal(concatBytes([bytes, hidden]))).toBe(HeddleErrorCode.frameTooLarge);
  });

  test("[LOG-4] the largest payload is written and read", () => {
    const payload = new Uint8Array(limits.updateBytesMax).fill(0x77);
    expect(decode(envelopeWith({ payload }).bytes).payload.length).toBe(payload.length);
  });
});

function fieldStarts(bytes: Uint8Array): { tag: number; start: number }[] {
  const starts: { tag: number; start: number }[] = [];
  for (let at = 2; at < bytes.length;) {
    // Tags and lengths of this envelope fit one byte.
    const key = bytes[at]!;
    starts.push({ tag: key >> 1, start: at });
    at += key % 2 === 1 ? 2 + bytes[at + 1]! : 2;
  }
  return starts;
}
