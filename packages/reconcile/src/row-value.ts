import { HeddleError, HeddleErrorCode } from "@heddle/core";
import { decodeUtf8, encodeUtf8 } from "lib0/string";

import { projectionInvalid } from "./projection-error.ts";
import { projectionLimits } from "./projection-limits.ts";

/** What a row may hold: JSON, of which equal values have equal bytes. */
export type RowValue =
  | null
  | boolean
  | number
  | string
  | readonly RowValue[]
  | { readonly [name: string]: RowValue };

/**
 * Canonical JSON in UTF-8: names ascend by UTF-16 unit, no blanks, numbers are finite and as JavaScript
 * writes them (-0 is 0), no half surrogates, no member that is undefined. So a digest over rows says the
 * same wherever it is made.
 *
 * @throws HeddleError `HEDDLE_PROJECTION_INVALID` for what is no such value, or more than `bytesMax`.
 */
export function encodeRowValue(
  value: RowValue,
  bytesMax: number = projectionLimits.rowValueBytesMax,
): Uint8Array {
  const parts: string[] = [];
  write(value, parts, 0, { left: bytesMax });
  const bytes = encodeUtf8(parts.join(""));
  if (bytes.length > bytesMax) throw tooLong(bytesMax);
  return bytes;
}

/**
 * Reads what {@link encodeRowValue} wrote, and nothing that has another writing.
 *
 * @throws HeddleError `HEDDLE_STORAGE_CORRUPT`.
 */
export function decodeRowValue(
  bytes: Uint8Array,
  bytesMax: number = projectionLimits.recordBytesMax,
): RowValue {
  let cause: unknown;
  try {
    if (bytes.length > bytesMax) throw new RangeError("it is too long");
    const value = JSON.parse(decodeUtf8(bytes)) as RowValue;
    const again = encodeRowValue(value, bytesMax);
    if (again.length === bytes.length && again.every((byte, at) => byte === bytes[at])) {
      return value;
    }
  } catch (error) {
    cause = error;
  }
  const message = "a record of a projection holds no canonical value";
  throw new HeddleError(HeddleErrorCode.storageCorrupt, message, { cause });
}

/** Whether two values have the same bytes. */
export function equalRowValues(a: RowValue, b: RowValue): boolean {
  return a === b || textOf(a) === textOf(b);
}

function textOf(value: RowValue): string {
  return decodeUtf8(encodeRowValue(value, projectionLimits.recordBytesMax));
}

/** Counted in characters: never more than bytes, and known before anything large is put together. */
interface Room {
  left: number;
}

function write(value: unknown, parts: string[], depth: number, room: Room): void {
  if (depth > projectionLimits.rowValueDepthMax) throw projectionInvalid("value", "it is too deep");
  if (Array.isArray(value)) writeList(value, parts, depth, room);
  else if (typeof value === "object" && value !== null) writeObject(value, parts, depth, room);
  else add(textOfPlain(value), parts, room);
}

function writeList(list: readonly unknown[], parts: string[], depth: number, room: Room): void {
  add("[", parts, room);
  for (let index = 0; index < list.length; index++) {
    if (index > 0) add(",", parts, room);
    write(list[index], parts, depth + 1, room);
  }
  add("]", parts, room);
}

function writeObject(object: object, parts: string[], depth: number, room: Room): void {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype !== Object.prototype && prototype !== null) {
    throw projectionInvalid("value", "it holds an object of a class");
  }
  const members = Object.entries(object).toSorted(([a], [b]) => (a < b ? -1 : 1));
  add("{", parts, room);
  for (let index = 0; index < members.length; index++) {
    const [name, member] = members[index]!;
    add(`${index > 0 ? "," : ""}${textOfString(name)}:`, parts, room);
    write(member, parts, depth + 1, room);
  }
  add("}", parts, room);
}

function textOfPlain(value: unknown): string {
  if (typeof value === "string") return textOfString(value);
  if (typeof value === "number" && Number.isFinite(value)) return JSON.stringify(value);
  if (typeof value === "boolean" || value === null) return String(value);
  throw projectionInvalid("value", `${typeof value} ${String(value)} is no JSON`);
}

function textOfString(text: string): string {
  if (!isWellFormed(text)) throw projectionInvalid("value", "it holds half a surrogate");
  return JSON.stringify(text);
}

function add(text: string, parts: string[], room: Room): void {
  room.left -= text.length;
  if (room.left < 0) throw tooLong(undefined);
  parts.push(text);
}

function tooLong(bytesMax: number | undefined): HeddleError {
  const bound = bytesMax === undefined ? "its bound" : `${bytesMax} bytes`;
  return projectionInvalid("value", `it is longer than ${bound}`);
}

/** Whether `text` has bytes in UTF-8 that are its own. */
export function isWellFormed(text: string): boolean {
  return !/\p{Cs}/u.test(text);
}
