import {
  documentId,
  laneId,
  newStoreId,
  toHex,
  type DocumentName,
  type StoreId,
} from "@heddle/core";
import { testEnvironment, TestWriter } from "@heddle/testkit";
import { describe, expect, it } from "vitest";

import { decodeRuns, encodeRuns, nextChain, putArrival, readArrival } from "./arrival-record.ts";
import { putAudit, readAudit } from "./audit-records.ts";
import { placeEnvelope, readEnvelope, reserveEnvelope } from "./envelope-record.ts";
import { golden } from "./golden-records.fixture.ts";
import {
  encodeRepairRequest,
  putIncarnation,
  putJournalEntry,
  readIncarnation,
  readJournalEntry,
  readRepairRequest,
} from "./history-records.ts";
import type { Operation } from "./level-database.ts";
import {
  arrivalKey,
  dirtyKey,
  envelopeKey,
  parkedKey,
  quarantineKey,
  recallKey,
  repairKey,
} from "./record-keys.ts";
import { openRecord } from "./record-codec.ts";
import {
  putAck,
  putCursor,
  putFork,
  putRefused,
  readAck,
  readCursor,
  readFork,
  readRefused,
} from "./peer-records.ts";
import {
  encodeParked,
  putDocument,
  putHead,
  putLane,
  putMark,
  putPosition,
  putRecord,
  putStoreId,
  putUndescribedLane,
  putVectorDigest,
  readDocumentEntry,
  readHead,
  readLane,
  readLaneAlias,
  readMark,
  readParkedRecord,
  readPosition,
  readStoreId,
  readVectorDigest,
} from "./records.ts";
import { encodeQuarantined, encodeRecall, readQuarantined, readRecall } from "./refusal-records.ts";

const environment = testEnvironment("golden records");
const document = documentId(new Uint8Array(16).fill(0xd0));
const storeId = newStoreId(environment.random);
const { lane } = await TestWriter.open(environment);
const chain = new Uint8Array(16).fill(0xc4);
const tail = { number: 300, chain, lastHlc: { wallMs: 1_795_000_000_123, counter: 4 } };
const entry = { id: document, name: "größer" as DocumentName, createdAt: tail.lastHlc };
const position = { seq: 77, head: new Uint8Array(32).fill(0x4e) };
const order = { arrival: 300, index: 2 };
const update = {
  id: "ab".repeat(16),
  update: Uint8Array.of(1, 2, 3),
  parkedAtMs: 1_795_000_000_456,
  principal: Uint8Array.of(0x61),
};
const incarnation = {
  opening: 12,
  nonce: chain,
  firstArrival: 301,
  openedAtMs: 1_795_000_000_789,
  hasWitness: false,
};
const rolledBack = { ...incarnation, hasWitness: true, rollback: "copied" } as const;
const journalEntry = {
  number: 7,
  event: "store-rolled-back",
  atMs: 1_795_000_000_790,
  detail: "groups-lost: opened at group 5, 3 known to be lost",
} as const;
const damage = new Uint8Array(16).fill(0xda);
const repair = {
  what: "envelope record: its checksum differs",
  foundAtMs: 1_795_000_000_791,
  document,
  lane: laneId(new Uint8Array(16).fill(0x1a)),
  fromSeq: 3,
  toSeq: 4,
};
const arrived = [76, 77].map((seq) => {
  return { document, lane: lane.id, laneIx: 3, seq, head: new Uint8Array(8).fill(seq) };
});
const runs = encodeRuns(arrived);
const envelope = Uint8Array.of(1, 1, 2, 3, 4);
const keyOfParked = parkedKey(document, update.id)!;

const note = { reason: "timeout: über 250 ms", validatorVersion: 1, atMs: 1_795_000_001_000 };
const release = { atMs: 1_795_000_002_000, by: "ada" };
const refused = { id: update.id, size: 3, ...note };
const trace = {
  correlationId: new Uint8Array(16).fill(0x4b),
  editReason: new TextEncoder().encode("invoice 7"),
};
const sourceTag = new Uint8Array(8).fill(0x5e);
const recalled = { id: "e1".repeat(32), lane: lane.id, seq: 77, ...note };
const keyOfQuarantined = quarantineKey(document, refused.id)!;
const keyOfRecall = recallKey(document, recalled.id)!;

type Decode = (key: Uint8Array, record: Uint8Array) => unknown;

interface Kind {
  readonly operation: Operation;
  readonly decode: Decode;
  readonly value: unknown;
}

