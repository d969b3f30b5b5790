import {
  decodeHlc,
  decodeLane,
  encodeHlc,
  laneId,
  limits,
  toHex,
  bytesOfId,
  tooNew,
  type DocumentEntry,
  type DocumentHistory,
  type DocumentName,
  type Hash,
  type Hlc,
  type LaneDescriptor,
  type LaneId,
  type LanePosition,
  type ParkedUpdate,
  type StoreId,
} from "@heddle/core";
import { decodeUtf8, encodeUtf8 } from "lib0/string";

import type { Operation } from "./level-database.ts";
import { sealRecord } from "./record-codec.ts";
import { decodeRecord, encodeFields } from "./record-fields.ts";
import { documentOfKey, updateBytesOfKey } from "./parts-of-key.ts";
import {
  documentKey,
  feedFloorKey,
  headKey,
  laneAliasKey,
  laneKey,
  markKey,
  storeKey,
  vectorDigestKey,
  vectorKey,
} from "./record-keys.ts";

/** One record of each kind: how it is written, and below it how it is read. Tags are never reused. */

export function putRecord(key: Uint8Array, payload: Uint8Array): Operation {
  return { type: "put", key, value: sealRecord(key, payload) };
}

const StoreTag = { storeId: 1 } as const;

export function putStoreId(id: StoreId): Operation {
  return putRecord(storeKey, encodeFields({ [StoreTag.storeId]: bytesOfId(id) }));
}

export function readStoreId(record: Uint8Array): StoreId {
  return decodeRecord(
    storeKey,
    record,
    StoreTag,
    (fields) => toHex(fields.bytes(StoreTag.storeId, 16)) as StoreId,
  );
}

/** Bytes of a chain hash; what a swapped or lost group would have to collide with. */
export const chainBytes = 16;

/** The end of the log: number and chain hash of the last commit group, highest clock reading. */
export interface LogTail {
  readonly number: number;
  readonly chain: Uint8Array;
  readonly lastHlc: Hlc;
}

export const emptyTail: LogTail = {
  number: 0,
  chain: new Uint8Array(chainBytes),
  lastHlc: { wallMs: 0, counter: 0 },
};

const HeadTag = { number: 1, chain: 2, lastHlc: 3 } as const;

export function putHead({ number, chain, lastHlc }: LogTail): Operation {
  const fields = {
    [HeadTag.number]: number,
    [HeadTag.chain]: chain,
    [HeadTag.lastHlc]: encodeHlc(lastHlc),
  };
  return putRecord(headKey, encodeFields(fields));
}

export function readHead(record: Uint8Array): LogTail {
  return decodeRecord(headKey, record, HeadTag, (fields) => ({
    number: fields.uint(HeadTag.number),
    chain: fields.bytes(HeadTag.chain, chainBytes),
    lastHlc: decodeHlc(fields.bytes(HeadTag.lastHlc, 8)),
  }));
}

/** A commit group up to which the chain was verified. */
export type LogMark = Pick<LogTail, "number" | "chain">;

const MarkTag = { number: 1, chain: 2 } as const;

export function putMark({ number, chain }: LogMark): Operation {
  const fields = { [MarkTag.number]: number, [MarkTag.chain]: chain };
  return putRecord(markKey, encodeFields(fields));
}

export function readMark(record: Uint8Array): LogMark {
  return decodeRecord(markKey, record, MarkTag, (fields) => ({
    number: fields.uint(MarkTag.number),
    chain: fields.bytes(MarkTag.chain, chainBytes),
  }));
}

/** The last arrival that was dropped with the envelopes that it lists; what follows is chained to it. */
export function putFeedFloor({ number, chain }: LogMark): Operation {
  const fields = { [MarkTag.number]: number, [MarkTag.chain]: chain };
  return putRecord(feedFloorKey, encodeFields(fields));
}

export function readFeedFloor(record: Uint8Array): LogMark {
  return decodeRecord(feedFloorKey, record, MarkTag, (fields) => ({
    number: fields.uint(MarkTag.number),
    chain: fields.bytes(MarkTag.chain, chainBytes),
  }));
}

/** `lane` is there where no descriptor is, which cannot be asked for its id then. */
const LaneTag = { descriptor: 1, lane: 2 } as const;
/**
 * `openedAfter` is missing for lanes of older heddles, and may be skipped: it only saves work. So does
 * `isUndescribed`, which the lane's own record says too.
 */
const LaneAliasTag = { laneIx: 1, openedAfter: 32, isUndescribed: 33 } as const;
const descriptorBytesMax = 1024;

export interface LaneAlias {
  readonly laneIx: number;
  /** A commit group below all that hold envelopes of the lane; 0 where that is not known. */
  readonly openedAfter: number;
  /** The store has no descriptor of the lane. */
  readonly isUndescribed?: boolean;
}

/** A lane as its record has it; `descriptor` is missing while only checkpoints have named the lane. */
export interface StoredLane {
  readonly id: LaneId;
  readonly descriptor: LaneDescriptor | undefined;
}

/** The descriptor and the alias of a lane; each can be found again from the other. */
export function putLane({ laneIx, openedAfter }: LaneAlias, lane: LaneDescriptor): Operation[] {
  const descriptor = encodeFields({ [LaneTag.descriptor]: lane.bytes });
  const alias = { [LaneAliasTag.laneIx]: laneIx, [LaneAliasTag.openedAfter]: openedAfter };
  return [
    putRecord(laneKey(laneIx), descriptor),
    putRecord(laneAliasKey(lane.id), encodeFields(alias)),
  ];
}

