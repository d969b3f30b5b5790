import { documentId, fromHex, type DocumentId, type LaneId } from "@heddle/core";

import { keysUnder, KeyWriter, type KeyRange } from "./key-writer.ts";
import { viewOf } from "./uint32.ts";

/**
 * Every key of the log. One prefix byte, then fixed-width parts; integers are big-endian, so that the
 * order of bytes is the order of numbers. Values are records, see record-codec.ts and records.ts.
 *
 *   key                            | record
 *   -------------------------------|-----------------------------------------------------------------
 *   m s                            | store id, compared with the marker file
 *   m h                            | head: last arrival, its chain hash, highest clock reading
 *   m k                            | mark: arrival up to which the chain was verified
 *   L laneIx4                      | lane descriptor; laneIx is a local alias, from 1 in opening order
 *   l lane16                       | laneIx
 *   D document16                   | name, time of creation
 *   d document16                   | dirty: the log may hold more than the kept vector
 *   V document16                   | digest L of the kept vector; only while the document is clean
 *   V document16 laneIx4           | position as last kept: seq, head
 *   E document16 laneIx4 seq8      | one envelope, as its bytes
 *   A number8                      | arrival: chain hash, runs of one commit group
 *   p document16 update16          | parked update
 *   i opening4                     | incarnation: nonce, number of its first arrival
 *   Q document16 u update16        | quarantined update, with its note
 *   Q document16 e envelope32      | note on a recalled envelope
 *   X number8                      | journal: what happened to the store itself
 *   R damage16                     | repair request
 *   C document16 number4           | checkpoint: header, how many chunks
 *   c document16 number4 kind ix4  | chunk of its vector (kind v) or of its state (kind s)
 *   f document16 laneIx4           | floor: envelopes up to this seq were dropped
 *   a document16 laneIx4 seq8      | attribution of dropped envelopes, the first of which had this seq
 *   m d                            | device: public key that was last signed with
 *   m f                            | feed floor: arrivals up to this one were dropped; its chain hash
 *   P store16                      | cursor in the feed of a peer
 *   O store16 document16 laneIx4   | acknowledgement of a peer: it has the lane up to a seq
 *   F document16 lane16 seq8       | fork: the descriptor and both branches
 *   N document16 lane16 seq8 store16 | envelope that a peer refused for good
 *
 * Reserved for later and never to be used for anything else: S K (membership, keys), J (projections).
 */
export const Prefix = {
  meta: 0x6d,
  lane: 0x4c,
  laneAlias: 0x6c,
  document: 0x44,
  dirty: 0x64,
  vector: 0x56,
  envelope: 0x45,
  arrival: 0x41,
  parked: 0x70,
  incarnation: 0x69,
  quarantine: 0x51,
  journal: 0x58,
  repair: 0x52,
  checkpoint: 0x43,
  checkpointChunk: 0x63,
  floor: 0x66,
  attribution: 0x61,
  cursor: 0x50,
  ack: 0x4f,
  fork: 0x46,
  refused: 0x4e,
} as const;

/** Behind the document in a key of kind Q. */
const QuarantineKind = { update: 0x75, envelope: 0x65 } as const;

export const storeKey = Uint8Array.of(Prefix.meta, 0x73);
export const headKey = Uint8Array.of(Prefix.meta, 0x68);
export const markKey = Uint8Array.of(Prefix.meta, 0x6b);
export const deviceKey = Uint8Array.of(Prefix.meta, 0x64);
export const feedFloorKey = Uint8Array.of(Prefix.meta, 0x66);

/** Behind the number in a key of kind c. */
export const ChunkKind = { vector: 0x76, state: 0x73 } as const;
export type ChunkKind = (typeof ChunkKind)[keyof typeof ChunkKind];

export function laneKey(laneIx: number): Uint8Array {
  return new KeyWriter(Prefix.lane, 4).uint32(laneIx).key;
}

export function laneAliasKey(lane: LaneId): Uint8Array {
  return new KeyWriter(Prefix.laneAlias, 16).id(lane).key;
}

export function documentKey(document: DocumentId): Uint8Array {
  return new KeyWriter(Prefix.document, 16).id(document).key;
}

export function dirtyKey(document: DocumentId): Uint8Array {
  return new KeyWriter(Prefix.dirty, 16).id(document).key;
}

export function vectorDigestKey(document: DocumentId): Uint8Array {
  return new KeyWriter(Prefix.vector, 16).id(document).key;
}

