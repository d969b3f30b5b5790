import {
  assert,
  bytesOfId,
  concatBytes,
  cutUtf8,
  decodeFields,
  decodeHlc,
  documentId,
  encodeFields,
  encodeHlc,
  HeddleError,
  HeddleErrorCode,
  limits,
  storeId,
  textOfField,
  type DocumentId,
  type Fields,
  type Hlc,
  type StoreId,
} from "@heddle/core";

import { auditLimits } from "./audit-limits.ts";

/**
 * One thing that was found to differ, and what was done about it: the same for a document of a replica
 * and for a row of a projection. Journals keep it as {@link encodeAuditEntry} writes it.
 */
export interface AuditEntry {
  /** 16 random bytes. */
  readonly id: Uint8Array;
  /** Wall clock in ms when it was written down, and the hybrid clock where there is one. */
  readonly atMs: number;
  readonly hlc?: Hlc | undefined;
  /** Whose decision it was: a device's public key in hex, the holder of a job's lease, a person. */
  readonly by: string;
  readonly subject: AuditSubject;
  /** One of {@link auditCauses}, or a word of a later heddle. */
  readonly cause: string;
  /** One of {@link auditActions}, or a word of a later heddle. */
  readonly action: string;
  /** One of {@link auditResults}, or a word of a later heddle. */
  readonly result: string;
  /** What was there, and what is there now; missing where there is nothing. */
  readonly before?: AuditValue | undefined;
  readonly after?: AuditValue | undefined;
  /** What it was compared with, where that is neither: the digests of a peer, a source. */
  readonly against?: AuditValue | undefined;
  /** At most `limits.correlationIdBytesMax`: the run of a job, the case of a document. */
  readonly correlationId?: Uint8Array | undefined;
  /** For people: which side was wrong, and why. No content. */
  readonly detail: string;
}

export type AuditSubject = DocumentSubject | RowSubject | ChangeSubject;

/** A document as one replica holds it. */
export interface DocumentSubject {
  readonly of: "document";
  readonly document: DocumentId;
  /** The peer that it was compared with. */
  readonly peer?: StoreId | undefined;
}

/** A row, or all rows of a partition, of a projection. */
export interface RowSubject {
  readonly of: "row";
  readonly projection: string;
  readonly partition?: string | undefined;
  readonly key?: string | undefined;
  /** The document that it was derived from, where it is of one. */
  readonly document?: DocumentId | undefined;
}

/** A change that a sink had given up. */
export interface ChangeSubject {
  readonly of: "change";
  readonly sink: string;
  /** Id of the envelope in hex, or of the document where all that was pruned is meant. */
  readonly change: string;
  readonly document?: DocumentId | undefined;
}

/** A value as far as it is kept, and what it was as a whole. */
export interface AuditValue {
  /** SHA-256 of the value, 32 bytes. */
  readonly digest: Uint8Array;
  /** Bytes of the whole value; 0 where only the digest is known. */
  readonly size: number;
  /** Its beginning, at most `auditLimits.valueBytesMax`; empty where content is not to be kept. */
  readonly bytes: Uint8Array;
}

/** Append only. The first are of documents, then come those of rows, and one of sinks. */
export const auditCauses = [
  "behind",
  "gap",
  "missing-dependency",
  "damaged-store",
  "damaged-state",
  "engine",
  "fork",
  "unexplained",
  "missed",
  "duplicated",
  "logic-version",
  "tampered",
  "undelivered",
] as const;
export type AuditCause = (typeof auditCauses)[number];

/** Append only. */
export const auditActions = [
  "none",
  "waited",
  "reloaded",
  "checkpointed",
  "refetched",
  "exchanged",
  "corrected",
  "emitted",
  "redelivered",
  "dropped",
] as const;
export type AuditAction = (typeof auditActions)[number];

