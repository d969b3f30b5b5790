import { concatBytes, HeddleError, HeddleErrorCode } from "@heddle/core";

import { codeOfCloseCode, type CloseWords } from "./close-words.ts";
import { wireLimits } from "./wire-limits.ts";

/**
 * The wire over plain HTTP requests, see docs/protocol.md: what both sides of it have to agree on.
 * Bytes and milliseconds.
 */
export const httpWire = {
  /** Where an acceptor is mounted unless its host says otherwise. */
  path: "/heddle/1/",
  /** One body: the largest frame behind its length, or several small ones. */
  batchBytesMax: wireLimits.frameBytesMax + 4,
  /** How long an acceptor keeps a poll that it has nothing for; below what proxies cut off at. */
  pollMsMax: 20_000,
  /** The same for a host that has paused, which asks for no frames and wants to go on soon. */
  pausedPollMs: 1_000,
  /** How long an acceptor keeps a POST whose frames wait for a host that has paused. */
  holdMsMax: 10_000,
} as const;

/** 16 random bytes: who knows it speaks for the session. */
export const httpSessionPattern = /^[0-9a-f]{32}$/;

/** Frames on their way out, in batches. */
export class FrameQueue {
  #frames: Uint8Array[] = [];
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#frames.length === 0;
  }

  push(frame: Uint8Array): void {
    this.#frames.push(frame);
    this.#bytes += frame.length;
  }

  /** The next frames as one body, and how many bytes of them; an empty body when there are none. */
  take(): { readonly body: Uint8Array<ArrayBuffer>; readonly bytes: number } {
    const parts: Uint8Array[] = [];
    let [count, bytes, size] = [0, 0, 0];
    for (const frame of this.#frames) {
      size += 4 + frame.length;
      if (size > httpWire.batchBytesMax) break;
      const length = new Uint8Array(4);
      new DataView(length.buffer).setUint32(0, frame.length);
      parts.push(length, frame);
      count++;
      bytes += frame.length;
    }
    this.#frames.splice(0, count);
    this.#bytes -= bytes;
    return { body: concatBytes(parts) as Uint8Array<ArrayBuffer>, bytes };
  }
}

/**
 * The frames of a body, each an array of its own.
 *
 * @throws HeddleError `HEDDLE_FRAME_MALFORMED` when lengths and bytes do not agree,
 * `HEDDLE_FRAME_TOO_LARGE` for a frame over the cap; before anything is copied.
 */
export function framesOfBatch(body: Uint8Array): Uint8Array[] {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const places: [number, number][] = [];
  let at = 0;
  while (at < body.length) {
    if (at + 4 > body.length) throw malformed();
    const length = view.getUint32(at);
    if (length > wireLimits.frameBytesMax) {
      throw new HeddleError(HeddleErrorCode.frameTooLarge, `a frame of ${length} bytes`);
    }
    if (length === 0 || at + 4 + length > body.length) throw malformed();
    places.push([at + 4, at + 4 + length]);
    at += 4 + length;
  }
  // Not `slice`: of a Buffer that is a view.
  return places.map(([from, to]) => new Uint8Array(body.subarray(from, to)));
}

/** How a goodbye is written in a body of text. */
export function encodeHttpWords({ closeCode, text }: CloseWords): string {
  return `${closeCode} ${text}`;
}

/** Anything but a goodbye is one without words. */
export function decodeHttpWords(body: string): CloseWords {
  const [, number, text = ""] = /^(\d{4})(?: (.*))?$/s.exec(body) ?? [];
  if (number === undefined) return { closeCode: 1005, text: codeOfCloseCode(1005) };
  return { closeCode: Number(number), text };
}

function malformed(): HeddleError {
  return new HeddleError(HeddleErrorCode.frameMalformed, "a batch does not add up");
}
