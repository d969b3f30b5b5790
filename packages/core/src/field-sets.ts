import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { decodeUtf8, encodeUtf8 } from "lib0/string";

import { Fields, malformed, readFields, writeBytesField, writeUintField } from "./fields.ts";

/** Values by tag; numbers that are zero and values that are absent are left out. */
export type FieldValues = Readonly<Record<number, number | string | Uint8Array | undefined>>;

/** Writes tagged fields (see fields.ts) into bytes of their own; text as UTF-8. */
export function encodeFields(values: FieldValues): Uint8Array {
  const encoder = encoding.createEncoder();
  // Integer keys of an object are visited in ascending order, which is the order of the codec.
  for (const [tag, value] of Object.entries(values)) {
    if (typeof value === "number") writeUintField(encoder, Number(tag), value);
    else if (typeof value === "string") writeBytesField(encoder, Number(tag), encodeUtf8(value));
    else if (value) writeBytesField(encoder, Number(tag), value);
  }
  return encoding.toUint8Array(encoder);
}

/**
 * Reads what {@link encodeFields} wrote. Tags from 32 on may be unknown.
 *
 * @param what named when it cannot be read.
 * @throws HeddleError `HEDDLE_FRAME_MALFORMED` or `HEDDLE_PROTOCOL_VERSION`.
 */
export function decodeFields(
  what: string,
  bytes: Uint8Array,
  tags: Readonly<Record<string, number>>,
): Fields {
  const known = new Set(Object.values(tags));
  const fields = new Fields(what);
  readFields(what, decoding.createDecoder(bytes), (tag, value) => {
    fields.set(tag, value);
    return known.has(tag);
  });
  return fields;
}

/**
 * Text of a field, at most `bytesMax` bytes of UTF-8; empty when it is absent.
 *
 * @throws HeddleError `HEDDLE_FRAME_MALFORMED`.
 */
export function textOfField(fields: Fields, tag: number, bytesMax: number): string {
  const bytes = fields.optionalBytes(tag, bytesMax);
  if (bytes === undefined) return "";
  try {
    return decodeUtf8(bytes);
  } catch (cause) {
    throw malformed("text", `field ${tag} is not UTF-8`, cause);
  }
}

/** UTF-8 of `text`, cut between two characters where it would be longer. */
export function cutUtf8(text: string, bytesMax: number): Uint8Array {
  const bytes = encodeUtf8(text);
  if (bytes.length <= bytesMax) return bytes;
  let end = bytesMax;
  // Bytes 10xxxxxx go on with a character that began before them.
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}