/**
 * `applied`: in one batch with what it changed; where that was not there afterwards, another entry with the same
 * correlation id says `failed`. `verified`: looked at again afterwards, and right. `failed`: tried as often as it is tried, and not.
 * `undetermined`: nobody could tell what is right. `reported`: nothing was to be done.
 */
export const auditResults = ["verified", "failed", "undetermined", "reported", "applied"] as const;
export type AuditResult = (typeof auditResults)[number];

export const auditEntryVersion = 1;

/** Never reused; those from 32 on may be skipped by a reader. */
const Tag = {
  id: 1,
  atMs: 2,
  by: 3,
  document: 4,
  projection: 5,
  cause: 6,
  action: 7,
  result: 8,
  sink: 9,
  hlc: 32,
  peer: 33,
  partition: 34,
  key: 35,
  before: 36,
  after: 37,
  against: 38,
  correlationId: 39,
  detail: 40,
} as const;

/**
 * entry := uint8 version • uint8 lowest version of a reader • field*; see docs/storage-format.md.
 * Text that is too long is cut between characters, values at their bound.
 */
export function encodeAuditEntry(entry: AuditEntry): Uint8Array {
  const { id, atMs, hlc, by, subject, cause, action, result, correlationId, detail } = entry;
  assert(id.length === 16, "an entry is named by 16 bytes");
  for (const word of [cause, action, result]) {
    assert(isWord(word), "causes, actions and results are words");
  }
  assert(
    (correlationId?.length ?? 0) <= limits.correlationIdBytesMax,
    "a correlation id keeps its cap",
  );
  const { byBytesMax, detailBytesMax } = auditLimits;
  const fields = encodeFields({
    [Tag.id]: id,
    [Tag.atMs]: atMs,
    [Tag.by]: cutUtf8(by, byBytesMax),
    ...fieldsOf(subject),
    [Tag.cause]: cause,
    [Tag.action]: action,
    [Tag.result]: result,
    [Tag.hlc]: hlc && encodeHlc(hlc),
    [Tag.before]: entry.before && encodeValue(entry.before),
    [Tag.after]: entry.after && encodeValue(entry.after),
    [Tag.against]: entry.against && encodeValue(entry.against),
    [Tag.correlationId]: correlationId,
    [Tag.detail]: detail === "" ? undefined : cutUtf8(detail, detailBytesMax),
  });
  return concatBytes([Uint8Array.of(auditEntryVersion, auditEntryVersion), fields]);
}

/**
 * Reads what {@link encodeAuditEntry} wrote.
 *
 * @throws HeddleError `HEDDLE_FRAME_MALFORMED`, or `HEDDLE_PROTOCOL_VERSION` for one of a later heddle
 * that this one cannot read.
 */
export function decodeAuditEntry(bytes: Uint8Array): AuditEntry {
  if (bytes.length < 2 || bytes.length > auditLimits.entryBytesMax) {
    throw malformed("its length is out of bounds");
  }
  if (bytes[0]! < 1 || bytes[1]! < 1) throw malformed("it has no version");
  if (bytes[1]! > auditEntryVersion) {
    const message = `an audit entry was written by a newer heddle (version ${bytes[1]!})`;
    throw new HeddleError(HeddleErrorCode.protocolVersion, message);
  }
  const fields = decodeFields("audit entry", bytes.subarray(2), Tag);
  const hlc = fields.optionalBytes(Tag.hlc, 8);
  const correlationId = fields.optionalBytes(Tag.correlationId, limits.correlationIdBytesMax);
  const before = valueOf(fields, Tag.before);
  const after = valueOf(fields, Tag.after);
  const against = valueOf(fields, Tag.against);
  return {
    id: fields.bytes(Tag.id, 16).slice(),
    atMs: fields.uint(Tag.atMs),
    ...(hlc && { hlc: decodeHlc(hlc) }),
    by: textOfField(fields, Tag.by, auditLimits.byBytesMax),
    subject: subjectOf(fields),
    cause: wordOf(fields, Tag.cause),
    action: wordOf(fields, Tag.action),
    result: wordOf(fields, Tag.result),
    ...(before && { before }),
    ...(after && { after }),
    ...(against && { against }),
    ...(correlationId && { correlationId: correlationId.slice() }),
    detail: textOfField(fields, Tag.detail, auditLimits.detailBytesMax),
  };
}