const peer = "9e".repeat(16) as StoreId;
const cursor = { store: peer, incarnation: chain, arrival: 2 ** 33 };
const branches = { branchA: [Uint8Array.of(1, 2), Uint8Array.of(3)], branchB: [Uint8Array.of(4)] };
const fork = { document, lane, seq: 77, ...branches, foundAtMs: 1_795_000_000_789 };
const auditEntry = { number: 300, bytes: Uint8Array.of(1, 1, 77) };
const refusal = {
  document,
  lane: lane.id,
  seq: 77,
  store: peer,
  code: 3,
  reason: "über 16 MiB",
  atMs: 1_795_000_000_790,
};
const place = { group: 2 ** 40 + 301, index: 70_000 };
const placed = reserveEnvelope(envelopeKey(document, 3, 77), envelope);
placeEnvelope(placed, place.group, place.index);
const [descriptor, alias] = putLane({ laneIx: 3, openedAfter: 299 }, lane);
const [undescribed, undescribedAlias] = putUndescribedLane(
  { laneIx: 3, openedAfter: 299 },
  lane.id,
);
const kinds: Record<string, Kind> = {
  "store id": {
    operation: putStoreId(storeId),
    decode: (_key, record) => readStoreId(record),
    value: storeId,
  },
  head: { operation: putHead(tail), decode: (_key, record) => readHead(record), value: tail },
  mark: {
    operation: putMark(tail),
    decode: (_key, record) => readMark(record),
    value: { number: tail.number, chain },
  },
  lane: {
    operation: descriptor!,
    decode: (key, record) => readLane(environment.hash, key, record),
    value: { id: lane.id, descriptor: lane },
  },
  "undescribed lane": {
    operation: undescribed!,
    decode: (key, record) => readLane(environment.hash, key, record),
    value: { id: lane.id, descriptor: undefined },
  },
  "alias of an undescribed lane": {
    operation: undescribedAlias!,
    decode: readLaneAlias,
    value: { laneIx: 3, openedAfter: 299, isUndescribed: true },
  },
  "lane alias": {
    operation: alias!,
    decode: readLaneAlias,
    value: { laneIx: 3, openedAfter: 299 },
  },
  "lane alias of an older heddle": {
    operation: putLane({ laneIx: 3, openedAfter: 0 }, lane)[1]!,
    decode: readLaneAlias,
    value: { laneIx: 3, openedAfter: 0 },
  },
  document: { operation: putDocument(entry), decode: readDocumentEntry, value: entry },
  "dirty marker": {
    operation: putRecord(dirtyKey(document), new Uint8Array()),
    decode: openRecord,
    value: new Uint8Array(),
  },
  "vector digest": {
    operation: putVectorDigest(document, position.head),
    decode: readVectorDigest,
    value: position.head,
  },
  position: {
    operation: putPosition(document, 3, position),
    decode: readPosition,
    value: position,
  },
  envelope: {
    operation: placed,
    decode: readEnvelope,
    value: { bytes: envelope, place },
  },
  "envelope of an older heddle": {
    operation: putRecord(envelopeKey(document, 3, 77), envelope),
    decode: readEnvelope,
    value: { bytes: envelope, place: { group: 0, index: 0 } },
  },
  "peer cursor": { operation: putCursor(cursor), decode: readCursor, value: cursor },
  acknowledgement: {
    operation: putAck({ store: peer, document, seq: 77 }, 3),
    decode: readAck,
    value: 77,
  },
  fork: {
    operation: putFork(fork),
    decode: (key, record) => readFork(environment.hash, key, record),
    value: fork,
  },
  "audit entry": { operation: putAudit(auditEntry), decode: readAudit, value: auditEntry },
  "refused envelope": { operation: putRefused(refusal), decode: readRefused, value: refusal },
  arrival: {
    operation: putArrival(300, { chain, runs }),
    decode: readArrival,
    value: { chain, runs },
  },
  "empty arrival": {
    operation: putArrival(2 ** 40 + 5, { chain, runs: new Uint8Array() }),
    decode: readArrival,
    value: { chain, runs: new Uint8Array() },
  },
  "parked update": {
    operation: putRecord(keyOfParked, encodeParked(update, order)),
    decode: readParkedRecord,
    value: { order, update },
  },
  "quarantined update": {
    operation: putRecord(
      keyOfQuarantined,
      encodeQuarantined({ ...refused, update: update.update, principal: update.principal }),
    ),
    decode: readQuarantined,
    value: { ...refused, update: update.update, principal: update.principal },
  },
  "quarantined update, its bytes dropped": {
    operation: putRecord(
      keyOfQuarantined,
      encodeQuarantined({ ...refused, size: 70_000, sourceTag }),
    ),
    decode: readQuarantined,
    value: { ...refused, size: 70_000, sourceTag },
  },
  "quarantined update, released": {
    operation: putRecord(
      keyOfQuarantined,
      encodeQuarantined({ ...refused, update: update.update, release }),
    ),
    decode: readQuarantined,
    value: { ...refused, update: update.update, release },
  },
  "quarantined update, with what was said of the edit": {
    operation: putRecord(
      keyOfQuarantined,
      encodeQuarantined({ ...refused, update: update.update, ...trace }),
    ),
    decode: readQuarantined,
    value: { ...refused, update: update.update, ...trace },
  },
  "recall, with what was said of the edit": {
    operation: putRecord(keyOfRecall, encodeRecall({ ...recalled, ...trace })),
    decode: readRecall,
    value: { ...recalled, ...trace },
  },
  recall: {
    operation: putRecord(keyOfRecall, encodeRecall(recalled)),
    decode: readRecall,
    value: recalled,
  },
  "recall, released": {
    operation: putRecord(keyOfRecall, encodeRecall({ ...recalled, release })),
    decode: readRecall,
    value: { ...recalled, release },
  },
  incarnation: {
    operation: putIncarnation(incarnation),
    decode: readIncarnation,
    value: incarnation,
  },
  "incarnation after a rollback": {
    operation: putIncarnation(rolledBack),
    decode: readIncarnation,
    value: rolledBack,
  },
  "journal entry": {
    operation: putJournalEntry(journalEntry),
    decode: readJournalEntry,
    value: journalEntry,
  },
  "repair request": {
    operation: putRecord(repairKey(damage), encodeRepairRequest(repair)),
    decode: readRepairRequest,
    value: { id: toHex(damage), ...repair },
  },
};
const knowsItsKey: ReadonlySet<string> = new Set(["store id", "head", "mark"]);

