import { HeddleErrorCode, type Scheduler } from "@heddle/core";

import type { CloseWords } from "./close-words.ts";
import { FrameConnection, type FrameCarrier } from "./frame-connection.ts";
import { subprotocol } from "./subprotocol.ts";
import { SignsOfLife } from "./signs-of-life.ts";
import type { Connection, TransportLimits } from "./transport.ts";
import { wireLimits } from "./wire-limits.ts";

/** What is used of a socket of `ws`, accepted or dialed. */
export interface NodeWebSocket {
  binaryType: string;
  readonly bufferedAmount: number;
  readonly isPaused: boolean;
  readonly readyState: number;
  readonly OPEN: number;
  on(event: string, listener: (...args: never[]) => void): unknown;
  send(bytes: Uint8Array, options: { readonly binary: true }): void;
  ping(): void;
  pause(): void;
  resume(): void;
  close(code: number, reason: string): void;
  terminate(): void;
}

export interface ConnectionOfOptions {
  readonly scheduler: Scheduler;
  readonly limits?: Partial<TransportLimits>;
  /** A socket that answers no ping for so long, and sends nothing, is given up. */
  readonly silenceMs?: number;
}

/** What a server of `ws` needs so that its sockets can become connections. */
export const heddleSocketOptions = {
  maxPayload: wireLimits.frameBytesMax,
  /** A frame of 256 KiB comes in a few pieces at most; thousands of tiny ones are an attack. */
  maxFragments: 256,
  maxBufferedChunks: 4_096,
  perMessageDeflate: false,
  handleProtocols: (offered: Set<string>) => (offered.has(subprotocol) ? subprotocol : false),
} as const;

const defaultSilenceMs = 45_000;

/**
 * An open socket of `ws`, with subprotocol `heddle.1`, as a {@link Connection}. A server is made with
 * {@link heddleSocketOptions}: without them a message is read whole before it is refused.
 */
export function connectionOf(socket: NodeWebSocket, options: ConnectionOfOptions): Connection {
  const connection = new FrameConnection(new SocketCarrier(socket), options);
  let failure: HeddleErrorCode | undefined;
  socket.binaryType = "arraybuffer";
  const { scheduler, silenceMs = defaultSilenceMs } = options;
  const life = new SignsOfLife({
    scheduler,
    silenceMs,
    ask: () => {
      // Whoever is not read from cannot be heard.
      if (socket.isPaused) life.heard();
      else if (socket.readyState === socket.OPEN) socket.ping();
    },
    onSilence: () => {
      connection.failed(HeddleErrorCode.sessionTimeout, `nothing heard for ${silenceMs} ms`);
    },
  });
  socket.on("message", (data: ArrayBuffer, isBinary: boolean) => {
    life.heard();
    if (isBinary) connection.received(new Uint8Array(data));
    else connection.close(HeddleErrorCode.frameMalformed, "a text message");
  });
  socket.on("pong", () => life.heard());
  socket.on("ping", () => life.heard());
  // Frames that cannot be read; what becomes of the socket then is told by its close.
  socket.on("error", (error: CodedError) => {
    failure ??= failureOf(error);
  });
  socket.on("close", (closeCode: number, reason: { toString(): string }) => {
    life.stop();
    // 1005 is a goodbye without words, 1006 none at all.
    const wasPolite = closeCode !== 1006 && failure === undefined;
    connection.ended({ closeCode, text: failure ?? reason.toString() }, wasPolite);
  });
  return connection;
}

class SocketCarrier implements FrameCarrier {
  readonly #socket: NodeWebSocket;

  constructor(socket: NodeWebSocket) {
    this.#socket = socket;
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  send(bytes: Uint8Array): void {
    this.#socket.send(bytes, { binary: true });
  }

  close({ closeCode, text }: CloseWords): void {
    this.#socket.close(closeCode, text);
  }

  destroy(): void {
    this.#socket.terminate();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }
}

interface CodedError {
  readonly code?: string;
}

function failureOf({ code = "" }: CodedError): HeddleErrorCode | undefined {
  if (!code.startsWith("WS_ERR_")) return undefined;
  const isTooMuch = /_LENGTH$|_TOO_MANY_/.test(code);
  return isTooMuch ? HeddleErrorCode.frameTooLarge : HeddleErrorCode.frameMalformed;
}
