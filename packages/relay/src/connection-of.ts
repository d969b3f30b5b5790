import { HeddleErrorCode, type Scheduler } from "@heddle/core";
import {
  FrameConnection,
  SignsOfLife,
  subprotocol,
  wireLimits,
  type CloseWords,
  type Connection,
  type FrameCarrier,
  type TransportLimits,
} from "@heddle/sync";
import type { RawData, ServerOptions, WebSocket } from "ws";

export interface ConnectionOfOptions {
  readonly scheduler: Scheduler;
  readonly limits?: Partial<TransportLimits>;
  /** A socket that answers no ping for so long, and sends nothing, is given up. */
  readonly silenceMs?: number;
}

/** What a `ws` server needs so that its sockets can become connections. */
export const heddleSocketOptions = {
  maxPayload: wireLimits.frameBytesMax,
  /** A frame of 256 KiB comes in a few pieces at most; thousands of tiny ones are an attack. */
  maxFragments: 256,
  maxBufferedChunks: 4_096,
  perMessageDeflate: false,
  handleProtocols: (offered: Set<string>) => (offered.has(subprotocol) ? subprotocol : false),
} as const satisfies ServerOptions;

const defaultSilenceMs = 45_000;

/**
 * A `ws` socket that was accepted, with subprotocol `heddle.1`, as a {@link Connection}. Its server is
 * made with {@link heddleSocketOptions}: without them a message is read whole before it is refused.
 */
export function connectionOf(socket: WebSocket, options: ConnectionOfOptions): Connection {
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
  socket.on("message", (data: RawData, isBinary: boolean) => {
    life.heard();
    if (isBinary) connection.received(new Uint8Array(data as ArrayBuffer));
    else connection.close(HeddleErrorCode.frameMalformed, "a text message");
  });
  socket.on("pong", () => life.heard());
  socket.on("ping", () => life.heard());
  // Frames that cannot be read; what becomes of the socket then is told by its close.
  socket.on("error", (error: NodeJS.ErrnoException) => {
    failure ??= failureOf(error);
  });
  socket.on("close", (closeCode: number, reason: Buffer) => {
    life.stop();
    // 1005 is a goodbye without words, 1006 none at all.
    const wasPolite = closeCode !== 1006 && failure === undefined;
    connection.ended({ closeCode, text: failure ?? reason.toString() }, wasPolite);
  });
  return connection;
}

class SocketCarrier implements FrameCarrier {
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
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

function failureOf({ code = "" }: NodeJS.ErrnoException): HeddleErrorCode | undefined {
  if (!code.startsWith("WS_ERR_")) return undefined;
  const isTooMuch = /_LENGTH$|_TOO_MANY_/.test(code);
  return isTooMuch ? HeddleErrorCode.frameTooLarge : HeddleErrorCode.frameMalformed;
}
