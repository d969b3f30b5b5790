import {
  decodeFields,
  HeddleError,
  HeddleErrorCode,
  isHeddleError,
  type Fields,
} from "@heddle/core";

import { damaged, openRecord } from "./record-codec.ts";
import { describeKey } from "./key-kinds.ts";

export { encodeFields } from "@heddle/core";

/**
 * Verifies a record and hands its fields to `decode`. Tags from 32 on may be unknown.
 *
 * @throws HeddleError `HEDDLE_STORAGE_CORRUPT` or `HEDDLE_STORAGE_VERSION`.
 */
export function decodeRecord<Value>(
  key: Uint8Array,
  record: Uint8Array,
  tags: Readonly<Record<string, number>>,
  decode: (fields: Fields) => Value,
): Value {
  const payload = openRecord(key, record);
  return decodingRecord(key, () => decode(decodeFields(describeKey(key), payload, tags)));
}

/** Runs a decoder of core, whose errors speak of frames, on bytes that come from the disk. */
export function decodingRecord<Value>(key: Uint8Array, decode: () => Value): Value {
  try {
    return decode();
  } catch (cause) {
    if (isHeddleError(cause, HeddleErrorCode.protocolVersion)) {
      throw new HeddleError(HeddleErrorCode.storageVersion, cause.message, { cause });
    }
    throw damaged(key, "its content cannot be read", cause);
  }
}
