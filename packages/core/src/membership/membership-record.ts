import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { encodeUtf8 } from "lib0/string";

import { assert } from "../assert.ts";
import { concatBytes, fromHex } from "../bytes.ts";
import type { Hash, Random, Signer, Verifier } from "../environment.ts";
import {
  Fields,
  malformed,
  readFields,
  tooNew,
  writeBytesField,
  writeUintField,
} from "../fields.ts";
import { textOfField } from "../field-sets.ts";
import { decodeHlc, encodeHlc, type Hlc } from "../hybrid-clock.ts";
import {
  bytesOfId,
  deviceKey,
  recordId,
  spaceId,
  type DeviceKey,
  type RecordId,
  type SpaceId,
} from "../ids.ts";
import { limits } from "../limits.ts";
import { isSmallOrderKey } from "./small-order-keys.ts";
import { membershipRecordId, spaceOfRecord } from "./space-of-genesis.ts";

/**
 * What a member may do; each may do what the one before may. A relay stores and forwards, who reads may
 * have the content, who writes may change it, an admin may grant and revoke. Numbers are part of the format.
 */
export const MemberRole = { relay: 1, read: 2, write: 3, admin: 4 } as const;
export type MemberRole = (typeof MemberRole)[keyof typeof MemberRole];

const RecordKind = { genesis: 1, grant: 2, revoke: 3 } as const;

interface RecordBase {
  readonly id: RecordId;
  /** The device that signed it. */
  readonly by: DeviceKey;
  /** When it was made, by the clock of its author; nothing is decided by it. */
  readonly madeAt: Hlc;
  /** A name for people: of the space, or of the device that is granted something. */
  readonly label: string;
  /** The whole encoding, signature included. */
  readonly bytes: Uint8Array;
}

/** The first record: it names the space, and its author is an admin. */
export interface GenesisRecord extends RecordBase {
  readonly kind: "genesis";
  readonly space: SpaceId;
}

interface ActBase extends RecordBase {
  readonly space: SpaceId;
  /** The newest records that its author had seen, ascending: all below them is its past. */
  readonly seen: readonly RecordId[];
  readonly device: DeviceKey;
}

export interface GrantRecord extends ActBase {
  readonly kind: "grant";
  readonly role: MemberRole;
}

export interface RevokeRecord extends ActBase {
  readonly kind: "revoke";
  /** `hashCut` of the list of what is kept. */
  readonly cut: Uint8Array;
}

/** What an admin did. */
export type ActRecord = GrantRecord | RevokeRecord;
export type MembershipRecord = GenesisRecord | ActRecord;

export const membershipRecordVersion = 1;
const Tag = {
  kind: 1,
  space: 2,
  by: 3,
  seen: 4,
  device: 5,
  role: 6,
  cut: 7,
  nonce: 8,
  madeAt: 9,
  label: 32,
  signature: 127,
} as const;
const knownTags: ReadonlySet<number> = new Set(Object.values(Tag));

export interface GenesisDraft {
  readonly hash: Hash;
  readonly random: Random;
  readonly signer: Signer;
  readonly madeAt: Hlc;
  readonly label?: string;
}

/** Makes a space: a new one each time, whose only member is the device that signs. */
export async function createSpace(draft: GenesisDraft): Promise<GenesisRecord> {
  const { hash, random, signer, madeAt, label = "" } = draft;
  const bytes = await sign(hash, signer, (encoder) => {
    writeUintField(encoder, Tag.kind, RecordKind.genesis);
    writeBytesField(encoder, Tag.by, signer.devicePublicKey);
    writeBytesField(encoder, Tag.nonce, random.bytes(16));
    writeBytesField(encoder, Tag.madeAt, encodeHlc(madeAt));
    writeLabel(encoder, label);
  });
  return decodeGenesis(hash, bytes);
}

export interface ActDraft {
  readonly hash: Hash;
  readonly signer: Signer;
  readonly space: SpaceId;
  readonly seen: readonly RecordId[];
  readonly device: DeviceKey;
  readonly madeAt: Hlc;
  readonly label?: string;
  /** A role to grant, or the hash of a cut to revoke with. */
  readonly act: { readonly grant: MemberRole } | { readonly revoke: Uint8Array };
}

/** Makes a record that grants or revokes, signed by the device of `signer`. */
export async function createAct(draft: ActDraft): Promise<ActRecord> {
  const { hash, signer, space, seen, device, madeAt, label = "", act } = draft;
  assert(seen.length >= 1 && seen.length <= limits.membershipHeadsMax, "a record has seen others");
  const isGrant = "grant" in act;
  const bytes = await sign(hash, signer, (encoder) => {
    writeUintField(encoder, Tag.kind, isGrant ? RecordKind.grant : RecordKind.revoke);
    writeBytesField(encoder, Tag.space, bytesOfId(space));
    writeBytesField(encoder, Tag.by, signer.devicePublicKey);
    writeBytesField(encoder, Tag.seen, concatBytes(seen.toSorted().map((id) => fromHex(id)!)));
    writeBytesField(encoder, Tag.device, fromHex(device)!);
    if (isGrant) writeUintField(encoder, Tag.role, act.grant);
    else writeBytesField(encoder, Tag.cut, act.revoke);
    writeBytesField(encoder, Tag.madeAt, encodeHlc(madeAt));
    writeLabel(encoder, label);
  });
  const record = decodeMembershipRecord(hash, bytes);
  assert(record.kind !== "genesis", "a draft of an act is an act");
  return record;
}

