import { limits } from "@heddle/core/base";

import { type ByteCursor, malformed } from "./byte-cursor.ts";
import { isProtoKey, notUtf8, utf16LengthOf } from "./utf8.ts";

/** varUint(bytes) • UTF-8. Returns the length in UTF-16 units. */
export function skipText(cursor: ByteCursor): number {
  const length = cursor.uint();
  const start = cursor.skip(length);
  const units = utf16LengthOf(cursor.bytes, start, cursor.offset);
  if (units === notUtf8) throw malformed("text is not UTF-8");
  return units;
}

/** A text that becomes the key of an object or an attribute. */
export function skipKey(cursor: ByteCursor): void {
  const length = cursor.uint();
  const start = cursor.skip(length);
  if (utf16LengthOf(cursor.bytes, start, cursor.offset) === notUtf8) {
    throw malformed("text is not UTF-8");
  }
  if (isProtoKey(cursor.bytes, start, cursor.offset)) throw malformed("key __proto__");
}

export const anyObject = 118;

/** One lib0 `Any`: a type byte from 116 to 127 and its value. `depth` counts open containers. */
export function skipAny(cursor: ByteCursor, depth = 0): void {
  const type = cursor.byte();
  switch (type) {
    case 127: // undefined
    case 126: // null
    case 121: // false
    case 120: // true
      return;
    case 125:
      skipSignedInteger(cursor);
      return;
    case 124:
      cursor.skip(4);
      return;
    case 123:
    case 122:
      cursor.skip(8);
      return;
    case 119:
      skipText(cursor);
      return;
    case anyObject:
    case 117:
      skipContainer(cursor, type === anyObject, depth + 1);
      return;
    case 116:
      cursor.skip(cursor.uint());
      return;
    default:
      throw malformed("unknown type of value");
  }
}

function skipContainer(cursor: ByteCursor, isObject: boolean, depth: number): void {
  if (depth > limits.anyDepthMax) throw malformed("value nested too deep");
  const count = cursor.count(isObject ? 2 : 1);
  for (let index = 0; index < count; index++) {
    if (isObject) skipKey(cursor);
    skipAny(cursor, depth);
  }
}

/** lib0 varint: sign and 6 bits in the first byte, 7 in each that follows; magnitude below 2^53. */
function skipSignedInteger(cursor: ByteCursor): void {
  let byte = cursor.byte();
  let value = byte & 0x3f;
  let scale = 64;
  for (let count = 1; byte >= 0x80; count++) {
    if (count === 8) throw malformed("integer of more than 8 bytes");
    byte = cursor.byte();
    value += (byte & 0x7f) * scale;
    scale *= 128;
  }
  if (value > Number.MAX_SAFE_INTEGER) throw malformed("integer above 2^53");
}
