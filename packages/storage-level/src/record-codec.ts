import { ByteArena, HeddleError, HeddleErrorCode } from "@heddle/core";

import { crc32 } from "./crc32.ts";
import { describeKey } from "./record-keys.ts";
import { writeUint32 } from "./uint32.ts";

/**
 * record := magic uint8 0x68 • version uint8 • length uint32 • crc uint32 • payload
 *
 * Integers are big-endian; `crc` is CRC-32 over the key, the six bytes before it and the payload.
 * LevelDB serves flipped bits as good values, and the key is covered because it also files a good
 * value under a flipped key. These ten bytes look the same in every later version.
 */
const magic = 0x68;
const recordVersion = 1;
const headerBytes = 10;
/** Records live until their batch is written. */
const arena = new ByteArena();

export function sealRecord(key: Uint8Array, payload: Uint8Array): Uint8Array {
  const record = arena.take(headerBytes + payload.length);
  record[0] = magic;
  record[1] = recordVersion;
  writeUint32(record, 2, payload.length);
  writeUint32(record, 6, crc32(key, record.subarray(0, 6), payload));
  record.set(payload, headerBytes);
  return record;
}

/**
 * The payload of what {@link sealRecord} wrote, as a view.
 *
 * @throws HeddleError `HEDDLE_STORAGE_CORRUPT` when a bit differs (STO-3), `HEDDLE_STORAGE_VERSION`
 * when the record is whole and newer than this reader.
 */
export function openRecord(key: Uint8Array, record: Uint8Array): Uint8Array {
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  if (record.length < headerBytes || view.getUint8(0) !== magic) {
    throw damaged(key, "it does not start like a record");
  }
  if (view.getUint32(2) !== record.length - headerBytes) throw damaged(key, "its length differs");
  const payload = record.subarray(headerBytes);
  if (view.getUint32(6) !== crc32(key, record.subarray(0, 6), payload)) {
    throw damaged(key, "its checksum differs");
  }
  if (view.getUint8(1) > recordVersion) {
    throw new HeddleError(
      HeddleErrorCode.storageVersion,
      `${describeKey(key)} needs record version ${view.getUint8(1)}, this reads ${recordVersion}`,
    );
  }
  return payload;
}

export function damaged(key: Uint8Array, why: string, cause?: unknown): HeddleError {
  const options = cause === undefined ? {} : { cause };
  const message = `${describeKey(key)} is damaged: ${why}`;
  return new HeddleError(HeddleErrorCode.storageCorrupt, message, options);
}
