import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";

import { equalBytes } from "../bytes.ts";
import type { Hash } from "../environment.ts";
import { Fields, malformed, readFields, tooNew, writeBytesField } from "../fields.ts";
import { documentIdOf, parseDocumentName, type DocumentId, type SpaceId } from "../ids.ts";
import { limits } from "../limits.ts";
import { decodeCut, hashCut, type MembershipCut } from "./membership-cut.ts";
import {
  decodeMembershipRecord,
  type GrantRecord,
  type RevokeRecord,
} from "./membership-record.ts";

/** A record as it stands in an envelope of the control document, a revocation with its list. */
export type MembershipAct =
  | { readonly record: GrantRecord }
  | { readonly record: RevokeRecord; readonly cut: MembershipCut };

/** The control document of every space has this name; its id follows from the space as any other. */
export const membersDocumentName = parseDocumentName("heddle:members");

export function membersDocumentId(hash: Hash, space: SpaceId): DocumentId {
  return documentIdOf(hash, space, membersDocumentName);
}

const actVersion = 1;
const Tag = { record: 1, cut: 2 } as const;
const knownTags: ReadonlySet<number> = new Set(Object.values(Tag));

/**
 * Payload of a control envelope: uint8 version • uint8 lowest version of a reader • fields.
 *
 * @param cut the list of a revocation, encoded.
 */
export function encodeMembershipAct(record: Uint8Array, cut?: Uint8Array): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeUint8(encoder, actVersion);
    encoding.writeUint8(encoder, actVersion);
    writeBytesField(encoder, Tag.record, record);
    if (cut) writeBytesField(encoder, Tag.cut, cut);
  });
}

/**
 * Reads what {@link encodeMembershipAct} wrote. The signature of the record is not checked.
 *
 * @throws HeddleError `HEDDLE_FRAME_MALFORMED` or `HEDDLE_PROTOCOL_VERSION`.
 */
export function decodeMembershipAct(hash: Hash, payload: Uint8Array): MembershipAct {
  const what = "membership act";
  if (payload.length < 2) throw malformed(what, "it is empty");
  if (payload[0]! < 1 || payload[1]! < 1) throw malformed(what, "it has no version");
  if (payload[1]! > actVersion) throw tooNew(what, `version ${payload[1]!}`);
  const fields = new Fields(what);
  readFields(what, decoding.createDecoder(payload.subarray(2)), (tag, value) => {
    fields.set(tag, value);
    return knownTags.has(tag);
  });
  const bytes = fields.optionalBytes(Tag.record, limits.membershipRecordBytesMax);
  // Copies: the payload is a view into a frame, and records stay.
  const record = decodeMembershipRecord(hash, (bytes ?? new Uint8Array()).slice());
  const cut = fields.optionalBytes(Tag.cut, limits.membershipCutBytesMax);
  if (record.kind === "genesis") throw malformed(what, "a space begins once");
  if (record.kind === "grant") {
    if (cut) throw malformed(what, "a grant cuts nothing");
    return { record };
  }
  if (!cut || !equalBytes(hashCut(hash, cut), record.cut)) {
    throw malformed(what, "its list is not the one that was signed");
  }
  return { record, cut: decodeCut(cut) };
}
