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
  type ActRecord,
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

/** A record whose list was not looked at yet: it may be long, and nobody may have meant it. */
export interface SealedAct {
  readonly record: ActRecord;
  /** @throws HeddleError `HEDDLE_FRAME_MALFORMED` when the list is not the one that was signed. */
  open(): MembershipAct;
}

/**
 * Reads what {@link encodeMembershipAct} wrote, but for the list. The signature of the record is not
 * checked.
 *
 * @throws HeddleError `HEDDLE_FRAME_MALFORMED` or `HEDDLE_PROTOCOL_VERSION`.
 */
export function readMembershipAct(hash: Hash, payload: Uint8Array): SealedAct {
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
    return { record, open: () => ({ record }) };
  }
  return { record, open: () => ({ record, cut: readCut(hash, record, cut) }) };
}

/** The same with the list. @throws HeddleError as {@link readMembershipAct} and {@link SealedAct.open}. */
export function decodeMembershipAct(hash: Hash, payload: Uint8Array): MembershipAct {
  return readMembershipAct(hash, payload).open();
}

function readCut(hash: Hash, record: RevokeRecord, cut: Uint8Array | undefined): MembershipCut {
  if (!cut || !equalBytes(hashCut(hash, cut), record.cut)) {
    throw malformed("membership act", "its list is not the one that was signed");
  }
  return decodeCut(cut);
}