function fieldsOf(subject: AuditSubject): Parameters<typeof encodeFields>[0] {
  const document = subject.document && bytesOfId(subject.document);
  switch (subject.of) {
    case "document":
      return { [Tag.document]: document, [Tag.peer]: subject.peer && bytesOfId(subject.peer) };
    case "row":
      return {
        [Tag.document]: document,
        [Tag.projection]: namePart(subject.projection),
        [Tag.partition]: namePart(subject.partition),
        [Tag.key]: namePart(subject.key),
      };
    case "change":
      return {
        [Tag.document]: document,
        [Tag.sink]: namePart(subject.sink),
        [Tag.key]: namePart(subject.change),
      };
  }
}

function subjectOf(fields: Fields): AuditSubject {
  const part = (tag: number): string => textOfField(fields, tag, auditLimits.namePartBytesMax);
  const document = idOf(fields, Tag.document);
  const [projection, sink] = [part(Tag.projection), part(Tag.sink)];
  if (sink !== "") {
    const change = part(Tag.key);
    return { of: "change", sink, change, ...(document && { document: documentId(document) }) };
  }
  if (projection === "") {
    if (document === undefined) throw malformed("it is of nothing");
    const peer = idOf(fields, Tag.peer);
    const compared = peer && { peer: storeId(peer) };
    return { of: "document", document: documentId(document), ...compared };
  }
  const [partition, key] = [part(Tag.partition), part(Tag.key)];
  return {
    of: "row",
    projection,
    ...(partition !== "" && { partition }),
    ...(key !== "" && { key }),
    ...(document && { document: documentId(document) }),
  };
}

function idOf(fields: Fields, tag: number): Uint8Array | undefined {
  return fields.optionalBytes(tag, 16) && fields.bytes(tag, 16);
}

function namePart(text: string | undefined): Uint8Array | undefined {
  return text === undefined || text === ""
    ? undefined
    : cutUtf8(text, auditLimits.namePartBytesMax);
}

const ValueTag = { digest: 1, size: 2, bytes: 3 } as const;

function encodeValue({ digest, size, bytes }: AuditValue): Uint8Array {
  assert(digest.length === 32, "a value has a digest of 32 bytes");
  const kept = bytes.subarray(0, auditLimits.valueBytesMax);
  return encodeFields({
    [ValueTag.digest]: digest,
    [ValueTag.size]: size,
    [ValueTag.bytes]: kept.length > 0 ? kept : undefined,
  });
}

/** What the fields of a value take beside its bytes. */
const valueOverheadMax = 64;

function valueOf(fields: Fields, tag: number): AuditValue | undefined {
  const bytes = fields.optionalBytes(tag, auditLimits.valueBytesMax + valueOverheadMax);
  if (bytes === undefined) return undefined;
  const value = decodeFields("audited value", bytes, ValueTag);
  const kept = value.optionalBytes(ValueTag.bytes, auditLimits.valueBytesMax);
  return {
    digest: value.bytes(ValueTag.digest, 32).slice(),
    size: value.uint(ValueTag.size),
    bytes: kept?.slice() ?? new Uint8Array(),
  };
}

function wordOf(fields: Fields, tag: number): string {
  const word = textOfField(fields, tag, auditLimits.wordBytesMax);
  if (!isWord(word)) throw malformed(`field ${tag} is no word`);
  return word;
}

function isWord(text: string): boolean {
  return text.length <= auditLimits.wordBytesMax && /^[a-z][a-z0-9-]*$/.test(text);
}

function malformed(why: string): HeddleError {
  return new HeddleError(HeddleErrorCode.frameMalformed, `an audit entry cannot be read: ${why}`);
}
