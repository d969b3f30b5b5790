import { fromHex, type DocumentId, type LaneId } from "@heddle/core";

import { KeyWriter } from "./key-writer.ts";

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
 *   j number8                      | audit journal: what differed, and what was done
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
  audit: 0x6a,
} as const;

/** Behind the document in a key of kind Q. */
export const QuarantineKind = { update: 0x75, envelope: 0x65 } as const;

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

export function auditKey(number: number): Uint8Array {
  return new KeyWriter(Prefix.audit, 8).uint64(number).key;
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
