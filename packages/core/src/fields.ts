import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";

import { HeddleError, HeddleErrorCode } from "./errors.ts";

/**
 * Tagged fields: the codec under envelopes, lane descriptors and stored records.
 *
 *   field := varUint(tag << 1 | hasBytes) • (varUint value | varUint length • bytes)
 *
 * Tags ascend and numbers are as short as they can be, so a set of fields has one encoding; zero is
 * said by leaving a number out. A reader refuses a tag below {@link optionalTagMin} that it does not
 * know and skips the others. Tags are never used again for something else.
 */
export const optionalTagMin = 32;

export type FieldValue = number | Uint8Array;

export function writeUintField(encoder: encoding.Encoder, tag: number, value: number): void {
  if (value === 0) return;
  encoding.writeVarUint(encoder, tag << 1);
  encoding.writeVarUint(encoder, value);
}

export function writeBytesField(encoder: encoding.Encoder, tag: number, bytes: Uint8Array): void {
  encoding.writeVarUint(encoder, (tag << 1) | 1);
  encoding.writeVarUint8Array(encoder, bytes);
}

/** Tag to value, and where each field starts. Values are views into the given bytes, not copies. */
export class Fields {
  readonly #values = new Map<number, FieldValue>();
  readonly #what: string;

  constructor(what: string) {
    this.#what = what;
  }

  set(tag: number, value: FieldValue): void {
    this.#values.set(tag, value);
  }

  /** Zero when the field is absent. */
  uint(tag: number): number {
    const value = this.#values.get(tag) ?? 0;
    if (typeof value !== "number") throw malformed(this.#what, `field ${tag} is not a number`);
    return value;
  }

  bytes(tag: number, length: number): Uint8Array {
    const value = this.optionalBytes(tag, length);
    if (value === undefined) throw malformed(this.#what, `field ${tag} is missing`);
    if (value.length !== length) throw malformed(this.#what, `field ${tag} is not ${length} bytes`);
    return value;
  }

  /** At most `lengthMax` bytes, or nothing. */
  optionalBytes(tag: number, lengthMax: number): Uint8Array | undefined {
    const value = this.#values.get(tag);
    if (value === undefined) return undefined;
    if (typeof value === "number") throw malformed(this.#what, `field ${tag} is not bytes`);
    if (value.length > lengthMax) throw malformed(this.#what, `field ${tag} is too long`);
    return value;
  }
}

/**
 * Reads fields from `decoder` up to its end, handing each to `visit` with the offset at which it
 * starts. `visit` returns false for a tag it does not know.
 *
 * @throws HeddleError `HEDDLE_FRAME_MALFORMED`, or `HEDDLE_PROTOCOL_VERSION` for an unknown tag that
 * a reader has to understand.
 */
export function readFields(
  what: string,
  decoder: decoding.Decoder,
  visit: (tag: number, value: FieldValue, offset: number) => boolean,
): void {
  let tagBefore = 0;
  try {
    while (decoding.hasContent(decoder)) {
      const offset = decoder.pos;
      const key = readUint(decoder);
      const tag = Math.floor(key / 2);
      if (tag <= tagBefore) throw malformed(what, "tags do not ascend");
      tagBefore = tag;
      const number = readUint(decoder);
      const value = key % 2 === 1 ? decoding.readUint8Array(decoder, number) : number;
      if (value === 0)
        throw malformed(what, `field ${tag} says zero, which is said by its absence`);
      if (!visit(tag, value, offset) && tag < optionalTagMin) throw tooNew(what, `field ${tag}`);
    }
  } catch (cause) {
    throw cause instanceof HeddleError ? cause : malformed(what, "its fields are damaged", cause);
  }
}

/**
 * Reads a varUint that has one reading and one writing. lib0 alone would take `81 00` for 1, and lose
 * digits of what lies above 2^53.
 *
 * @throws RangeError
 */
export function readUint(decoder: decoding.Decoder): number {
  const start = decoder.pos;
  const value = decoding.readVarUint(decoder);
  if (!Number.isSafeInteger(value)) throw new RangeError("a number is too large");
  const isPadded = decoder.pos - start > 1 && decoder.arr[decoder.pos - 1] === 0;
  if (isPadded) throw new RangeError("a number is longer than it has to be");
  return value;
}

export function malformed(what: string, why: string, cause?: unknown): HeddleError {
  const options = cause === undefined ? {} : { cause };
  return new HeddleError(HeddleErrorCode.frameMalformed, `${what} cannot be read: ${why}`, options);
}

export function tooNew(what: string, why: string): HeddleError {
  return new HeddleError(
    HeddleErrorCode.protocolVersion,
    `${what} was written by a newer heddle (${why})`,
  );
}
