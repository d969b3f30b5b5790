import { headerBytes, openRecord } from "./record-codec.ts";
import { keyLengthsOf } from "./key-kinds.ts";
import { viewOf } from "./uint32.ts";
import { isHeddleError } from "@heddle/core";

const magic = 0x68;

/** Whether this store writes keys like that. */
export function isKeyShape(key: Uint8Array): boolean {
  return keyLengthsOf(key[0]).includes(key.length);
}

/** Whether a record of exactly that many bytes begins here, as far as its header says. */
export function isRecordShape(bytes: Uint8Array, at: number, length: number): boolean {
  if (length < headerBytes || at + length > bytes.length || bytes[at] !== magic) return false;
  return viewOf(bytes).getUint32(at + 2) === length - headerBytes;
}

/** Whether the record passes its checksum, under that key. */
export function isRecordWhole(key: Uint8Array, record: Uint8Array): boolean {
  try {
    openRecord(key, record);
    return true;
  } catch (error) {
    if (isHeddleError(error)) return false;
    throw error;
  }
}
