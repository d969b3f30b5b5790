import { HeddleError, HeddleErrorCode } from "@heddle/core";
import { WebSocket } from "ws";

import type { RelayLimit } from "./relay-limits.ts";

/** More bytes, or more pieces, than the receiver was told to take. */
const tooMuch: ReadonlySet<number> = new Set([1008, 1009]);

const tooLong: ReadonlySet<string | undefined> = new Set([
  "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH",
  "WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH",
]);

/** The limit that a bad frame broke, if it is not bad in itself: `ws` tells them apart in words only. */
export function limitBrokenBy(error: NodeJS.ErrnoException): RelayLimit | undefined {
  if (tooLong.has(error.code)) return "messageBytesMax";
  if (error.code !== "WS_ERR_TOO_MANY_BUFFERED_PARTS") return undefined;
  return error.message.includes("fragment") ? "fragmentsMax" : "chunksMax";
}

/**
 * A WebSocket that leaves it to the gateway how to refuse a bad frame. `ws` would close at once, and
 * with codes that stock clients take for "try again": a client would send the same giant for ever.
 */
export class GatewayWebSocket extends WebSocket {
  onFrameRefused: ((error: HeddleError) => void) | undefined;

  override close(code?: number, reason?: string | Buffer): void {
    // Only the receiver gives a code without a reason: for a frame that it cannot accept. What comes
    // of a goodbye has a reason, if an empty one.
    if (code === undefined || reason !== undefined || this.onFrameRefused === undefined) {
      super.close(code, reason);
      return;
    }
    const [errorCode, message] = tooMuch.has(code)
      ? ([HeddleErrorCode.frameTooLarge, "a message is too large, or in too many pieces"] as const)
      : ([HeddleErrorCode.frameMalformed, "a WebSocket frame is malformed"] as const);
    this.onFrameRefused(new HeddleError(errorCode, message));
  }
}
