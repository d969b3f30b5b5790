import {
  arrivalRunsOf,
  concatBytes,
  documentId,
  writeId,
  type ArrivalRun,
  type DocumentId,
  type Hash,
  type LaneId,
} from "@heddle/core";
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { encodeUtf8 } from "lib0/string";

import type { Operation } from "./level-database.ts";
import { decodeRecord, encodeFields } from "./record-fields.ts";
import { arrivalKey } from "./record-keys.ts";
import { chainBytes, putRecord } from "./records.ts";

/**
 * arrival := chain 16 • runs
 * runs    := (document 16 • varUint laneIx • varUint fromSeq • varUint further • head 8)*
 *
 * `further` is how many envelopes follow the first, `head` begins the id of the last one: through it
 * the chain covers every byte of every envelope, as each names its predecessor.
 */
const ArrivalTag = { chain: 1, runs: 2 } as const;
export const headBytes = 8;
const runsBytesMax = 2 ** 31;
const chainDomain = encodeUtf8("heddle/arrival/1");

/** What an arrival keeps of an envelope. */
export interface Arrived {
  readonly document: DocumentId;
  readonly lane: LaneId;
  readonly laneIx: number;
  readonly seq: number;
  /** First bytes of the id. */
  readonly head: Uint8Array;
}

export interface ArrivalRecord {
  readonly chain: Uint8Array;
  /** Encoded, as the chain hash covers them. */
  readonly runs: Uint8Array;
}

export type StoredRun = Omit<ArrivalRun, "lane"> & {
  readonly laneIx: number;
  /** First bytes of the id of its last envelope. */
  readonly head: Uint8Array;
};

export function putArrival(number: number, { chain, runs }: ArrivalRecord): Operation {
  const fields = {
    [ArrivalTag.chain]: chain,
    [ArrivalTag.runs]: runs.length > 0 ? runs : undefined,
  };
  return putRecord(arrivalKey(number), encodeFields(fields));
}

export function readArrival(key: Uint8Array, record: Uint8Array): ArrivalRecord {
  return decodeRecord(key, record, ArrivalTag, (fields) => ({
    chain: fields.bytes(ArrivalTag.chain, chainBytes),
    runs: fields.optionalBytes(ArrivalTag.runs, runsBytesMax) ?? new Uint8Array(),
  }));
}

/** The chain hash of group `number`: it covers the runs and, through `before`, all earlier groups. */
export function nextChain(
  hash: Hash,
  before: Uint8Array,
  number: number,
  runs: Uint8Array,
): Uint8Array {
  const numberBytes = arrivalKey(number).subarray(1);
  const whole = hash.sha256(concatBytes([chainDomain, before, numberBytes, runs]));
  return new Uint8Array(whole.subarray(0, chainBytes));
}

/** The encoder copies it. */
const idScratch = new Uint8Array(16);

export function encodeRuns(arrived: readonly Arrived[]): Uint8Array {
  const encoder = encoding.createEncoder();
  let end = 0;
  for (const { document, fromSeq, toSeq } of arrivalRunsOf(arrived)) {
    end += toSeq - fromSeq + 1;
    const last = arrived[end - 1]!;
    writeId(document, idScratch, 0);
    encoding.writeUint8Array(encoder, idScratch);
    encoding.writeVarUint(encoder, last.laneIx);
    encoding.writeVarUint(encoder, fromSeq);
    encoding.writeVarUint(encoder, toSeq - fromSeq);
    encoding.writeUint8Array(encoder, last.head);
  }
  return encoding.toUint8Array(encoder);
}

/** Reads what {@link encodeRuns} wrote; `runs` has passed its checksum, so it is taken at its word. */
export function decodeRuns(runs: Uint8Array): StoredRun[] {
  const decoder = decoding.createDecoder(runs);
  const list: StoredRun[] = [];
  while (decoding.hasContent(decoder)) {
    const document = documentId(decoding.readUint8Array(decoder, 16));
    const laneIx = decoding.readVarUint(decoder);
    const fromSeq = decoding.readVarUint(decoder);
    const toSeq = fromSeq + decoding.readVarUint(decoder);
    const head = decoding.readUint8Array(decoder, headBytes);
    list.push({ document, laneIx, fromSeq, toSeq, head });
  }
  return list;
}
