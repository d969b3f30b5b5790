import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { encodeUtf8 } from "lib0/string";

import { concatBytes } from "../bytes.ts";
import type { Hash } from "../environment.ts";
import { malformed, readUint } from "../fields.ts";
import { bytesOfId, documentId, laneId, type DocumentId, type LaneId } from "../ids.ts";
import { limits } from "../limits.ts";

/** Up to where a lane of a document is kept. */
export interface CutPlace {
  readonly seq: number;
  /**
   * 64 bytes of the device over the envelope at `seq`, as the remover has them: whoever was given that
   * envelope within a longer run can pass it on with them.
   */
  readonly signature?: Uint8Array | undefined;
}

/**
 * What of a revoked device is kept: up to which seq of each of its lanes, by document. A document that
 * is not listed is cut at 0.
 */
export type MembershipCut = ReadonlyMap<LaneId, ReadonlyMap<DocumentId, CutPlace>>;

const hashDomain = encodeUtf8("heddle/cut/1");
const documentBytesMin = 16 + 1;
const laneBytesMin = 16 + 1 + documentBytesMin;

/** The name of a cut in the record that makes it: its list is too long to be signed with it. */
export function hashCut(hash: Hash, bytes: Uint8Array): Uint8Array {
  return hash.sha256(concatBytes([hashDomain, bytes]));
}

/**
 * cut := varUint lanes • (lane 16 • varUint documents • place*)*, all ascending
 * place := document 16 • varUint (2 * seq + hasSignature) • [signature 64]
 */
export function encodeCut(cut: MembershipCut): Uint8Array {
  const lanes = [...cut]
    .map(([lane, documents]) => [lane, entriesOf(documents)] as const)
    .filter(([, documents]) => documents.length > 0)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, lanes.length);
    for (const [lane, documents] of lanes) {
      encoding.writeUint8Array(encoder, bytesOfId(lane));
      encoding.writeVarUint(encoder, documents.length);
      for (const [document, { seq, signature }] of documents) {
        encoding.writeUint8Array(encoder, bytesOfId(document));
        encoding.writeVarUint(encoder, seq * 2 + (signature ? 1 : 0));
        if (signature) encoding.writeUint8Array(encoder, signature);
      }
    }
  });
}

/** @throws HeddleError `HEDDLE_FRAME_MALFORMED`. */
export function decodeCut(bytes: Uint8Array): MembershipCut {
  if (bytes.length > limits.membershipCutBytesMax) throw malformed("cut", "it is too long");
  const cut = new Map<LaneId, Map<DocumentId, CutPlace>>();
  try {
    const decoder = decoding.createDecoder(bytes);
    const lanes = readCount(decoder, laneBytesMin);
    let laneBefore = "";
    for (let index = 0; index < lanes; index++) {
      const lane = laneId(decoding.readUint8Array(decoder, 16));
      if (lane <= laneBefore) throw new RangeError("lanes do not ascend");
      laneBefore = lane;
      cut.set(lane, readDocuments(decoder));
    }
    if (decoding.hasContent(decoder)) throw new RangeError("bytes after the last lane");
  } catch (cause) {
    throw malformed("cut", "it is damaged", cause);
  }
  return cut;
}

function readDocuments(decoder: decoding.Decoder): Map<DocumentId, CutPlace> {
  const documents = new Map<DocumentId, CutPlace>();
  const count = readCount(decoder, documentBytesMin);
  if (count < 1) throw new RangeError("a lane without documents is left out");
  let documentBefore = "";
  for (let index = 0; index < count; index++) {
    const document = documentId(decoding.readUint8Array(decoder, 16));
    const number = readUint(decoder);
    const seq = Math.floor(number / 2);
    if (document <= documentBefore || seq < 1) throw new RangeError("documents do not ascend");
    documentBefore = document;
    const hasSignature = number % 2 === 1;
    const signature = hasSignature ? decoding.readUint8Array(decoder, 64).slice() : undefined;
    documents.set(document, { seq, signature });
  }
  return documents;
}

/** No more than there are bytes for, so that nothing is allocated on the word of a number. */
function readCount(decoder: decoding.Decoder, bytesEach: number): number {
  const count = readUint(decoder);
  if (count * bytesEach > decoder.arr.length - decoder.pos) throw new RangeError("more than bytes");
  return count;
}

function entriesOf(documents: ReadonlyMap<DocumentId, CutPlace>): [DocumentId, CutPlace][] {
  return [...documents].filter(([, { seq }]) => seq > 0).toSorted(([a], [b]) => (a < b ? -1 : 1));
}
