import {
  bytesOfId,
  cutUtf8,
  limits,
  toHex,
  type LaneId,
  type QuarantinedUpdate,
  type RecalledEnvelope,
  type RefusalNote,
} from "@heddle/core";
import { decodeUtf8 } from "lib0/string";

import { decodeRecord, encodeFields } from "./record-fields.ts";
import { refusedIdOfKey } from "./parts-of-key.ts";

/** Records of kind Q, written and read as those of records.ts. Tags are never reused. */

const NoteTag = {
  reason: 1,
  validatorVersion: 2,
  atMs: 3,
  correlationId: 35,
  editReason: 36,
} as const;
/** A reader that does not know of releases must not take the refusal for one in force: below 32. */
const ReleaseTag = { releasedAtMs: 6, releasedBy: 34 } as const;
const QuarantineTag = {
  ...NoteTag,
  update: 4,
  principal: 5,
  ...ReleaseTag,
  size: 32,
  sourceTag: 33,
} as const;
const RecallTag = { ...NoteTag, lane: 4, seq: 5, ...ReleaseTag } as const;

export function encodeQuarantined(quarantined: QuarantinedUpdate): Uint8Array {
  return encodeFields({
    ...noteFields(quarantined),
    [QuarantineTag.update]: quarantined.update,
    [QuarantineTag.principal]: quarantined.principal,
    [QuarantineTag.size]: quarantined.update ? 0 : quarantined.size,
    [QuarantineTag.sourceTag]: quarantined.sourceTag,
  });
}

export function readQuarantined(key: Uint8Array, record: Uint8Array): QuarantinedUpdate {
  return decodeRecord(key, record, QuarantineTag, (fields) => {
    const principal = fields.optionalBytes(QuarantineTag.principal, limits.principalBytesMax);
    const sourceTag = fields.optionalBytes(QuarantineTag.sourceTag, limits.sourceTagBytesMax);
    const update = fields.optionalBytes(QuarantineTag.update, limits.updateBytesMax);
    return {
      id: toHex(refusedIdOfKey(key)),
      size: update?.length ?? fields.uint(QuarantineTag.size),
      ...noteOf(fields),
      ...(update && { update }),
      ...(principal && { principal }),
      ...(sourceTag && { sourceTag }),
    };
  });
}

export function encodeRecall(recalled: RecalledEnvelope): Uint8Array {
  return encodeFields({
    ...noteFields(recalled),
    [RecallTag.lane]: bytesOfId(recalled.lane),
    [RecallTag.seq]: recalled.seq,
  });
}

export function readRecall(key: Uint8Array, record: Uint8Array): RecalledEnvelope {
  return decodeRecord(key, record, RecallTag, (fields) => ({
    id: toHex(refusedIdOfKey(key)),
    lane: toHex(fields.bytes(RecallTag.lane, 16)) as LaneId,
    seq: fields.uint(RecallTag.seq),
    ...noteOf(fields),
  }));
}

function noteFields(note: RefusalNote) {
  const { reason, validatorVersion, atMs, correlationId, editReason, release } = note;
  return {
    [ReleaseTag.releasedAtMs]: release?.atMs ?? 0,
    [ReleaseTag.releasedBy]: release && cutUtf8(release.by, limits.reasonBytesMax),
    [NoteTag.reason]: cutUtf8(reason, limits.reasonBytesMax),
    [NoteTag.validatorVersion]: validatorVersion,
    [NoteTag.atMs]: atMs,
    [NoteTag.correlationId]: correlationId,
    [NoteTag.editReason]: editReason,
  };
}

type NoteFields = Parameters<Parameters<typeof decodeRecord>[3]>[0];

function noteOf(fields: NoteFields): RefusalNote {
  const reason = fields.optionalBytes(NoteTag.reason, limits.reasonBytesMax) ?? new Uint8Array();
  const correlationId = fields.optionalBytes(NoteTag.correlationId, limits.correlationIdBytesMax);
  const editReason = fields.optionalBytes(NoteTag.editReason, limits.reasonBytesMax);
  const note = {
    reason: decodeUtf8(reason),
    validatorVersion: fields.uint(NoteTag.validatorVersion),
    atMs: fields.uint(NoteTag.atMs),
    ...(correlationId && { correlationId }),
    ...(editReason && { editReason }),
  };
  const releasedAtMs = fields.uint(ReleaseTag.releasedAtMs);
  if (releasedAtMs === 0) return note;
  const by = fields.optionalBytes(ReleaseTag.releasedBy, limits.reasonBytesMax);
  return { ...note, release: { atMs: releasedAtMs, by: decodeUtf8(by ?? new Uint8Array()) } };
}
