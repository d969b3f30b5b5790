import { encodeUtf8 } from "lib0/string";

import { assert } from "./assert.ts";
import { fromHex, toHex, writeHex } from "./bytes.ts";
import type { Hash, Random } from "./environment.ts";
import { HeddleError, HeddleErrorCode } from "./errors.ts";
import { limits } from "./limits.ts";

declare const brand: unique symbol;
type Id<Name extends string> = string & { readonly [brand]: Name };

/** 16 bytes as 32 lower-case hex digits: comparable, printable, usable as a map key. */
export type SpaceId = Id<"space">;
export type DocumentId = Id<"document">;
export type LaneId = Id<"lane">;
/** 16 random bytes made when a store is created; copies of a store share it. */
export type StoreId = Id<"store">;
/** 32 bytes as 64 lower-case hex digits: the raw Ed25519 public key of a device. */
export type DeviceKey = Id<"device">;
/** 32 bytes as 64 lower-case hex digits: SHA-256 of a membership record without its signature. */
export type RecordId = Id<"record">;
/** SHA-256 of an envelope without its signature, 32 bytes. Bytes, because the hot path chains it. */
export type EnvelopeId = Uint8Array;

const idBytes = 16;

export const noEnvelopeId: EnvelopeId = new Uint8Array(32);

export function spaceId(bytes: Uint8Array): SpaceId {
  return idFrom(bytes) as SpaceId;
}

export function documentId(bytes: Uint8Array): DocumentId {
  return idFrom(bytes) as DocumentId;
}

export function laneId(bytes: Uint8Array): LaneId {
  return idFrom(bytes) as LaneId;
}

export function storeId(bytes: Uint8Array): StoreId {
  return idFrom(bytes) as StoreId;
}

export function deviceKey(publicKey: Uint8Array): DeviceKey {
  assert(publicKey.length === 32, "a device key is 32 bytes");
  return toHex(publicKey) as DeviceKey;
}

export function recordId(hash: Uint8Array): RecordId {
  assert(hash.length === 32, "the id of a record is 32 bytes");
  return toHex(hash) as RecordId;
}

export function newStoreId(random: Random): StoreId {
  return idFrom(random.bytes(idBytes)) as StoreId;
}

/** Reads an id that a person typed or a file holds; `undefined` when it is not one. */
export function parseDocumentId(text: string): DocumentId | undefined {
  return text.length === idBytes * 2 && fromHex(text) !== undefined
    ? (text as DocumentId)
    : undefined;
}

export function parseStoreId(text: string): StoreId | undefined {
  return text.length === idBytes * 2 && fromHex(text) !== undefined ? (text as StoreId) : undefined;
}

/** The 16 bytes behind an id. */
export function bytesOfId(id: SpaceId | DocumentId | LaneId | StoreId): Uint8Array {
  const bytes = fromHex(id);
  assert(bytes !== undefined && bytes.length === idBytes, "an id is 32 hex digits");
  return bytes;
}

/** Writes the 16 bytes behind an id into `target`: what {@link bytesOfId} gives, without an array of its own. */
export function writeId(
  id: SpaceId | DocumentId | LaneId | StoreId,
  target: Uint8Array,
  offset: number,
): void {
  const isHex = id.length === idBytes * 2 && writeHex(id, target, offset);
  assert(isHex, "an id is 32 hex digits");
}

/** The space of everybody who has no other: whoever knows a name may open it. */
export function openSpaceId(hash: Hash): SpaceId {
  return spaceId(hash.sha256(encodeUtf8("heddle/space/open/1")).subarray(0, idBytes));
}

/**
 * The id that every replica derives for a name, so that two of them that open the same name while
 * offline mean the same document. `name` must come from {@link parseDocumentName}.
 */
export function documentIdOf(hash: Hash, space: SpaceId, name: DocumentName): DocumentId {
  const domain = encodeUtf8("heddle/doc/1");
  const nameBytes = encodeUtf8(name);
  const input = new Uint8Array(domain.length + idBytes + nameBytes.length);
  input.set(domain, 0);
  input.set(bytesOfId(space), domain.length);
  input.set(nameBytes, domain.length + idBytes);
  return documentId(hash.sha256(input).subarray(0, idBytes));
}

/** A document name in NFC that keeps the grammar of {@link parseDocumentName}. */
export type DocumentName = Id<"name">;

/**
 * Grammar of names: 1 to 128 UTF-16 units after NFC, no control characters, no unpaired surrogate.
 * Slashes and blanks are welcome: a name never becomes a path, only a hash.
 *
 * @throws HeddleError `HEDDLE_FRAME_MALFORMED`, which says what is wrong.
 */
export function parseDocumentName(text: string): DocumentName {
  if (text.length > limits.documentNameLengthMax * 4) throw badName("too long");
  const name = text.normalize("NFC");
  if (name.length === 0) throw badName("empty");
  if (name.length > limits.documentNameLengthMax) {
    throw badName(`longer than ${limits.documentNameLengthMax} characters`);
  }
  if (/[\p{Cc}\p{Cs}]/u.test(name)) throw badName("holds a control character or half a surrogate");
  return name as DocumentName;
}

function badName(why: string): HeddleError {
  return new HeddleError(HeddleErrorCode.frameMalformed, `document name refused: ${why}`);
}

function idFrom(bytes: Uint8Array): string {
  assert(bytes.length === idBytes, "an id is 16 bytes");
  return toHex(bytes);
}
