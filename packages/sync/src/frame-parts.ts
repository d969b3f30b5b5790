import { concatBytes, HeddleError, HeddleErrorCode, malformed } from "@heddle/core";

import { encodeFrame, type FrameOf } from "./frame.ts";
import { wireLimits } from "./wire-limits.ts";

/** Room for the fields of a PART beside its bytes. */
const partOverheadBytes = 32;

/** Cuts an encoded frame that is over the cap of a connection into parts, in order. */
export function partsOf(frame: Uint8Array, transfer: number, frameBytesMax: number): Uint8Array[] {
  const step = frameBytesMax - partOverheadBytes;
  const parts: Uint8Array[] = [];
  for (let offset = 0; offset < frame.length; offset += step) {
    const bytes = frame.subarray(offset, offset + step);
    parts.push(encodeFrame({ name: "part", transfer, totalBytes: frame.length, offset, bytes }));
  }
  return parts;
}

/**
 * Puts parts together, one transfer at a time and strictly in order. A lost part loses its frame, which
 * its content survives: the receiver notices a gap and asks. Holds at most what one frame may be, and
 * no more than what has really arrived.
 */
export class PartJoiner {
  #transfer = 0;
  #totalBytes = 0;
  #heldBytes = 0;
  #parts: Uint8Array[] = [];

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
    if (!follows) return this.#drop();
    this.#parts.push(part.bytes);
    this.#heldBytes += part.bytes.length;
    if (this.#heldBytes < this.#totalBytes) return "waiting";
    const whole = concatBytes(this.#parts);
    this.#drop();
    return whole;
  }

  #begin({ transfer, totalBytes }: FrameOf<"part">): void {
    this.#drop();
    this.#transfer = transfer;
    this.#totalBytes = totalBytes;
  }

  #drop(): "dropped" {
    this.#parts = [];
    this.#heldBytes = 0;
    this.#totalBytes = 0;
    return "dropped";
  }
}