export function vectorKey(document: DocumentId, laneIx: number): Uint8Array {
  return new KeyWriter(Prefix.vector, 20).id(document).uint32(laneIx).key;
}

export function envelopeKey(document: DocumentId, laneIx: number, seq: number): Uint8Array {
  const writer = new KeyWriter(Prefix.envelope, 28).id(document);
  return writer.uint32(laneIx).uint64(seq).key;
}

export function arrivalKey(number: number): Uint8Array {
  return new KeyWriter(Prefix.arrival, 8).uint64(number).key;
}

/** `id` is the hex of a `ParkedUpdate`; `undefined` when it is not 16 bytes of hex. */
export function parkedKey(document: DocumentId, id: string): Uint8Array | undefined {
  const idBytes = fromHex(id);
  if (idBytes?.length !== 16) return undefined;
  return new KeyWriter(Prefix.parked, 32).id(document).bytes(idBytes).key;
}

export function incarnationKey(opening: number): Uint8Array {
  return new KeyWriter(Prefix.incarnation, 4).uint32(opening).key;
}

export function journalKey(number: number): Uint8Array {
  return new KeyWriter(Prefix.journal, 8).uint64(number).key;
}

/** `damage` is 16 bytes that stand for what is damaged. */
export function repairKey(damage: Uint8Array): Uint8Array {
  return new KeyWriter(Prefix.repair, 16).bytes(damage).key;
}

/** `id` is the hex of a `QuarantinedUpdate`; `undefined` when it is not 16 bytes of hex. */
export function quarantineKey(document: DocumentId, id: string): Uint8Array | undefined {
  return refusalKey(document, QuarantineKind.update, fromHex(id), 16);
}

/** `id` is the hex of an envelope id; `undefined` when it is not 32 bytes of hex. */
export function recallKey(document: DocumentId, id: string): Uint8Array | undefined {
  return refusalKey(document, QuarantineKind.envelope, fromHex(id), 32);
}

function refusalKey(
  document: DocumentId,
  kind: number,
  id: Uint8Array | undefined,
  length: number,
): Uint8Array | undefined {
  if (id?.length !== length) return undefined;
  const writer = new KeyWriter(Prefix.quarantine, 17 + length).id(document);
  return writer.bytes(Uint8Array.of(kind)).bytes(id).key;
}

export function checkpointKey(document: DocumentId, number: number): Uint8Array {
  return new KeyWriter(Prefix.checkpoint, 20).id(document).uint32(number).key;
}

export function checkpointChunkKey(
  document: DocumentId,
  number: number,
  kind: ChunkKind,
  index: number,
): Uint8Array {
  const writer = new KeyWriter(Prefix.checkpointChunk, 25).id(document);
  return writer.uint32(number).bytes(Uint8Array.of(kind)).uint32(index).key;
}

export function floorKey(document: DocumentId, laneIx: number): Uint8Array {
  return new KeyWriter(Prefix.floor, 20).id(document).uint32(laneIx).key;
}

export function attributionKey(document: DocumentId, laneIx: number, seq: number): Uint8Array {
  const writer = new KeyWriter(Prefix.attribution, 28).id(document);
  return writer.uint32(laneIx).uint64(seq).key;
}

export const laneKeys = keysUnder(Uint8Array.of(Prefix.lane));
export const laneAliasKeys = keysUnder(Uint8Array.of(Prefix.laneAlias));
export const documentKeys = keysUnder(Uint8Array.of(Prefix.document));
export const dirtyKeys = keysUnder(Uint8Array.of(Prefix.dirty));
export const vectorKeys = keysUnder(Uint8Array.of(Prefix.vector));
export const envelopeKeys = keysUnder(Uint8Array.of(Prefix.envelope));
export const parkedKeys = keysUnder(Uint8Array.of(Prefix.parked));
export const quarantineKeys = keysUnder(Uint8Array.of(Prefix.quarantine));
export const arrivalKeys = keysUnder(Uint8Array.of(Prefix.arrival));
export const incarnationKeys = keysUnder(Uint8Array.of(Prefix.incarnation));
export const journalKeys = keysUnder(Uint8Array.of(Prefix.journal));
export const repairKeys = keysUnder(Uint8Array.of(Prefix.repair));

export function vectorKeysOf(document: DocumentId): KeyRange {
  return keysUnder(new KeyWriter(Prefix.vector, 16).id(document).key);
}

