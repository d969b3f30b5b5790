import type { DocumentId } from "@heddle/core";

import { keysUnder, KeyWriter, type KeyRange } from "./key-writer.ts";
import { envelopeKey, Prefix, QuarantineKind, type ChunkKind } from "./record-keys.ts";

/** Which keys lie beside each other; see record-keys.ts. */

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
export const auditKeys = keysUnder(Uint8Array.of(Prefix.audit));

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

/** Chunks of both kinds. */
export function chunkKeysOfCheckpoint(document: DocumentId, number: number): KeyRange {
  return keysUnder(new KeyWriter(Prefix.checkpointChunk, 20).id(document).uint32(number).key);
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
