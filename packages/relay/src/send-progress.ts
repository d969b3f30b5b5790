import type { Duplex } from "node:stream";

/**
 * Whether what waits to be sent on a socket gets on. Node counts a write as waiting until its last byte
 * left, so a large frame on a slow link seems to stand still; what the operating system has taken of it
 * is only found on the handle. Without one, as with other streams, whole writes have to do.
 */
export class SendProgress {
  readonly #socket: SocketWithHandle;
  #completed = 0;
  #inHand = 0;
  #sinceMs: number;

  constructor(socket: Duplex, nowMs: number) {
    this.#socket = socket;
    this.#sinceMs = nowMs;
  }

  /** For how long nothing has left although something waits. Look regularly. */
  stalledMs(nowMs: number): number {
    const { bytesWritten = 0, writableLength, _handle: handle } = this.#socket;
    const completed = bytesWritten - writableLength;
    const inHand = handle?.writeQueueSize ?? 0;
    const hasMoved = completed > this.#completed || inHand < this.#inHand;
    if (writableLength === 0 || hasMoved) this.#sinceMs = nowMs;
    this.#completed = completed;
    this.#inHand = inHand;
    return nowMs - this.#sinceMs;
  }
}

type SocketWithHandle = Duplex & {
  /** All that was ever written, what waits included. */
  readonly bytesWritten?: number;
  readonly _handle?: { readonly writeQueueSize?: number } | null;
};