export function envelopeKeysOf(document: DocumentId): KeyRange {
  return keysUnder(new KeyWriter(Prefix.envelope, 16).id(document).key);
}

/** The lanes of a document before `laneIx`. */
export function envelopeKeysBefore(document: DocumentId, laneIx: number): KeyRange {
  return { gte: envelopeKeysOf(document).gte, lt: envelopeKey(document, laneIx, 0) };
}

/** What follows `after` in one lane of a document, up to and with `last`. */
export function envelopeKeysBetween(
  document: DocumentId,
  laneIx: number,
  after: number,
  last: number,
): KeyRange {
  const gte = envelopeKey(document, laneIx, after + 1);
  return { gte, lt: envelopeKey(document, laneIx, last + 1) };
}

/** What follows `seq` in one lane of a document. */
export function envelopeKeysAbove(document: DocumentId, laneIx: number, seq: number): KeyRange {
  const writer = new KeyWriter(Prefix.envelope, 20).id(document);
  const { lt } = keysUnder(writer.uint32(laneIx).key);
  return { gte: envelopeKey(document, laneIx, seq + 1), lt };
}

export function parkedKeysOf(document: DocumentId): KeyRange {
  return keysUnder(new KeyWriter(Prefix.parked, 16).id(document).key);
}

export function quarantineKeysOf(document: DocumentId): KeyRange {
  return refusalKeysOf(document, QuarantineKind.update);
}

export function recallKeysOf(document: DocumentId): KeyRange {
  return refusalKeysOf(document, QuarantineKind.envelope);
}

export const checkpointChunkKeys = keysUnder(Uint8Array.of(Prefix.checkpointChunk));
export const floorKeys = keysUnder(Uint8Array.of(Prefix.floor));
export const attributionKeys = keysUnder(Uint8Array.of(Prefix.attribution));
export const checkpointKeys = keysUnder(Uint8Array.of(Prefix.checkpoint));

export function checkpointKeysOf(document: DocumentId): KeyRange {
  return keysUnder(new KeyWriter(Prefix.checkpoint, 16).id(document).key);
}

/** All chunks of one kind of a checkpoint. */
export function chunkKeysOf(document: DocumentId, number: number, kind: ChunkKind): KeyRange {
  const writer = new KeyWriter(Prefix.checkpointChunk, 21).id(document);
  return keysUnder(writer.uint32(number).bytes(Uint8Array.of(kind)).key);
}

export function floorKeysOf(document: DocumentId): KeyRange {
  return keysUnder(new KeyWriter(Prefix.floor, 16).id(document).key);
}

export function attributionKeysOf(document: DocumentId): KeyRange {
  return keysUnder(new KeyWriter(Prefix.attribution, 16).id(document).key);
}

function refusalKeysOf(document: DocumentId, kind: number): KeyRange {
  const writer = new KeyWriter(Prefix.quarantine, 17).id(document);
  return keysUnder(writer.bytes(Uint8Array.of(kind)).key);
}

/** Tells the two keys of kind Q apart. */
export function isQuarantineUpdateKey(key: Uint8Array): boolean {
  return key[17] === QuarantineKind.update;
}

/** The id in a key of kind Q. */
export function refusedIdOfKey(key: Uint8Array): Uint8Array {
  return key.subarray(18);
}

/** The document in a key of kind D, d, V, E, p, Q, C, c, f, a, F or N. */
export function documentOfKey(key: Uint8Array): DocumentId {
  return documentId(key.subarray(1, 17));
}

/** The lane in a key of kind l. */
export function laneBytesOfKey(key: Uint8Array): Uint8Array {
  return key.subarray(1, 17);
}

/** The alias in a key of kind L, V, E, f or a. */
export function laneIxOfKey(key: Uint8Array): number {
  return viewOf(key).getUint32(key[0] === Prefix.lane ? 1 : 17);
}

/** Tells the two keys of kind V apart. */
export function isVectorDigestKey(key: Uint8Array): boolean {
  return key.length === 17;
}

/** The last part of a key of kind E, A, X or a. */
export function isArrivalKey(key: Uint8Array): boolean {
  return key.length === 9 && key[0] === Prefix.arrival;
}

export function numberOfKey(key: Uint8Array): number {
  const view = viewOf(key);
  return view.getUint32(key.length - 8) * 2 ** 32 + view.getUint32(key.length - 4);
}

