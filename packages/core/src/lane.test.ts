import * as fc from "fast-check";
import * as encoding from "lib0/encoding";
import { describe, expect, test } from "vitest";

import { concatBytes } from "./bytes.ts";
import { testDocument, testSpace } from "./envelope.fixture.ts";
import { ed25519, seededRandom, seededSigner, SetClock, sha256 } from "./environment.fixture.ts";
import { HeddleErrorCode, isHeddleError } from "./errors.ts";
import { writeBytesField } from "./fields.ts";
import { HybridClock } from "./hybrid-clock.ts";
import { documentId, noEnvelopeId } from "./ids.ts";
import { decodeLane, LaneWriter, openLane, verifyLane, type LaneDescriptor } from "./lane.ts";
import type { LanePosition } from "./version-vector.ts";

const signer = seededSigner("ada");
const random = seededRandom("lane");
const draft = { kind: 1, flags: 0, document: testDocument, epoch: 0, schema: 0, codec: 1 } as const;

function open(engine = "heddle 0.1.0"): Promise<LaneDescriptor> {
  const clock = new HybridClock(new SetClock(1_000));
  return openLane({ space: testSpace, signer, hash: sha256, random, clock, engine });
}

function refusal(bytes: Uint8Array): string {
  try {
    decodeLane(sha256, bytes);
  } catch (error) {
    if (isHeddleError(error)) return error.code;
    throw error;
  }
  return "accepted";
}

describe("lane descriptors", () => {
  test("[LOG-1] say the same after a journey, and their device signed them", async () => {
    const lane = await open();
    expect(decodeLane(sha256, lane.bytes)).toEqual(lane);
    expect(lane).toMatchObject({ space: testSpace, engine: "heddle 0.1.0" });
    expect(lane.devicePublicKey).toEqual(signer.devicePublicKey);
    expect(await verifyLane(lane, ed25519)).toBe(true);
  });

  test("[LOG-1] of one device, at one time, still name different lanes", async () => {
    expect((await open()).id).not.toBe((await open()).id);
  });

  test("[LOG-1] no bit can be changed without another id, a bad signature or a refusal", async () => {
    const lane = await open("h");
    const outcomes = new Set<string>();
    for (let bit = 0; bit < lane.bytes.length * 8; bit++) {
      const bytes = lane.bytes.slice();
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      if (refusal(bytes) !== "accepted") {
        outcomes.add("refused");
        continue;
      }
      const changed = decodeLane(sha256, bytes);
      expect([bit, await verifyLane(changed, ed25519)]).toEqual([bit, false]);
      outcomes.add(changed.id === lane.id ? "bad signature" : "other id");
    }
    expect([...outcomes].toSorted()).toEqual(["bad signature", "other id", "refused"]);
  });

  test("[LOG-4] cut, random or changed bytes are refused with a code", async () => {
    const { bytes } = await open();
    for (let length = 0; length < bytes.length; length++) {
      expect(refusal(bytes.slice(0, length))).toBe(HeddleErrorCode.frameMalformed);
    }
    expect(refusal(concatBytes([bytes, Uint8Array.of(1)]))).toBe(HeddleErrorCode.frameMalformed);
    expect(refusal(descriptorWith({ 40: 600 }))).toBe("accepted");
    expect(refusal(descriptorWith({ 40: 900 }))).toBe(HeddleErrorCode.frameMalformed);
    for (const missing of [1, 2, 3, 4, 127]) {
      const descriptor = descriptorWith({ [missing]: undefined });
      expect([missing, refusal(descriptor)]).toEqual([missing, HeddleErrorCode.frameMalformed]);
    }
    expect(refusal(Uint8Array.of(0, 0, ...bytes.subarray(2)))).toMatch(/MALFORMED/);
    expect(refusal(Uint8Array.of(2, 2, ...bytes.subarray(2)))).toMatch(/PROTOCOL_VERSION/);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300, size: "max" }), (random) => {
        expect(refusal(concatBytes([Uint8Array.of(1, 1), random]))).toMatch(/^HEDDLE_/);
      }),
    );
  });

  test("[LOG-4] an engine that is not UTF-8 is refused, one over its cap is never written", async () => {
    const { bytes } = await open("heddle");
    const at = Buffer.from(bytes).indexOf("heddle");
    const broken = bytes.slice();
    broken[at] = 0xff;
    expect(refusal(broken)).toBe(HeddleErrorCode.frameMalformed);
    expect((await open("é".repeat(64))).engine).toHaveLength(64);
    await expect(open("é".repeat(65))).rejects.toThrow("cap");
  });

  test("[LOG-4] a field of a later version below 32 is refused, one above is kept", async () => {
    expect(refusal(descriptorWith({ 6: 1 }))).toBe(HeddleErrorCode.protocolVersion);
    const ids = [{}, { 40: 1 }, { 41: 1 }].map((later) => {
      return decodeLane(sha256, descriptorWith(later)).id;
    });
    expect(new Set(ids).size).toBe(3);
  });
});

describe("LaneWriter", () => {
  test("[LOG-1] seals 1, 2, 3, ... per document, each naming the one before", async () => {
    const lane = await writer();
    const other = documentId(new Uint8Array(16).fill(2));
    const positions = new Map<string, LanePosition>();
    const sealed = [testDocument, testDocument, other, testDocument, other].map((document) => {
      const payload = Uint8Array.of(positions.size);
      const envelope = lane.seal(positions.get(document), { ...draft, document, payload });
      expect(envelope.prev).toEqual(positions.get(document)?.head ?? noEnvelopeId);
      positions.set(document, { seq: envelope.seq, head: envelope.id });
      return envelope;
    });
    expect(sealed.map(({ seq }) => seq)).toEqual([1, 2, 1, 3, 2]);
    expect(new Set(sealed.map((envelope) => envelope.lane))).toEqual(new Set([lane.descriptor.id]));
    // One clock for all documents: readings rise in the order of sealing.
    expect(sealed.map(({ hlc }) => hlc.counter)).toEqual([0, 1, 2, 3, 4]);
  });

  test("[LOG-1] seals nothing past its end", async () => {
    const lane = await writer();
    lane.end();
    expect(() => lane.seal(undefined, { ...draft, payload: new Uint8Array() })).toThrow("the end");
  });
});

/** A descriptor whose fields are zeros: its own ones, changed or taken away, and later ones. */
function descriptorWith(changes: Readonly<Record<number, number | undefined>>): Uint8Array {
  const lengths = { 1: 16, 2: 32, 3: 16, 4: 8, 127: 64, ...changes };
  const encoder = encoding.createEncoder();
  encoding.writeUint8Array(encoder, Uint8Array.of(1, 1));
  // Keys that are whole numbers come in ascending order, as tags have to.
  for (const [tag, length] of Object.entries(lengths)) {
    if (length !== undefined) writeBytesField(encoder, Number(tag), new Uint8Array(length));
  }
  return encoding.toUint8Array(encoder);
}

async function writer(): Promise<LaneWriter> {
  return new LaneWriter(await open(), sha256, new HybridClock(new SetClock(500)));
}
