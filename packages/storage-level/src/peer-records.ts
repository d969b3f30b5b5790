import {
  cutUtf8,
  decodeLane,
  limits,
  type Hash,
  type KeptFork,
  type PeerAck,
  type PeerCursor,
  type RefusedEnvelope,
  type RefusedPlace,
} from "@heddle/core";
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { decodeUtf8 } from "lib0/string";

import type { Operation } from "./level-database.ts";
import { damaged } from "./record-codec.ts";
import { decodeRecord, encodeFields } from "./record-fields.ts";
import {
  ackKey,
  cursorKey,
  envelopeSeqOfKey,
  forkKey,
  laneIdOfKey,
  peerOfKey,
  refusedKey,
  refuserOfKey,
} from "./peer-keys.ts";
import { documentOfKey } from "./parts-of-key.ts";
import { putRecord } from "./records.ts";

/** Records of kinds P, O, F and N: about other stores. Tags are never reused. */

const CursorTag = { incarnation: 1, arrival: 2 } as const;

export function putCursor({ store, incarnation, arrival }: PeerCursor): Operation {
  const fields = { [CursorTag.incarnation]: incarnation, [CursorTag.arrival]: arrival };
  return putRecord(cursorKey(store), encodeFields(fields));
}

export function readCursor(key: Uint8Array, record: Uint8Array): PeerCursor {
  return decodeRecord(key, record, CursorTag, (fields) => ({
    store: peerOfKey(key),
    incarnation: fields.bytes(CursorTag.incarnation, 16),
    arrival: fields.uint(CursorTag.arrival),
  }));
}

const AckTag = { seq: 1 } as const;

export function putAck({ store, document, seq }: Omit<PeerAck, "lane">, laneIx: number): Operation {
  return putRecord(ackKey(store, document, laneIx), encodeFields({ [AckTag.seq]: seq }));
}

/** The seq. */
export function readAck(key: Uint8Array, record: Uint8Array): number {
  return decodeRecord(key, record, AckTag, (fields) => fields.uint(AckTag.seq));
}

const ForkTag = { lane: 1, branchA: 2, branchB: 3, foundAtMs: 4 } as const;
const descriptorBytesMax = 1024;

export function putFork(fork: KeptFork): Operation {
  const { document, lane, seq, branchA, branchB, foundAtMs } = fork;
  const fields = {
    [ForkTag.lane]: lane.bytes,
    [ForkTag.branchA]: branchA.length > 0 ? packed(branchA) : undefined,
    [ForkTag.branchB]: branchB.length > 0 ? packed(branchB) : undefined,
    [ForkTag.foundAtMs]: foundAtMs,
  };
  return putRecord(forkKey(document, lane.id, seq), encodeFields(fields));
}

export function readFork(hash: Hash, key: Uint8Array, record: Uint8Array): KeptFork {
  return decodeRecord(key, record, ForkTag, (fields) => {
    const bytesMax = limits.forkBytesMax + forkOverheadMax;
    const descriptor = fields.optionalBytes(ForkTag.lane, descriptorBytesMax);
    const lane = decodeLane(hash, descriptor ?? new Uint8Array());
    if (lane.id !== laneIdOfKey(key)) throw damaged(key, "it holds another lane");
    return {
      document: documentOfKey(key),
      lane,
      seq: envelopeSeqOfKey(key),
      branchA: unpacked(fields.optionalBytes(ForkTag.branchA, bytesMax)),
      branchB: unpacked(fields.optionalBytes(ForkTag.branchB, bytesMax)),
      foundAtMs: fields.uint(ForkTag.foundAtMs),
    };
  });
}

/** What the lengths of envelopes take beside them. */
const forkOverheadMax = 64 * 1024;

function packed(branch: readonly Uint8Array[]): Uint8Array {
  const encoder = encoding.createEncoder();
  for (const envelope of branch) encoding.writeVarUint8Array(encoder, envelope);
  return encoding.toUint8Array(encoder);
}

function unpacked(bytes: Uint8Array | undefined): Uint8Array[] {
  const decoder = decoding.createDecoder(bytes ?? new Uint8Array());
  const branch: Uint8Array[] = [];
  while (decoding.hasContent(decoder)) branch.push(decoding.readVarUint8Array(decoder));
  return branch;
}

const RefusedTag = { code: 1, reason: 2, atMs: 3 } as const;

export function putRefused(refused: RefusedEnvelope): Operation {
  const fields = {
    [RefusedTag.code]: refused.code,
    [RefusedTag.reason]: cutUtf8(refused.reason, limits.reasonBytesMax),
    [RefusedTag.atMs]: refused.atMs,
  };
  return putRecord(refusedKey(refused), encodeFields(fields));
}

export function deleteRefused(place: RefusedPlace): Operation {
  return { type: "del", key: refusedKey(place) };
}

export function readRefused(key: Uint8Array, record: Uint8Array): RefusedEnvelope {
  return decodeRecord(key, record, RefusedTag, (fields) => {
    const reason = fields.optionalBytes(RefusedTag.reason, limits.reasonBytesMax);
    return {
      document: documentOfKey(key),
      lane: laneIdOfKey(key),
      seq: envelopeSeqOfKey(key),
      store: refuserOfKey(key),
      code: fields.uint(RefusedTag.code),
      reason: decodeUtf8(reason ?? new Uint8Array()),
      atMs: fields.uint(RefusedTag.atMs),
    };
  });
}

/** Bytes of both branches together. */
export function branchBytes({ branchA, branchB }: KeptFork): number {
  return [...branchA, ...branchB].reduce((sum, { length }) => sum + length, 0);
}
