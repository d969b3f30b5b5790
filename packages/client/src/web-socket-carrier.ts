import { HeddleErrorCode } from "@heddle/core/base";
import type { CloseWords, FrameCarrier, FrameConnection } from "@heddle/sync/connection";

import type { WebSocketLike } from "./web-socket-like.ts";

/** Pages may close with 1000 and with what is above the registered codes, and nothing else. */
const ownCodesFrom = 3000;

/** An open WebSocket as the carrier of a connection. */
export class WebSocketCarrier implements FrameCarrier {
  readonly #socket: WebSocketLike;

  constructor(socket: WebSocketLike) {
    this.#socket = socket;
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  reportTo(connection: FrameConnection): void {
    const socket = this.#socket;
    socket.onmessage = ({ data }: { readonly data: unknown }) => {
      if (data instanceof ArrayBuffer) return connection.received(new Uint8Array(data));
      return connection.close(HeddleErrorCode.frameMalformed, "a text message");
    };
    let failure: HeddleErrorCode | undefined;
    socket.onerror = ({ error }: { readonly error?: { readonly code?: string } }) => {
      const isTooLarge = error?.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH";
      if (isTooLarge) failure = HeddleErrorCode.frameTooLarge;
    };
    socket.onclose = ({ code, reason, wasClean }: ClosingEvent) => {
      connection.ended({ closeCode: code, text: failure ?? reason }, wasClean);
    };
  }

  send(bytes: Uint8Array): void {
    // The type of a view on shared memory is excluded by contract, not by the type of messages.
    this.#socket.send(bytes as Uint8Array<ArrayBuffer>);
  }

  close({ closeCode, text }: CloseWords): void {
    this.#socket.close(closeCode >= ownCodesFrom ? closeCode : 1000, text);
  }

  destroy(): void {
    // A page cannot cut off: its `close` has been called, and nobody listens any more.
    this.#socket.terminate?.();
  }

  pause(): void {
    this.#socket.pause?.();
  }

  resume(): void {
    this.#socket.resume?.();
  }
}

interface ClosingEvent {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
}
