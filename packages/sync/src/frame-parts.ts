import { HeddleError, HeddleErrorCode, malformed } from "@heddle/core";

import { encodeFrame, type FrameOf } from "./frame.ts";
import { wireLimits } from "./wire-limits.ts";

/** Room for the fields of a PART beside its bytes. */
const partOverheadBytes = 32;

/** Cuts an encoded frame that is over the cap of a connection into parts, in order, as they are asked for. */
export function* partsOf(
  frame: Uint8Array,
  transfer: number,
  frameBytesMax: number,
): Generator<Uint8Array, void> {
  const step = frameBytesMax - partOverheadBytes;
  for (let offset = 0; offset < frame.length; offset += step) {
    const bytes = frame.subarray(offset, offset + step);
    yield encodeFrame({ name: "part", transfer, totalBytes: frame.length, offset, bytes });
  }
}

/** Room for the first parts of a frame; it grows as more of them come. */
const roomBytesMin = 64 * 1024;

/**
 * What frames in parts may take of memory, all sessions together. When it is used up, the frame goes of
 * which nothing came for the longest time: who only begins frames pushes out nobody who goes on.
 */
export class PartsRoom {
  readonly #bytesMax: number;
  /** Those that hold something, the one that got a part last at the end. */
  readonly #joiners = new Set<PartJoiner>();
  readonly #onDropped: () => void;
  #heldBytes = 0;

  constructor(bytesMax: number, onDropped: () => void) {
    this.#bytesMax = Math.max(bytesMax, wireLimits.joinedBytesMax);
    this.#onDropped = onDropped;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** `joiner` got a part, and takes so many bytes more than before. */
  took(joiner: PartJoiner, bytes: number): void {
    this.#heldBytes += bytes;
    this.#joiners.delete(joiner);
    this.#joiners.add(joiner);
    for (const longest of this.#joiners) {
      if (this.#heldBytes <= this.#bytesMax) return;
      longest.drop();
      this.#onDropped();
    }
  }

  gave(joiner: PartJoiner, bytes: number): void {
    this.#heldBytes -= bytes;
    this.#joiners.delete(joiner);
  }
}

/**
 * Puts parts together, one transfer at a time and strictly in order. A lost part loses its frame, which
 * its content survives: the receiver notices a gap and asks. Takes at most twice the bytes that have
 * really arrived, however small the parts are, and keeps nothing of the messages that they came in.
 */
export class PartJoiner {
  readonly #room: PartsRoom;
  #transfer = 0;
  #totalBytes = 0;
  #heldBytes = 0;
  #buffer = new Uint8Array();

  constructor(room: PartsRoom) {
    this.#room = room;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /**
   * The whole frame when this was its last part; `"dropped"` when it cannot follow on what is held.
   *
   * @throws HeddleError `HEDDLE_FRAME_MALFORMED` or `HEDDLE_FRAME_TOO_LARGE`.
   */
  add(part: FrameOf<"part">): Uint8Array | "waiting" | "dropped" {
    if (part.totalBytes > wireLimits.joinedBytesMax) {
      throw new HeddleError(HeddleErrorCode.frameTooLarge, "a frame in parts is over the cap");
    }
    if (part.bytes.length === 0 || part.offset + part.bytes.length > part.totalBytes) {
      throw malformed("part", "it lies outside of its frame");
    }
    if (part.offset === 0) this.#begin(part);
    const follows =
      part.transfer === this.#transfer &&
      part.totalBytes === this.#totalBytes &&
      part.offset === this.#heldBytes;
    if (!follows) {
      this.drop();
      return "dropped";
    }
    this.#append(part.bytes);
    if (this.#heldBytes < this.#totalBytes) return "waiting";
    const whole = this.#buffer.subarray(0, this.#totalBytes);
    this.drop();
    return whole;
  }

  /** Lets go of what came; parts that follow are dropped. */
  drop(): void {
    this.#room.gave(this, this.#buffer.length);
    this.#buffer = new Uint8Array();
    this.#heldBytes = 0;
    this.#totalBytes = 0;
  }

  #begin({ transfer, totalBytes }: FrameOf<"part">): void {
    this.drop();
    this.#transfer = transfer;
    this.#totalBytes = totalBytes;
  }

  #append(bytes: Uint8Array): void {
    const before = this.#buffer.length;
    const needed = this.#heldBytes + bytes.length;
    if (needed > before) {
      const roomy = Math.max(needed, roomBytesMin, before * 2);
      const buffer = new Uint8Array(Math.min(roomy, this.#totalBytes));
      buffer.set(this.#buffer.subarray(0, this.#heldBytes));
      this.#buffer = buffer;
    }
    this.#buffer.set(bytes, this.#heldBytes);
    this.#heldBytes = needed;
    this.#room.took(this, this.#buffer.length - before);
  }
}
