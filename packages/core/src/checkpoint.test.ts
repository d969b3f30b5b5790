import { describe, expect, test } from "vitest";

import { concatBytes, fromHex, toHex } from "./bytes.ts";
import {
  decodeCheckpoint,
  hashRecalls,
  isCheckpointSigned,
  isCheckpointWhole,
  signCheckpoint,
  type CheckpointContent,
} from "./checkpoint.ts";
import {
  decodeCheckpointVector,
  encodeCheckpointVector,
  hashCheckpointVector,
  splitCheckpointVector,
  type CheckpointVector,
} from "./checkpoint-vector.ts";
import { PayloadCodec } from "./envelope.ts";
import { ed25519, seededSigner, sha256 } from "./environment.fixture.ts";
import { HeddleErrorCode } from "./errors.ts";
import { golden } from "./golden.fixture.ts";
import { documentId, laneId, spaceId, type LaneId } from "./ids.ts";
import { limits } from "./limits.ts";
import { logDigest } from "./version-vector.ts";

const signer = seededSigner("checkpoints");
const filled = (byte: number, length: number): Uint8Array => new Uint8Array(length).fill(byte);
const lane = (byte: number): LaneId => laneId(filled(byte, 16));
const covered: CheckpointVector = {
  vector: new Map([
    [lane(9), { seq: 70_000, head: filled(0x22, 32) }],
    [lane(3), { seq: 1, head: filled(0x11, 32) }],
  ]),
  clients: new Map([[lane(9), [4_294_967_295, 7]]]),
};
const state = filled(0x5a, 100);
const chunks = encodeCheckpointVector(covered);
const content: CheckpointContent = {
  space: spaceId(filled(1, 16)),
  document: documentId(filled(2, 16)),
  builtAt: { wallMs: 1_795_000_000_123, counter: 4 },
  engine: "yjs 13.6",
  codec: PayloadCodec.yjsV1,
  lanes: 2,
  digestL: logDigest(sha256, covered.vector),
  vectorHash: hashCheckpointVector(sha256, chunks),
  digestS: filled(3, 32),
  digestC: filled(4, 32),
  payloadHash: sha256.sha256(state),
  payloadBytes: state.length,
  stateBytes: 300,
  heldEnvelopes: 0,
};
const recalled = {
  ...content,
  recallsHash: hashRecalls(sha256, ["ab".repeat(32)]),
  held: Uint8Array.of(1, 7, 9),
  heldEnvelopes: 2,
};

interface GoldenCheckpoint {
  readonly header: string;
  readonly recalledHeader: string;
  readonly id: string;
  readonly vector: readonly string[];
  readonly vectorHash: string;
  readonly recallsHash: string;
}

