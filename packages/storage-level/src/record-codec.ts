import { ByteArena, HeddleError, HeddleErrorCode } from "@heddle/core";

import { crc32Of } from "./crc32.ts";
import { describeKey, recordVersionOf } from "./key-kinds.ts";
import { viewOf, writeUint32 } from "./uint32.ts";

/**
 * record := magic uint8 0x68 • version uint8 • length uint32 • crc uint32 • payload
 *
 * Integers are big-endian; `crc` is CRC-32 over the key, the six bytes before it and the payload.
 * LevelDB serves flipped bits as good values, and the key is covered because it also files a good
 * value under a flipped key. These ten bytes look the same in every later version.
 */
const magic = 0x68;
export const headerBytes = 10;
/** Records live until their batch is written. */
const arena = new ByteArena();

export function sealRecord(key: Uint8Array, payload: Uint8Array): Uint8Array {
  const record = reserveRecord(0, payload);
  closeRecord(key, record, 1);
  return record;
}

/** Room for a record whose payload begins with `prefixBytes` that are not known yet. */
export function reserveRecord(prefixBytes: number, payload: Uint8Array): Uint8Array {
  const record = arena.take(headerBytes + prefixBytes + payload.length);
  record.set(payload, headerBytes + prefixBytes);
  return record;
}

/** Completes a record that {@link reserveRecord} made, once its payload is whole. */
export function closeRecord(key: Uint8Array, record: Uint8Array, version: number): void {
  record[0] = magic;
  record[1] = version;
  writeUint32(record, 2, record.length - headerBytes);
  writeUint32(record, 6, checksumOf(key, record));
}

function checksumOf(key: Uint8Array, record: Uint8Array): number {
  const ofKey = crc32Of(key, 0, key.length, 0);
  return crc32Of(record, headerBytes, record.length, crc32Of(record, 0, 6, ofKey));
}

/** Of a record that {@link openRecord} found whole. */
export function versionOfRecord(record: Uint8Array): number {
  return record[1]!;
}

/**
 * The payload of what {@link sealRecord} wrote, as a view.
 *
 * @throws HeddleError `HEDDLE_STORAGE_CORRUPT` when a bit differs (STO-3), `HEDDLE_STORAGE_VERSION`
 * when the record is whole and newer than this reader.
 */
export function openRecord(key: Uint8Array, record: Uint8Array): Uint8Array {
  const view = viewOf(record);
  if (record.length < headerBytes || view.getUint8(0) !== magic) {
    throw damaged(key, "it does not start like a record");
  }
  if (view.getUint32(2) !== record.length - headerBytes) throw damaged(key, "its length differs");
  if (view.getUint32(6) !== checksumOf(key, record)) throw damaged(key, "its checksum differs");
  const versionMax = recordVersionOf(key);
  if (view.getUint8(1) > versionMax) {
    throw new HeddleError(
      HeddleErrorCode.storageVersion,
      `${describeKey(key)} needs record version ${view.getUint8(1)}, this reads ${versionMax}`,
    );
  }
  return record.subarray(headerBytes);
}

/** Whether a record is what was written, as {@link openRecord} asks, whatever version it has. */
export function isSealed(key: Uint8Array, record: Uint8Array): boolean {
  const view = viewOf(record);
  return (
    record.length >= headerBytes &&
    record[0] === magic &&
    view.getUint32(2) === record.length - headerBytes &&
    view.getUint32(6) === checksumOf(key, record)
  );
}

export function damaged(key: Uint8Array, why: string, cause?: unknown): HeddleError {
  const options = cause === undefined ? {} : { cause };
  const message = `${describeKey(key)} is damaged: ${why}`;
  return new HeddleError(HeddleErrorCode.storageCorrupt, message, options);
}
