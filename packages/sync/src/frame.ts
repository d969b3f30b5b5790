import { HeddleError, HeddleErrorCode, malformed, readFields, tooNew, Fields } from "@heddle/core";
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";

import { frameShapes, FrameType, type FrameBodies, type FrameName } from "./frame-shapes.ts";
import type { FieldCodec } from "./field-codecs.ts";
import { wireLimits } from "./wire-limits.ts";

/** One message of `heddle.1`: its name and its fields. See docs/protocol.md, "Frames". */
export type Frame = {
  [Name in FrameName]: { readonly name: Name } & FrameBodies[Name];
}[FrameName];

export type FrameOf<Name extends FrameName> = Extract<Frame, { readonly name: Name }>;

/** From here on a type that a reader does not know is ignored; below it ends the session. */
export const optionalTypeMin = 64;

const nameOfType = new Map<number, FrameName>(
  Object.entries(FrameType).map(([name, type]) => [type, name as FrameName]),
);

/** frame := uint8 type • field*. */
export function encodeFrame(frame: Frame): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeUint8(encoder, FrameType[frame.name]);
  const values = frame as unknown as Readonly<Record<string, unknown>>;
  for (const [field, codec] of fieldsOf(frame.name)) codec.write(encoder, values[field]);
  return encoding.toUint8Array(encoder);
}

/**
 * Reads what {@link encodeFrame} wrote. Nothing in `bytes` is trusted; byte fields are views into
 * them. `undefined` is a frame of an optional type that this version does not know: the caller counts
 * and ignores it.
 *
 * @param bytesMax the cap for this frame: of the connection, or of what parts may add up to.
 * @throws HeddleError `HEDDLE_FRAME_MALFORMED`, `HEDDLE_FRAME_TOO_LARGE`, or `HEDDLE_PROTOCOL_VERSION`
 * for a type or a field that a reader has to understand.
 */
export function decodeFrame(
  bytes: Uint8Array,
  bytesMax: number = wireLimits.frameBytesMax,
): Frame | undefined {
  if (bytes.length > bytesMax) {
    throw new HeddleError(HeddleErrorCode.frameTooLarge, "a frame is larger than the cap");
  }
  if (bytes.length === 0) throw malformed("frame", "it is empty");
  const name = nameOfType.get(bytes[0]!);
  if (name === undefined) {
    if (bytes[0]! >= optionalTypeMin) return undefined;
    throw tooNew("frame", `type ${bytes[0]!}`);
  }
  return { name, ...readBody(name, bytes) } as Frame;
}

function readBody(name: FrameName, bytes: Uint8Array): Record<string, unknown> {
  const codecs = fieldsOf(name);
  const known = new Set(codecs.map(([, { tag }]) => tag));
  const fields = new Fields(`frame ${name}`);
  readFields(`frame ${name}`, decoding.createDecoder(bytes.subarray(1)), (tag, value) => {
    fields.set(tag, value);
    return known.has(tag);
  });
  return Object.fromEntries(codecs.map(([field, codec]) => [field, codec.read(fields)]));
}

/** In the order of their tags, which is the order in which they are written. */
function fieldsOf(name: FrameName): readonly (readonly [string, FieldCodec<unknown>])[] {
  return sortedFields[name];
}

const sortedFields = Object.fromEntries(
  Object.entries(frameShapes).map(([name, shape]) => {
    const fields = Object.entries(shape as Readonly<Record<string, FieldCodec<unknown>>>);
    return [name, fields.toSorted(([, a], [, b]) => a.tag - b.tag)];
  }),
) as unknown as Readonly<Record<FrameName, readonly [string, FieldCodec<unknown>][]>>;
