/** A small seeded generator (mulberry32): a campaign that found something can be run again. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Values at which decoders go wrong: ends of ranges, and what claims much more than is there. */
const nastyBytes = [0, 1, 0x7f, 0x80, 0xff, 0x0a, 0x44, 0x84, 0xc4, 0x27, 0x21];

/** One to four changes: bytes flipped, set, cut out, doubled, or taken from another update. */
export function mutate(
  original: Uint8Array,
  others: readonly Uint8Array[],
  random: () => number,
): Uint8Array {
  let bytes = [...original];
  const at = (): number => Math.floor(random() * Math.max(1, bytes.length));
  const changes = 1 + Math.floor(random() * 4);
  for (let change = 0; change < changes; change++) {
    const kind = Math.floor(random() * 6);
    if (kind === 0) bytes[at()]! ^= 1 << Math.floor(random() * 8);
    if (kind === 1) bytes[at()] = nastyBytes[Math.floor(random() * nastyBytes.length)]!;
    if (kind === 2) bytes.splice(at(), 1 + Math.floor(random() * 4));
    if (kind === 3) bytes.splice(at(), 0, ...bytes.slice(at(), at() + 8));
    if (kind === 4) bytes = bytes.slice(0, at());
    if (kind === 5) {
      const other = others[Math.floor(random() * others.length)]!;
      const from = Math.floor(random() * other.length);
      bytes.splice(at(), 4, ...other.subarray(from, from + 8));
    }
  }
  return Uint8Array.from(bytes);
}
