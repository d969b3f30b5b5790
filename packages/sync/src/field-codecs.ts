import {
  concatBytes,
  malformed,
  readUint,
  writeBytesField,
  writeUintField,
  type Fields,
} from "@heddle/core";
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { decodeUtf8, encodeUtf8 } from "lib0/string";

/**
 * How one field of a frame is written and read. Every reader has a bound of its own, and looks at the
 * bytes that are there before it allocates by a count that they claim.
 */
export interface FieldCodec<Value> {
  readonly tag: number;
  // Methods, not properties: a shape holds codecs of different values.
  write(encoder: encoding.Encoder, value: Value): void;
  read(fields: Fields): Value;
}

/** A number; zero is said by leaving it out. */
export function uint(tag: number, max: number = Number.MAX_SAFE_INTEGER): FieldCodec<number> {
  return {
    tag,
    write: (encoder, value) => writeUintField(encoder, tag, value),
    read(fields) {
      const value = fields.uint(tag);
      if (value > max) throw malformed("frame", `field ${tag} is larger than ${max}`);
      return value;
    },
  };
}

/** Exactly `length` bytes. */
export function bytes(tag: number, length: number): FieldCodec<Uint8Array> {
  return {
    tag,
    write: (encoder, value) => writeBytesField(encoder, tag, value),
    read: (fields) => fields.bytes(tag, length),
  };
}

/** Exactly `length` bytes, or nothing. */
export function maybeBytes(tag: number, length: number): FieldCodec<Uint8Array | undefined> {
  return {
    tag,
    write(encoder, value) {
      if (value !== undefined) writeBytesField(encoder, tag, value);
    },
    read(fields) {
      const value = fields.optionalBytes(tag, length);
      if (value !== undefined && value.length !== length) {
        throw malformed("frame", `field ${tag} is not ${length} bytes`);
      }
      return value;
    },
  };
}

/** At most `lengthMax` bytes; none is said by leaving the field out. */
export function blob(tag: number, lengthMax: number): FieldCodec<Uint8Array> {
  return {
    tag,
    write(encoder, value) {
      if (value.length > 0) writeBytesField(encoder, tag, value);
    },
    read(fields) {
      const value = fields.optionalBytes(tag, lengthMax);
      if (value?.length === 0) throw malformed("frame", `field ${tag} is there, and empty`);
      return value ?? new Uint8Array();
    },
  };
}

/** UTF-8, at most `bytesMax` bytes; the empty text is left out. */
export function text(tag: number, bytesMax: number): FieldCodec<string> {
  const { write, read } = blob(tag, bytesMax);
  return {
    tag,
    write: (encoder, value) => write(encoder, encodeUtf8(value)),
    read(fields) {
      try {
        return decodeUtf8(read(fields));
      } catch (cause) {
        throw malformed("frame", `field ${tag} is not UTF-8`, cause);
      }
    },
  };
}

/** Sixteen bytes under a name of their own, such as a document id. */
export function id<Id extends string>(
  tag: number,
  { toBytes, fromBytes }: { toBytes: (id: Id) => Uint8Array; fromBytes: (raw: Uint8Array) => Id },
): FieldCodec<Id> {
  return {
    tag,
    write: (encoder, value) => writeBytesField(encoder, tag, toBytes(value)),
    read: (fields) => fromBytes(fields.bytes(tag, 16)),
  };
}

/** How an item of a list is written, and the fewest bytes it can take. */
export interface ItemCodec<Item> {
  readonly bytesMin: number;
  write(encoder: encoding.Encoder, item: Item): void;
  read(decoder: decoding.Decoder): Item;
}

/** list := varUint count • item*, as one field; the empty list is left out. */
export function list<Item>(
  tag: number,
  countMax: number,
  item: ItemCodec<Item>,
): FieldCodec<readonly Item[]> {
  return {
    tag,
    write(encoder, items) {
      if (items.length === 0) return;
      const inner = encoding.createEncoder();
      encoding.writeVarUint(inner, items.length);
      for (const each of items) item.write(inner, each);
      writeBytesField(encoder, tag, encoding.toUint8Array(inner));
    },
    read(fields) {
      const raw = fields.optionalBytes(tag, Number.MAX_SAFE_INTEGER);
      return raw === undefined ? [] : readItems(tag, raw, countMax, item);
    },
  };
}

function readItems<Item>(
  tag: number,
  raw: Uint8Array,
  countMax: number,
  item: ItemCodec<Item>,
): Item[] {
  const decoder = decoding.createDecoder(raw);
  try {
    const count = readUint(decoder);
    if (count < 1 || count > countMax || count * item.bytesMin > raw.length) {
      throw new RangeError("a count that its bytes cannot hold");
    }
    const items: Item[] = [];
    for (let index = 0; index < count; index++) items.push(item.read(decoder));
    if (decoding.hasContent(decoder)) throw new RangeError("bytes after the last item");
    return items;
  } catch (cause) {
    throw malformed("frame", `the list in field ${tag} is damaged`, cause);
  }
}

/** Byte strings of any length that the frame holds, each behind its length. */
export const byteString: ItemCodec<Uint8Array> = {
  bytesMin: 1,
  write: (encoder, item) => encoding.writeVarUint8Array(encoder, item),
  read: (decoder) => decoding.readUint8Array(decoder, readUint(decoder)),
};

/** Items made of fixed-width bytes and numbers, written one after the other. */
export function writeFixed(encoder: encoding.Encoder, ...parts: readonly Uint8Array[]): void {
  encoding.writeUint8Array(encoder, concatBytes(parts));
}