describe("checkpoint header", () => {
  test("[CKP-2] keeps its bytes, and those of its vector", async () => {
    const header = await signCheckpoint(sha256, signer, content);
    const made: GoldenCheckpoint = {
      header: toHex(header.bytes),
      recalledHeader: toHex((await signCheckpoint(sha256, signer, recalled)).bytes),
      id: toHex(header.id),
      vector: chunks.map(toHex),
      vectorHash: toHex(content.vectorHash),
      recallsHash: toHex(recalled.recallsHash!),
    };
    expect(made).toEqual(golden<GoldenCheckpoint>("checkpoint-v1"));
  });

  test("[CKP-2] is read back from those bytes, with its signature", async () => {
    const { header, recalledHeader, vector } = golden<GoldenCheckpoint>("checkpoint-v1");
    const read = decodeCheckpoint(sha256, fromHex(header)!);
    expect(read).toMatchObject(content);
    expect(await isCheckpointSigned(read, ed25519)).toBe(true);
    expect(decodeCheckpoint(sha256, fromHex(recalledHeader)!)).toMatchObject(recalled);
    expect(decodeCheckpointVector(vector.map((chunk) => fromHex(chunk)!))).toEqual(covered);
  });

  test("[CKP-2] names what it covers: another byte in state or vector is found", async () => {
    const header = await signCheckpoint(sha256, signer, content);
    expect(isCheckpointWhole(sha256, header, { vector: chunks, payload: state })).toBe(true);
    const otherState = state.with(99, 0);
    expect(isCheckpointWhole(sha256, header, { vector: chunks, payload: otherState })).toBe(false);
    const shorter = state.subarray(1);
    expect(isCheckpointWhole(sha256, header, { vector: chunks, payload: shorter })).toBe(false);
    const otherVector = [chunks[0]!.with(20, 0)];
    expect(isCheckpointWhole(sha256, header, { vector: otherVector, payload: state })).toBe(false);
  });

  test("[CKP-2] has a vector that is cut again where it was joined, or between other entries", () => {
    const clients = new Map([
      [lane(5), Array.from({ length: 40_000 }, (_, index) => index + 70_000)],
    ]);
    const vector = new Map(
      Array.from({ length: 200 }, (_, index) => [
        lane(index),
        { seq: index + 1, head: filled(1, 32) },
      ]),
    );
    const large = encodeCheckpointVector({ vector, clients });
    const cut = splitCheckpointVector(concatBytes(large));
    expect(cut.length).toBeGreaterThan(1);
    expect(cut).toEqual(large);
    expect(decodeCheckpointVector(cut)).toEqual({ vector, clients });
    expect(splitCheckpointVector(new Uint8Array())).toEqual([]);
    expect(() => splitCheckpointVector(concatBytes(large).subarray(1))).toThrow("damaged");
  });

  test("[CKP-2] is not taken for signed when a byte differs", async () => {
    const { bytes } = await signCheckpoint(sha256, signer, content);
    const at = toHex(bytes).indexOf(toHex(content.digestC)) / 2;
    const other = decodeCheckpoint(sha256, bytes.with(at, 5));
    expect(await isCheckpointSigned(other, ed25519)).toBe(false);
  });

  test("[CKP-3] is refused when it claims a state over the cap, before anything is inflated", async () => {
    const largest = { ...content, stateBytes: limits.checkpointStateBytesMax };
    const { bytes } = await signCheckpoint(sha256, signer, largest);
    expect(decodeCheckpoint(sha256, bytes).stateBytes).toBe(limits.checkpointStateBytesMax);
    // 128 MiB as a varUint is 80 80 80 40; one bit more in the last byte is 32 MiB more.
    const at = toHex(bytes).indexOf("80808040") / 2;
    const { frameMalformed } = HeddleErrorCode;
    expect(() => decodeCheckpoint(sha256, bytes.with(at + 3, 0x50))).toThrow(
      expect.objectContaining({ code: frameMalformed }),
    );
  });

  test("is refused cut at any place, and when a newer heddle wrote it", async () => {
    const { bytes } = await signCheckpoint(sha256, signer, recalled);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeCheckpoint(sha256, bytes.subarray(0, length))).toThrow(
        expect.objectContaining({ code: HeddleErrorCode.frameMalformed }),
      );
    }
    expect(() => decodeCheckpoint(sha256, bytes.with(1, 2))).toThrow(
      expect.objectContaining({ code: HeddleErrorCode.protocolVersion }),
    );
  });

  test("names recalls whatever their order, and none not at all", () => {
    const [a, b] = ["aa".repeat(32), "bb".repeat(32)];
    expect(hashRecalls(sha256, [a!, b!])).toEqual(hashRecalls(sha256, [b!, a!]));
    expect(hashRecalls(sha256, [a!])).not.toEqual(hashRecalls(sha256, [b!]));
    expect(hashRecalls(sha256, [])).toBeUndefined();
  });
});

describe("checkpoint vector", () => {
  test("[CKP-2] is cut into chunks, however many lanes and clients there are", () => {
    const lanes = Array.from({ length: 3_000 }, (_, index) => {
      const id = filled(0, 16);
      new DataView(id.buffer).setUint32(0, index);
      return [laneId(id), { seq: index + 1, head: filled(index % 256, 32) }] as const;
    });
    const crowd = Array.from({ length: 5_000 }, (_, index) => 2 ** 31 + index);
    const large = { vector: new Map(lanes), clients: new Map([[lanes[5]![0], crowd]]) };
    const encoded = encodeCheckpointVector(large);
    expect(encoded.length).toBeGreaterThan(2);
    for (const chunk of encoded) expect(chunk.length).toBeLessThan(64 * 1024);
    expect(decodeCheckpointVector(encoded)).toEqual(large);
    expect(decodeCheckpointVector([])).toEqual({ vector: new Map(), clients: new Map() });
  });

  test("is refused when it is damaged", () => {
    const { frameMalformed } = HeddleErrorCode;
    const bad: Uint8Array[][] = [
      [chunks[0]!.subarray(0, 60)],
      [chunks[0]!.subarray(52), chunks[0]!.subarray(0, 52)],
      [chunks[0]!.with(16, 0)],
    ];
    for (const damaged of bad) {
      expect(() => decodeCheckpointVector(damaged)).toThrow(
        expect.objectContaining({ code: frameMalformed }),
      );
    }
  });
});
