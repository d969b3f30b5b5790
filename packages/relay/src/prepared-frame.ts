import type { Duplex } from "node:stream";

const finBinary = 0x82;
const noBytes = new Uint8Array();

/**
 * A whole unmasked binary WebSocket message in one buffer (RFC 6455, 5.2), made once and written to
 * every receiver as it is. `ws` would build a header and two writes per receiver.
 */
export function prepareFrame(message: Uint8Array): Uint8Array {
  return prepareFrameOf(noBytes, message);
}

/** The frame of the message that is `head` followed by `body`. */
export function prepareFrameOf(head: Uint8Array, body: Uint8Array): Uint8Array {
  const length = head.length + body.length;
  const headerLength = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(headerLength + length);
  frame[0] = finBinary;
  if (headerLength === 2) frame[1] = length;
  else if (headerLength === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeUInt32BE(0, 2);
    frame.writeUInt32BE(length, 6);
  }
  frame.set(head, headerLength);
  frame.set(body, headerLength + head.length);
  return frame;
}

/**
 * Collects what is written to each socket in one tick and hands it to the kernel in one call.
 *
 * Writing past `ws` is sound as long as `ws` itself never holds a message back: the relay switches
 * deflate off and never sends a Blob, the two cases in which its sender queues.
 */
export class CorkedSockets {
  readonly #corked = new Set<Duplex>();

  write(socket: Duplex, frame: Uint8Array): void {
    if (!this.#corked.has(socket)) {
      if (this.#corked.size === 0) process.nextTick(this.#uncork);
      socket.cork();
      this.#corked.add(socket);
    }
    socket.write(frame);
  }

  readonly #uncork = (): void => {
    for (const socket of this.#corked) socket.uncork();
    this.#corked.clear();
  };
}
