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

/** Key and record. A difference here is a change of the format: it needs a new version, not a new line. */
const golden: Record<string, readonly [key: string, record: string]> = {
  "store id": ["6d73", "6801000000129d3c603d0310d7f7593494bf90414335a8e4f1abaa96"],
  head: [
    "6d68",
    "68010000001fa22dcfb602ac020510c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4070801a1ee565e7b0004",
  ],
  mark: ["6d6b", "680100000015092973f502ac020510c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4"],
  lane: [
    "4c00000003",
    "68010000009edad18142039b010101031013a169251c9d86890e4996e62c91abe60520f64ba0e6b1" +
      "5d7b7b4d69b41e7cb34a8751ee9a11469aea71961a0fdeb5d54b6607105c2ffca8c6d3fc019294ec" +
      "a9f8e9a4e1090801a1f640bc0000000b0474657374ff0140c46fd6a9a3c12a497f801e38460ddd44" +
      "73528ecbd8d7f978533d5d8b82f2f18107a2a1aee46394b5abf58bd68d9d92a0092e68421a9b1c1e" +
      "d66a63bebd37ac03",
  ],
  "undescribed lane": ["4c00000003", "680100000012d4fc88cd0510c338001ffca6c0a17c7a5b95fc6791fa"],
  "alias of an undescribed lane": [
    "6cc338001ffca6c0a17c7a5b95fc6791fa",
    "680100000007cde75348020340ab024201",
  ],
  "lane alias": ["6cc338001ffca6c0a17c7a5b95fc6791fa", "680100000005c80fdec9020340ab02"],
  "lane alias of an older heddle": [
    "6cc338001ffca6c0a17c7a5b95fc6791fa",
    "68010000000233800ded0203",
  ],
  document: [
    "44d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0",
    "6801000000147af23c1c03086772c3b6c39f6572050801a1ee565e7b0004",
  ],
  "dirty marker": ["64d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0", "68010000000051b50684"],
  "vector digest": [
    "56d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0",
    "6801000000224d5b84dd03204e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e",
  ],
  position: [
    "56d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d000000003",
    "68010000002409c1ba50024d05204e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e" +
      "4e4e4e4e4e4e",
  ],
  envelope: [
    "45d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d000000003000000000000004d",
    "68020000000ff52f90da01000000012d000111700101020304",
  ],
  "envelope of an older heddle": [
    "45d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d000000003000000000000004d",
    "6801000000052b796b850101020304",
  ],
  "peer cursor": [
    "509e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e",
    "680100000018dd2e3c1c0310c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4048080808020",
  ],
  acknowledgement: [
    "4f9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9ed0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d000000003",
    "680100000002312e5a88024d",
  ],
  fork: [
    "46d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0c338001ffca6c0a17c7a5b95fc6791fa000000000000004d",
    "6801000000b0030e1fa9039b010101031013a169251c9d86890e4996e62c91abe60520f64ba0e6b15d7b7b4d69b41e7cb34a8751ee9a11469aea71961a0fdeb5d54b6607105c2ffca8c6d3fc019294eca9f8e9a4e1090801a1f640bc0000000b0474657374ff0140c46fd6a9a3c12a497f801e38460ddd4473528ecbd8d7f978533d5d8b82f2f18107a2a1aee46394b5abf58bd68d9d92a0092e68421a9b1c1ed66a63bebd37ac0305050201020103070201040895c2d9f29e34",
  ],
  "audit entry": ["6a000000000000012c", "680100000005a7d0bac7030301014d"],
  "refused envelope": [
    "4ed0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0c338001ffca6c0a17c7a5b95fc6791fa000000000000004d9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e",
    "680100000017b4ad14510203050cc3bc626572203136204d69420696c2d9f29e34",
  ],
  arrival: [
    "41000000000000012c",
    "68010000002ff63a9bb00310c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4051bd0d0d0d0d0d0d0d0d0d0" +
      "d0d0d0d0d0d0034c014d4d4d4d4d4d4d4d",
  ],
  "empty arrival": [
    "410000010000000005",
    "680100000012802039460310c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4",
  ],
  "parked update": [
    "70d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0abababababababababababababababab",
    "680100000014fd94ddf102ac02040206c8bfd9f29e3409030102030b0161",
  ],
  "quarantined update": [
    "51d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d075abababababababababababababababab",
    "6801000000284fdec801031574696d656f75743a20c3bc62657220323530206d73040106e8c3d9f29e3409030102030b0161",
  ],
  "quarantined update, its bytes dropped": [
    "51d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d075abababababababababababababababab",
    "68010000002e3c111988031574696d656f75743a20c3bc62657220323530206d73040106e8c3d9f29e3440f0a20443085e5e5e5e5e5e5e5e",
  ],
  "quarantined update, released": [
    "51d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d075abababababababababababababababab",
    "680100000031dc2223a2031574696d656f75743a20c3bc62657220323530206d73040106e8c3d9f29e3409030102030cd0cbd9f29e344503616461",
  ],
  "quarantined update, with what was said of the edit": [
    "51d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d075abababababababababababababababab",
    "680100000042196dd976031574696d656f75743a20c3bc62657220323530206d73040106e8c3d9f29e34090301020347104b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4909696e766f6963652037",
  ],
  "recall, with what was said of the edit": [
    "51d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d065e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1",
    "680100000051358a7675031574696d656f75743a20c3bc62657220323530206d73040106e8c3d9f29e340910c338001ffca6c0a17c7a5b95fc6791fa0a4d47104b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4909696e766f6963652037",
  ],
  recall: [
    "51d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d065e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1",
    "680100000034b899eebd031574696d656f75743a20c3bc62657220323530206d73040106e8c3d9f29e340910c338001ffca6c0a17c7a5b95fc6791fa0a4d",
  ],
  "recall, released": [
    "51d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d065e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1",
    "680100000040ea3d43f5031574696d656f75743a20c3bc62657220323530206d73040106e8c3d9f29e340910c338001ffca6c0a17c7a5b95fc6791fa0a4d0cd0cbd9f29e344503616461",
  ],
  incarnation: [
    "690000000c",
    "68010000001cd264eceb0310c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c404ad020695c2d9f29e34",
  ],
  "incarnation after a rollback": [
    "690000000c",
    "680100000020c397164d0310c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c404ad020695c2d9f29e3440034201",
  ],
  "journal entry": [
    "580000000000000007",
    "68010000004e3bd0bee2031173746f72652d726f6c6c65642d6261636b0496c2d9f29e34073267726f7570732d6c6f73743a206f70656e65642061742067726f757020352c2033206b6e6f776e20746f206265206c6f7374",
  ],
  "repair request": [
    "52dadadadadadadadadadadadadadadada",
    "680100000056fea2073c0325656e76656c6f7065207265636f72643a2069747320636865636b73756d20646966666572730497c2d9f29e340710d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d009101a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a0a030c04",
  ],
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
