/** Says that bytes are not UTF-8. */
export const notUtf8 = -1;

/**
 * Length in UTF-16 units of the UTF-8 text in `bytes[start, end)`, or {@link notUtf8}. Accepts what a
 * fatal TextDecoder accepts: no overlong forms, no surrogates, nothing above U+10FFFF. UTF-16 units,
 * because they are what a Yjs clock counts.
 */
export function utf16LengthOf(bytes: Uint8Array, start: number, end: number): number {
  let offset = start;
  while (offset < end && bytes[offset]! < 0x80) offset++;
  let length = offset - start;
  while (offset < end) {
    const lead = bytes[offset]!;
    if (lead < 0x80) {
      offset++;
      length++;
      continue;
    }
    const size = sequenceLength(bytes, offset, end);
    if (size === notUtf8) return notUtf8;
    offset += size;
    length += size === 4 ? 2 : 1;
  }
  return length;
}

/** Bytes of the multi-byte sequence at `offset`: 2, 3, 4 or {@link notUtf8}. */
function sequenceLength(bytes: Uint8Array, offset: number, end: number): number {
  const lead = bytes[offset]!;
  const size =
    lead < 0xc2 ? notUtf8 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : notUtf8;
  if (size === notUtf8 || end - offset < size) return notUtf8;
  const second = bytes[offset + 1]!;
  const secondMin = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const secondMax = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (second < secondMin || second > secondMax) return notUtf8;
  for (let index = 2; index < size; index++) {
    if ((bytes[offset + index]! & 0xc0) !== 0x80) return notUtf8;
  }
  return size;
}

/**
 * Where unit `units` of valid UTF-8 text starts. `splits` is true when the place lies between the two
 * halves of a surrogate pair; `offset` is then behind the pair.
 */
export function offsetOfUnit(
  bytes: Uint8Array,
  start: number,
  units: number,
): { readonly offset: number; readonly splits: boolean } {
  let offset = start;
  let left = units;
  while (left > 0) {
    const lead = bytes[offset]!;
    if (lead < 0x80) offset += 1;
    else if (lead < 0xe0) offset += 2;
    else if (lead < 0xf0) offset += 3;
    else {
      offset += 4;
      left--;
      if (left === 0) return { offset, splits: true };
    }
    left--;
  }
  return { offset, splits: false };
}

const proto = [0x5f, 0x5f, 0x70, 0x72, 0x6f, 0x74, 0x6f, 0x5f, 0x5f];

/** Whether the text is `__proto__`, which as an object key changes what the object inherits. */
export function isProtoKey(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start !== proto.length) return false;
  for (let index = 0; index < proto.length; index++) {
    if (bytes[start + index] !== proto[index]) return false;
  }
  return true;
}
