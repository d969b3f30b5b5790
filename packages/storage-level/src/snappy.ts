/** No three bytes of it stand for more than 64. */
const ratioMax = 22;

/**
 * Unpacks a block that LevelDB compressed with Snappy (its raw format, without frames).
 *
 * @throws RangeError for bytes that are no such block.
 */
export function unpackSnappy(packed: Uint8Array, bytesMax: number): Uint8Array {
  const { bytes, fault } = unpackSnappyPart(packed, bytesMax);
  if (fault !== undefined) throw new RangeError(fault);
  return bytes;
}

/** What can be unpacked before something makes no sense any more, and what that was. */
export function unpackSnappyPart(
  packed: Uint8Array,
  bytesMax: number,
): { readonly bytes: Uint8Array; readonly fault?: string } {
  const [length, start] = readLength(packed);
  if (start === 0) return { bytes: new Uint8Array(), fault: "its length does not end" };
  if (length > bytesMax || length > packed.length * ratioMax) {
    return { bytes: new Uint8Array(), fault: `${length} bytes are too many` };
  }
  const out = new Uint8Array(length);
  let to = 0;
  let at = start;
  const ended = (fault: string) => ({ bytes: out.subarray(0, to), fault });
  while (at < packed.length) {
    const tag = packed[at++]!;
    if ((tag & 3) === 0) {
      const [count, next] = literalLength(packed, at, tag >> 2);
      at = next;
      if (at + count > packed.length || to + count > length) return ended("it is cut");
      out.set(packed.subarray(at, at + count), to);
      at += count;
      to += count;
    } else {
      const copy = readCopy(packed, at, tag);
      at = copy.next;
      if (copy.offset === 0 || copy.offset > to || to + copy.count > length) {
        return ended("it copies from outside of itself");
      }
      // Byte by byte: a copy may reach into what it writes.
      for (const end = to + copy.count; to < end; to++) out[to] = out[to - copy.offset]!;
    }
  }
  return to === length ? { bytes: out } : ended("it is too short");
}

/** `next` is 0 for a length without an end. */
function readLength(packed: Uint8Array): [length: number, next: number] {
  let length = 0;
  for (let index = 0; index < 5; index++) {
    const byte = packed[index] ?? 0x80;
    length += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return [length, index + 1];
  }
  return [0, 0];
}

function literalLength(packed: Uint8Array, at: number, code: number): [number, number] {
  if (code < 60) return [code + 1, at];
  const extra = code - 59;
  return [littleEndian(packed, at, extra) + 1, at + extra];
}

function readCopy(
  packed: Uint8Array,
  at: number,
  tag: number,
): { count: number; offset: number; next: number } {
  if ((tag & 3) === 1) {
    const offset = ((tag >> 5) << 8) | (packed[at] ?? 0);
    return { count: ((tag >> 2) & 7) + 4, offset, next: at + 1 };
  }
  const bytes = (tag & 3) === 2 ? 2 : 4;
  return { count: (tag >> 2) + 1, offset: littleEndian(packed, at, bytes), next: at + bytes };
}

function littleEndian(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let index = 0; index < count; index++) value += (bytes[at + index] ?? 0) * 2 ** (8 * index);
  return value;
}