/** A lane that a checkpoint covers and of which no envelope ever came. */
export function putUndescribedLane(
  { laneIx, openedAfter }: Omit<LaneAlias, "isUndescribed">,
  lane: LaneId,
): Operation[] {
  const alias = {
    [LaneAliasTag.laneIx]: laneIx,
    [LaneAliasTag.openedAfter]: openedAfter,
    [LaneAliasTag.isUndescribed]: 1,
  };
  return [
    putRecord(laneKey(laneIx), encodeFields({ [LaneTag.lane]: bytesOfId(lane) })),
    putRecord(laneAliasKey(lane), encodeFields(alias)),
  ];
}

export function readLane(hash: Hash, key: Uint8Array, record: Uint8Array): StoredLane {
  return decodeRecord(key, record, LaneTag, (fields) => {
    const bytes = fields.optionalBytes(LaneTag.descriptor, descriptorBytesMax);
    if (bytes === undefined && fields.optionalBytes(LaneTag.lane, 16)) {
      return { id: laneId(fields.bytes(LaneTag.lane, 16)), descriptor: undefined };
    }
    const descriptor = decodeLane(hash, bytes ?? new Uint8Array());
    return { id: descriptor.id, descriptor };
  });
}

export function readLaneAlias(key: Uint8Array, record: Uint8Array): LaneAlias {
  return decodeRecord(key, record, LaneAliasTag, (fields) => ({
    laneIx: fields.uint(LaneAliasTag.laneIx),
    openedAfter: fields.uint(LaneAliasTag.openedAfter),
    ...(fields.uint(LaneAliasTag.isUndescribed) > 0 && { isUndescribed: true }),
  }));
}

const DocumentTag = { name: 1, createdAt: 2, history: 3 } as const;
/** As a number; what was never decided is not written. */
const historyNumbers = { keep: 1, prune: 2 } as const;

export function putDocument({ id, name, createdAt, history }: DocumentEntry): Operation {
  const fields = {
    [DocumentTag.name]: encodeUtf8(name),
    [DocumentTag.createdAt]: encodeHlc(createdAt),
    [DocumentTag.history]: history && historyNumbers[history],
  };
  return putRecord(documentKey(id), encodeFields(fields));
}

export function readDocumentEntry(key: Uint8Array, record: Uint8Array): DocumentEntry {
  return decodeRecord(key, record, DocumentTag, (fields) => {
    const nameBytes = fields.optionalBytes(DocumentTag.name, limits.documentNameLengthMax * 4);
    const history = historyOf(fields.uint(DocumentTag.history));
    return {
      id: documentOfKey(key),
      name: decodeUtf8(nameBytes ?? new Uint8Array()) as DocumentName,
      createdAt: decodeHlc(fields.bytes(DocumentTag.createdAt, 8)),
      ...(history && { history }),
    };
  });
}

function historyOf(number: number): DocumentHistory | undefined {
  if (number === 0) return undefined;
  if (number === historyNumbers.keep) return "keep";
  if (number === historyNumbers.prune) return "prune";
  // A later choice, which says what may be dropped: not to be guessed.
  throw tooNew("document record", `history ${number}`);
}

const VectorDigestTag = { digest: 1 } as const;

export function putVectorDigest(document: DocumentEntry["id"], digest: Uint8Array): Operation {
  return putRecord(vectorDigestKey(document), encodeFields({ [VectorDigestTag.digest]: digest }));
}

export function readVectorDigest(key: Uint8Array, record: Uint8Array): Uint8Array {
  return decodeRecord(key, record, VectorDigestTag, (fields) =>
    fields.bytes(VectorDigestTag.digest, 32),
  );
}

const PositionTag = { seq: 1, head: 2 } as const;

export function putPosition(
  document: DocumentEntry["id"],
  laneIx: number,
  { seq, head }: LanePosition,
): Operation {
  const fields = { [PositionTag.seq]: seq, [PositionTag.head]: head };
  return putRecord(vectorKey(document, laneIx), encodeFields(fields));
}

export function readPosition(key: Uint8Array, record: Uint8Array): LanePosition {
  return decodeRecord(key, record, PositionTag, (fields) => ({
    seq: fields.uint(PositionTag.seq),
    head: fields.bytes(PositionTag.head, 32),
  }));
}

/** Where an update stands among those that were parked. */
export interface ParkedOrder {
  readonly arrival: number;
  readonly index: number;
}

export interface ParkedRecord {
  readonly order: ParkedOrder;
  readonly update: ParkedUpdate;
}

const ParkedTag = { arrival: 1, index: 2, parkedAtMs: 3, update: 4, principal: 5 } as const;

export function encodeParked(parked: ParkedUpdate, { arrival, index }: ParkedOrder): Uint8Array {
  return encodeFields({
    [ParkedTag.arrival]: arrival,
    [ParkedTag.index]: index,
    [ParkedTag.parkedAtMs]: parked.parkedAtMs,
    [ParkedTag.update]: parked.update,
    [ParkedTag.principal]: parked.principal,
  });
}

export function readParkedRecord(key: Uint8Array, record: Uint8Array): ParkedRecord {
  return decodeRecord(key, record, ParkedTag, (fields) => {
    const principal = fields.optionalBytes(ParkedTag.principal, limits.principalBytesMax);
    const update = {
      id: toHex(updateBytesOfKey(key)),
      update: fields.optionalBytes(ParkedTag.update, limits.updateBytesMax) ?? new Uint8Array(),
      parkedAtMs: fields.uint(ParkedTag.parkedAtMs),
    };
    return {
      order: { arrival: fields.uint(ParkedTag.arrival), index: fields.uint(ParkedTag.index) },
      update: principal ? { ...update, principal } : update,
    };
  });
}