/**
 * Reads a record without checking its signature; {@link verifyMembershipRecord} does that.
 *
 * @throws HeddleError `HEDDLE_FRAME_MALFORMED` or `HEDDLE_PROTOCOL_VERSION`.
 */
export function decodeMembershipRecord(hash: Hash, bytes: Uint8Array): MembershipRecord {
  const { fields, unsigned } = readRecord(bytes);
  const id = membershipRecordId(hash, unsigned);
  fields.bytes(Tag.signature, 64);
  const base = {
    id: recordId(id),
    by: deviceKey(fields.bytes(Tag.by, 32)),
    madeAt: decodeHlc(fields.bytes(Tag.madeAt, 8)),
    label: textOfField(fields, Tag.label, limits.membershipLabelBytesMax),
    bytes,
  };
  const kind = fields.uint(Tag.kind);
  if (kind === RecordKind.genesis) {
    fields.bytes(Tag.nonce, 16);
    return { ...base, kind: "genesis", space: spaceOfRecord(hash, id) };
  }
  const device = readDevice(fields);
  const space = spaceId(fields.bytes(Tag.space, 16));
  const act = { ...base, space, seen: readSeen(fields), device };
  if (kind === RecordKind.grant) return { ...act, kind: "grant", role: readRole(fields) };
  if (kind !== RecordKind.revoke) throw tooNew("membership record", `kind ${kind}`);
  return { ...act, kind: "revoke", cut: fields.bytes(Tag.cut, 32) };
}

/** Reads the record that makes a space. @throws HeddleError as {@link decodeMembershipRecord}. */
export function decodeGenesis(hash: Hash, bytes: Uint8Array): GenesisRecord {
  const record = decodeMembershipRecord(hash, bytes);
  if (record.kind !== "genesis") throw malformed("genesis", "it is another record");
  return record;
}

/** True when the device named in the record signed it. */
export async function verifyMembershipRecord(
  record: MembershipRecord,
  verifier: Verifier,
): Promise<boolean> {
  const { fields } = readRecord(record.bytes);
  const signature = fields.bytes(Tag.signature, 64);
  return verifier.verify(fields.bytes(Tag.by, 32), fromHex(record.id)!, signature);
}

async function sign(
  hash: Hash,
  signer: Signer,
  write: (encoder: encoding.Encoder) => void,
): Promise<Uint8Array> {
  const encoder = encoding.createEncoder();
  encoding.writeUint8(encoder, membershipRecordVersion);
  encoding.writeUint8(encoder, membershipRecordVersion);
  write(encoder);
  const id = membershipRecordId(hash, encoding.toUint8Array(encoder));
  writeBytesField(encoder, Tag.signature, await signer.sign(id));
  return encoding.toUint8Array(encoder);
}

function readRecord(bytes: Uint8Array): { fields: Fields; unsigned: Uint8Array } {
  const what = "membership record";
  if (bytes.length < 2 || bytes.length > limits.membershipRecordBytesMax) {
    throw malformed(what, "its length is out of bounds");
  }
  if (bytes[0]! < 1 || bytes[1]! < 1) throw malformed(what, "it has no version");
  if (bytes[1]! > membershipRecordVersion) throw tooNew(what, `version ${bytes[1]!}`);
  const fields = new Fields(what);
  let unsignedLength = bytes.length;
  readFields(what, decoding.createDecoder(bytes.subarray(2)), (tag, value, offset) => {
    if (tag > Tag.signature) throw malformed(what, "a field follows the signature");
    if (tag === Tag.signature) unsignedLength = offset + 2;
    fields.set(tag, value);
    return knownTags.has(tag);
  });
  return { fields, unsigned: bytes.subarray(0, unsignedLength) };
}

function readSeen(fields: Fields): readonly RecordId[] {
  const bytes = fields.optionalBytes(Tag.seen, limits.membershipHeadsMax * 32);
  if (bytes === undefined || bytes.length === 0 || bytes.length % 32 !== 0) {
    throw malformed("membership record", "it does not say what it follows");
  }
  const seen: RecordId[] = [];
  for (let offset = 0; offset < bytes.length; offset += 32) {
    const id = recordId(bytes.subarray(offset, offset + 32));
    if (id <= (seen.at(-1) ?? "")) throw malformed("membership record", "heads do not ascend");
    seen.push(id);
  }
  return seen;
}

function readDevice(fields: Fields): DeviceKey {
  const bytes = fields.bytes(Tag.device, 32);
  if (isSmallOrderKey(bytes)) throw malformed("membership record", "its device has no sound key");
  return deviceKey(bytes);
}

function readRole(fields: Fields): MemberRole {
  const role = fields.uint(Tag.role);
  if (role < MemberRole.relay) throw malformed("membership record", "it grants no role");
  if (role > MemberRole.admin) throw tooNew("membership record", `role ${role}`);
  return role as MemberRole;
}

function writeLabel(encoder: encoding.Encoder, label: string): void {
  const bytes = encodeUtf8(label);
  assert(bytes.length <= limits.membershipLabelBytesMax, "a label keeps its cap");
  if (bytes.length > 0) writeBytesField(encoder, Tag.label, bytes);
}