describe("records", () => {
  it.each(Object.keys(kinds))("%s keeps its bytes", (kind) => {
    const { operation } = kinds[kind]!;
    const value = operation.type === "put" ? operation.value : new Uint8Array();
    expect([toHex(operation.key), toHex(value)]).toEqual(golden[kind]);
  });

  it.each(Object.keys(kinds))("%s is read back from those bytes", (kind) => {
    const { decode, value } = kinds[kind]!;
    const [key, record] = golden[kind]!.map((hex) => Uint8Array.from(Buffer.from(hex, "hex")));
    expect(decode(key!, record!)).toEqual(value);
  });

  it.each(Object.keys(kinds))("[STO-3] %s with any one bit flipped is refused", (kind) => {
    const { decode } = kinds[kind]!;
    const [key, record] = golden[kind]!.map((hex) => Uint8Array.from(Buffer.from(hex, "hex")));
    for (const bytes of [key!, record!]) {
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        bytes[bit >> 3]! ^= 1 << (bit & 7);
        // Some readers know their key by heart, so that only the record can be damaged for them.
        const isOwnKey = bytes === key && knowsItsKey.has(kind);
        if (!isOwnKey) expect(() => decode(key!, record!)).toThrow(/damaged/);
        bytes[bit >> 3]! ^= 1 << (bit & 7);
      }
    }
  });

  it("folds neighbours of one lane into one run", () => {
    expect(decodeRuns(runs)).toEqual([
      { document, laneIx: 3, fromSeq: 76, toSeq: 77, head: new Uint8Array(8).fill(77) },
    ]);
  });

  it("[STO-7] chains a group to its number, its runs and the group before", () => {
    const { hash } = environment;
    const next = toHex(nextChain(hash, chain, 301, runs));
    expect(next).toBe("07d57271f042b0498c7bc816e15ff02e");
    const other = [
      nextChain(hash, new Uint8Array(16), 301, runs),
      nextChain(hash, chain, 302, runs),
      nextChain(hash, chain, 301, encodeRuns(arrived.slice(1))),
    ];
    expect(new Set([next, ...other.map(toHex)]).size).toBe(4);
  });

  it("keeps numeric order in keys beyond 32 bits", () => {
    const keys = [0, 255, 256, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 1].map((number) => {
      return toHex(arrivalKey(number));
    });
    expect(keys).toEqual(keys.toSorted());
  });
});