/** The number in a key of kind C or c. */
export function checkpointNumberOfKey(key: Uint8Array): number {
  return viewOf(key).getUint32(17);
}

/** The kind in a key of kind c. */
export function chunkKindOfKey(key: Uint8Array): number | undefined {
  return key[21];
}

/** The index in a key of kind c. */
export function chunkIndexOfKey(key: Uint8Array): number {
  return viewOf(key).getUint32(22);
}

/** The update in a key of kind p. */
export function updateBytesOfKey(key: Uint8Array): Uint8Array {
  return key.subarray(17, 33);
}

/** The damage in a key of kind R. */
export function damageOfKey(key: Uint8Array): Uint8Array {
  return key.subarray(1, 17);
}

/** The number in a key of kind i. */
export function openingOfKey(key: Uint8Array): number {
  return viewOf(key).getUint32(1);
}

const kindByPrefix: ReadonlyMap<number, string> = new Map([
  [Prefix.meta, "meta"],
  [Prefix.lane, "lane"],
  [Prefix.laneAlias, "lane alias"],
  [Prefix.document, "document"],
  [Prefix.dirty, "dirty marker"],
  [Prefix.vector, "vector"],
  [Prefix.envelope, "envelope"],
  [Prefix.arrival, "arrival"],
  [Prefix.parked, "parked update"],
  [Prefix.incarnation, "incarnation"],
  [Prefix.quarantine, "quarantine"],
  [Prefix.journal, "journal"],
  [Prefix.repair, "repair request"],
  [Prefix.checkpoint, "checkpoint"],
  [Prefix.checkpointChunk, "checkpoint chunk"],
  [Prefix.floor, "floor"],
  [Prefix.attribution, "attribution"],
  [Prefix.cursor, "peer cursor"],
  [Prefix.ack, "acknowledgement"],
  [Prefix.fork, "fork"],
  [Prefix.refused, "refused envelope"],
]);
const prefixesWithDocument: ReadonlySet<number> = new Set([
  Prefix.document,
  Prefix.dirty,
  Prefix.vector,
  Prefix.envelope,
  Prefix.parked,
  Prefix.quarantine,
  Prefix.checkpoint,
  Prefix.checkpointChunk,
  Prefix.floor,
  Prefix.attribution,
  Prefix.fork,
  Prefix.refused,
]);

/** The highest version of a record under `key` that this heddle reads. */
export function recordVersionOf(key: Uint8Array): number {
  return key[0] === Prefix.envelope ? 2 : 1;
}

const lengthsByPrefix: ReadonlyMap<number, readonly number[]> = new Map([
  [Prefix.meta, [2]],
  [Prefix.lane, [5]],
  [Prefix.laneAlias, [17]],
  [Prefix.document, [17]],
  [Prefix.dirty, [17]],
  [Prefix.vector, [17, 21]],
  [Prefix.envelope, [29]],
  [Prefix.arrival, [9]],
  [Prefix.parked, [33]],
  [Prefix.incarnation, [5]],
  [Prefix.quarantine, [34, 50]],
  [Prefix.journal, [9]],
  [Prefix.repair, [17]],
  [Prefix.checkpoint, [21]],
  [Prefix.checkpointChunk, [26]],
  [Prefix.floor, [21]],
  [Prefix.attribution, [29]],
  [Prefix.cursor, [17]],
  [Prefix.ack, [37]],
  [Prefix.fork, [41]],
  [Prefix.refused, [57]],
]);

/** How long the keys are that begin with `prefix`; none for what begins no key. */
export function keyLengthsOf(prefix: number | undefined): readonly number[] {
  return lengthsByPrefix.get(prefix ?? 0) ?? [];
}

/**
 * Keys whose records name themselves beyond their checksum: an envelope by the hash that its successor
 * has of it, a lane by its signature.
 */
export function isSelfProving(key: Uint8Array): boolean {
  return key[0] === Prefix.envelope || key[0] === Prefix.lane;
}

/** Whether {@link documentOfKey} has an answer. */
export function hasDocument(key: Uint8Array): boolean {
  return prefixesWithDocument.has(key[0]!) && key.length >= 17;
}

/** What a person reads when a record is damaged: its kind, and its document when it has one. */
export function describeKey(key: Uint8Array): string {
  const kind = kindByPrefix.get(key[0] ?? 0) ?? "unknown";
  return hasDocument(key) ? `${kind} record of document ${documentOfKey(key)}` : `${kind} record`;
}
