import {
  Fields,
  HeddleErrorCode,
  isHeddleError,
  HeddleError,
  readFields,
  writeBytesField,
  writeUintField,
} from "@heddle/core";
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";

import { damaged, openRecord } from "./record-codec.ts";
import { describeKey } from "./key-kinds.ts";

/** Writes the tagged fields of a payload; numbers that are zero and bytes that are absent are left out. */
export function encodeFields(
  values: Readonly<Record<number, number | Uint8Array | undefined>>,
): Uint8Array {
  const encoder = encoding.createEncoder();
  // Integer keys of an object are visited in ascending order, which is the order of the codec.
  for (const [tag, value] of Object.entries(values)) {
    if (typeof value === "number") writeUintField(encoder, Number(tag), value);
    else if (value) writeBytesField(encoder, Number(tag), value);
  }
  return encoding.toUint8Array(encoder);
}

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
  const known = new Set(Object.values(tags));
  return decodingRecord(key, () => {
    const fields = new Fields(describeKey(key));
    readFields(describeKey(key), decoding.createDecoder(payload), (tag, value) => {
      fields.set(tag, value);
      return known.has(tag);
    });
    return decode(fields);
  });
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
