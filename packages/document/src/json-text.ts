import { limits } from "@heddle/core/base";
import { decodeUtf8 } from "lib0/string";

import { ByteCursor, malformed } from "./byte-cursor.ts";
import { isProtoKey, notUtf8, utf16LengthOf } from "./utf8.ts";

/**
 * varUint(bytes) • JSON, as Yjs writes embeds, formats and the old JSON content. Accepts exactly what
 * `JSON.parse` accepts, less keys `__proto__` and nesting beyond the limit; builds no value.
 *
 * @param allowUndefined Yjs writes a missing element of JSON content as the bare word `undefined`.
 */
export function skipJson(cursor: ByteCursor, allowUndefined: boolean): void {
  const length = cursor.uint();
  const start = cursor.skip(length);
  const end = cursor.offset;
  if (allowUndefined && length === 9 && matches(cursor.bytes, start, "undefined")) return;
  if (utf16LengthOf(cursor.bytes, start, end) === notUtf8) throw malformed("text is not UTF-8");
  const text = new ByteCursor(cursor.bytes, start, end);
  skipBlanks(text);
  skipValue(text, 0);
  skipBlanks(text);
  if (text.left > 0) throw notJson();
}

function skipValue(text: ByteCursor, depth: number): void {
  const first = text.byte();
  switch (first) {
    case 0x22:
      skipString(text);
      return;
    case 0x7b: // {
    case 0x5b: // [
      skipMembers(text, first === 0x7b, depth + 1);
      return;
    case 0x74:
      return skipWord(text, "true");
    case 0x66:
      return skipWord(text, "false");
    case 0x6e:
      return skipWord(text, "null");
    default:
      text.offset--;
      skipNumber(text);
  }
}

/** What stands behind the opening bracket of an object or an array, closing bracket included. */
function skipMembers(text: ByteCursor, isObject: boolean, depth: number): void {
  if (depth > limits.anyDepthMax) throw malformed("JSON nested too deep");
  const closing = isObject ? 0x7d : 0x5d;
  skipBlanks(text);
  if (peek(text) === closing) {
    text.offset++;
    return;
  }
  for (;;) {
    if (isObject) skipMemberKey(text);
    skipBlanks(text);
    skipValue(text, depth);
    skipBlanks(text);
    const next = text.byte();
    if (next === closing) return;
    if (next !== 0x2c) throw notJson();
    skipBlanks(text);
  }
}

function skipMemberKey(text: ByteCursor): void {
  if (text.byte() !== 0x22) throw notJson();
  const start = text.offset;
  const hasEscapes = skipString(text);
  const end = text.offset - 1;
  if (isProtoKey(text.bytes, start, end)) throw malformed("key __proto__");
  if (
    hasEscapes &&
    JSON.parse(decodeUtf8(text.bytes.subarray(start - 1, end + 1))) === "__proto__"
  ) {
    throw malformed("key __proto__");
  }
  skipBlanks(text);
  if (text.byte() !== 0x3a) throw notJson();
}

/** Behind the opening quote, to behind the closing one. Returns whether an escape was met. */
function skipString(text: ByteCursor): boolean {
  let hasEscapes = false;
  for (;;) {
    const byte = text.byte();
    if (byte === 0x22) return hasEscapes;
    if (byte < 0x20) throw notJson();
    if (byte === 0x5c) {
      hasEscapes = true;
      skipEscape(text);
    }
  }
}

function skipEscape(text: ByteCursor): void {
  const escape = text.byte();
  if (escape === 0x75) {
    for (let index = 0; index < 4; index++) if (!isHexDigit(text.byte())) throw notJson();
    return;
  }
  // " \ / b f n r t
  if (!escapes.has(escape)) throw notJson();
}

const escapes = new Set([0x22, 0x5c, 0x2f, 0x62, 0x66, 0x6e, 0x72, 0x74]);

function skipNumber(text: ByteCursor): void {
  if (peek(text) === 0x2d) text.offset++;
  if (peek(text) === 0x30) text.offset++;
  else skipDigits(text);
  if (peek(text) === 0x2e) {
    text.offset++;
    skipDigits(text);
  }
  if ((peek(text) | 0x20) === 0x65) {
    text.offset++;
    const sign = peek(text);
    if (sign === 0x2b || sign === 0x2d) text.offset++;
    skipDigits(text);
  }
}

function skipDigits(text: ByteCursor): void {
  const start = text.offset;
  while (isDigit(peek(text))) text.offset++;
  if (text.offset === start) throw notJson();
}

function skipBlanks(text: ByteCursor): void {
  for (;;) {
    const byte = peek(text);
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) return;
    text.offset++;
  }
}

/** The rest of a word whose first letter was read. */
function skipWord(text: ByteCursor, word: string): void {
  const start = text.offset - 1;
  text.skip(word.length - 1);
  if (!matches(text.bytes, start, word)) throw notJson();
}

function matches(bytes: Uint8Array, start: number, word: string): boolean {
  for (let index = 0; index < word.length; index++) {
    if (bytes[start + index] !== word.charCodeAt(index)) return false;
  }
  return true;
}

/** The next byte, or 0 (which JSON has no use for) at the end. */
function peek(text: ByteCursor): number {
  return text.offset < text.end ? text.bytes[text.offset]! : 0;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function isHexDigit(byte: number): boolean {
  const lower = byte | 0x20;
  return isDigit(byte) || (lower >= 0x61 && lower <= 0x66);
}

function notJson(): Error {
  return malformed("text is not JSON");
}
