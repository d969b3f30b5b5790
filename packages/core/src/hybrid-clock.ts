import { assert } from "./assert.ts";
import type { Clock } from "./environment.ts";
import { HeddleError, HeddleErrorCode } from "./errors.ts";

/**
 * A hybrid logical clock reading: wall milliseconds (48 bit) and a counter (16 bit). It respects
 * causality and stays readable as a time; it never decides in which order envelopes apply.
 * Source: Kulkarni et al., "Logical Physical Clocks", 2014.
 */
export interface Hlc {
  readonly wallMs: number;
  readonly counter: number;
}

const wallMsMax = 2 ** 48 - 1;
const counterMax = 2 ** 16 - 1;

/** A peer's clock may pull ours forward by this much; beyond it the peer is wrong, not we. */
export const hlcLeadMsMax = 5 * 60 * 1000;

export class HybridClock {
  readonly #clock: Clock;
  #last: Hlc;

  /** `last` is the highest reading that this replica has ever stored. */
  constructor(clock: Clock, last: Hlc = { wallMs: 0, counter: 0 }) {
    this.#clock = clock;
    this.#last = last;
  }

  get last(): Hlc {
    return this.#last;
  }

  /** A reading above every earlier one, whatever the wall clock does. */
  tick(): Hlc {
    const wallMs = clamp(this.#clock.nowMs());
    this.#last = wallMs > this.#last.wallMs ? { wallMs, counter: 0 } : next(this.#last);
    return this.#last;
  }

  /**
   * Takes note of a peer's reading. `ahead` tells that it lay too far in the future to follow; such
   * an envelope is accepted all the same, because acceptance may not depend on when one looks (I9).
   */
  observe(remote: Hlc): { readonly ahead: boolean } {
    const ahead = remote.wallMs > clamp(this.#clock.nowMs()) + hlcLeadMsMax;
    if (!ahead && compareHlc(remote, this.#last) > 0) this.#last = remote;
    return { ahead };
  }
}

export function compareHlc(a: Hlc, b: Hlc): number {
  return a.wallMs - b.wallMs || a.counter - b.counter;
}

/** 8 bytes, big-endian, so that byte order is clock order. */
export function encodeHlc(hlc: Hlc): Uint8Array {
  const bytes = new Uint8Array(8);
  writeHlc(hlc, bytes, 0);
  return bytes;
}

/** Writes the 8 bytes of {@link encodeHlc} into `target`. */
export function writeHlc({ wallMs, counter }: Hlc, target: Uint8Array, offset: number): void {
  assert(
    wallMs >= 0 && wallMs <= wallMsMax && counter <= counterMax,
    "a clock reading fits 64 bit",
  );
  let rest = wallMs;
  for (let index = offset + 5; index >= offset; index--) {
    target[index] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  target[offset + 6] = counter >> 8;
  target[offset + 7] = counter & 0xff;
}

export function decodeHlc(bytes: Uint8Array): Hlc {
  if (bytes.length !== 8) {
    throw new HeddleError(HeddleErrorCode.frameMalformed, "a clock reading is 8 bytes");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
  return { wallMs: view.getUint16(0) * 2 ** 32 + view.getUint32(2), counter: view.getUint16(6) };
}

function next({ wallMs, counter }: Hlc): Hlc {
  return counter < counterMax
    ? { wallMs, counter: counter + 1 }
    : { wallMs: wallMs + 1, counter: 0 };
}

function clamp(nowMs: number): number {
  return Math.min(Math.max(0, Math.floor(nowMs)), wallMsMax);
}
