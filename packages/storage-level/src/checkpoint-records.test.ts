import { documentId, laneId, toHex, type Attribution, type DocumentName } from "@heddle/core";
import { describe, expect, it } from "vitest";

import { putAttribution, putFloor, readAttribution, readFloor } from "./attribution-records.ts";
import { putCheckpoint, readCheckpointRecord, readChunk } from "./checkpoint-records.ts";
import type { Operation } from "./level-database.ts";
import { putDocument, putFeedFloor, readDocumentEntry, readFeedFloor } from "./records.ts";

const document = documentId(new Uint8Array(16).fill(0xd0));
const checkpoint = {
  document,
  number: 258,
  header: Uint8Array.of(1, 1, 9),
  vector: [Uint8Array.of(5, 6)],
  state: new Uint8Array(64 * 1024 + 2).fill(7, -2),
};
const attribution: Attribution = {
  lane: laneId(new Uint8Array(16).fill(3)),
  fromSeq: 2 ** 33,
  toSeq: 2 ** 33 + 4,
  envelopes: 3,
  firstHlc: { wallMs: 1_795_000_000_123, counter: 4 },
  lastHlc: { wallMs: 1_795_000_000_999, counter: 0 },
  clients: new Map([
    [7, [0, 3, 9, 12]],
    [4_294_967_295, [5, 6]],
  ]),
  principal: Uint8Array.of(0x61),
  correlationId: Uint8Array.of(1, 2),
  reason: Uint8Array.of(0x77),
  isJoined: true,
};
const feedFloor = { number: 70_000, chain: new Uint8Array(16).fill(0xc4) };
const entry = {
  id: document,
  name: "plan" as DocumentName,
  createdAt: { wallMs: 1_795_000_000_123, counter: 4 },
  history: "prune",
} as const;

const [head, vectorChunk, , lastChunk] = putCheckpoint(checkpoint);

/** Key and record. A difference here is a change of the format: it needs a new version, not a new line. */
const golden: Record<string, readonly [operation: Operation, key: string, record: string]> = {
  checkpoint: [
    head!,
    "43d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d000000102",
    "6801000000093dca54e8030301010904010602",
  ],
  "vector chunk": [
    vectorChunk!,
    "63d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0000001027600000000",
    "6801000000028ea146070506",
  ],
  "state chunk": [
    lastChunk!,
    "63d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0000001027300000001",
    "680100000002c1c4b3430707",
  ],
  floor: [
    putFloor(document, 3, 77),
    "66d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d000000003",
    "68010000000270858822024d",
  ],
  attribution: [
    putAttribution(document, 3, attribution),
    "61d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0000000030000000200000000",
    "6801000000385ec445ec0284808080200403070801a1ee565e7b0004090801a1ee5661e700000b0e070200030903ffffffff0f0105010d01610f0201021101771201",
  ],
  "feed floor": [
    putFeedFloor(feedFloor),
    "6d66",
    "68010000001608ae6e5002f0a2040510c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4",
  ],
  "document that prunes": [
    putDocument(entry),
    "44d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0",
    "6801000000121c3b05e50304706c616e050801a1ee565e7b00040602",
  ],
};

const values: Record<string, (key: Uint8Array, record: Uint8Array) => unknown> = {
  checkpoint: readCheckpointRecord,
  "vector chunk": readChunk,
  "state chunk": readChunk,
  floor: readFloor,
  attribution: (key, record) => readAttribution(key, record, attribution.lane),
  "feed floor": (_key, record) => readFeedFloor(record),
  "document that prunes": readDocumentEntry,
};

const expected: Record<string, unknown> = {
  checkpoint: { header: checkpoint.header, vectorChunks: 1, stateChunks: 2 },
  "vector chunk": checkpoint.vector[0],
  "state chunk": Uint8Array.of(7, 7),
  floor: 77,
  attribution,
  "feed floor": feedFloor,
  "document that prunes": entry,
};

describe("records of format 2", () => {
  it.each(Object.keys(golden))("[CKP-1] %s keeps its bytes", (kind) => {
    const [operation, key, record] = golden[kind]!;
    const value = operation.type === "put" ? operation.value : new Uint8Array();
    expect([toHex(operation.key), toHex(value)]).toEqual([key, record]);
  });

  it.each(Object.keys(golden))("[CKP-1] %s is read back from those bytes", (kind) => {
    const [, key, record] = golden[kind]!;
    const [keyBytes, recordBytes] = [key, record].map((hex) => {
      return Uint8Array.from(Buffer.from(hex, "hex"));
    });
    expect(values[kind]!(keyBytes!, recordBytes!)).toEqual(expected[kind]);
  });
});
