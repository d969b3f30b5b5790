import { HeddleError, HeddleErrorCode, type Scheduler } from "@heddle/core";
import type {
  AbortSignalLike,
  Connection,
  ConnectionEnd,
  ConnectionHandlers,
  Transport,
} from "@heddle/sync";

import { webSocketTransport, type WebSocketConstructor } from "../web-socket-transport.ts";

export interface RelayLinkOptions {
  /** Asked before each dial, as applications change the parameters of an address. */
  readonly address: () => string;
  readonly protocols: readonly string[];
  readonly WebSocket: WebSocketConstructor | undefined;
  readonly getToken: (() => string | Promise<string>) | undefined;
  readonly scheduler: Scheduler;
  /** The server speaks y-websocket's protocol and no other: nothing is dialed here any more. */
  readonly onStockServer: () => void;
  readonly onFailed: (error: HeddleError) => void;
  readonly onClosed: (end: ConnectionEnd) => void;
}

/** The way to one relay, which can be hung up, and which knows a server that is none when it hears it. */
export class RelayLink implements Transport {
  readonly name = "websocket";
  readonly #options: RelayLinkOptions;
  #current: Connection | undefined;
  #isStockServer = false;
  /** When something came last, in milliseconds of the wall clock. */
  lastMessageMs: number | undefined;

  constructor(options: RelayLinkOptions) {
    this.#options = options;
  }

  async dial(signal: AbortSignalLike): Promise<Connection> {
    if (this.#isStockServer) throw notSpoken();
    const { address, protocols, WebSocket, getToken, scheduler, onFailed } = this.#options;
    try {
      const transport = webSocketTransport({
        url: address(),
        protocols,
        scheduler,
        ...(WebSocket && { WebSocket }),
        ...(getToken && { token: getToken }),
      });
      return this.#watch(await transport.dial(signal));
    } catch (error) {
      onFailed(error as HeddleError);
      throw error;
    }
  }

  /** Ends the connection that there is; whoever dials may dial again. */
  hangUp(): void {
    this.#current?.close(HeddleErrorCode.sessionClosed, "nobody is there any more");
  }

  #watch(connection: Connection): Connection {
    this.#current = connection;
    let isFirst = true;
    const onMessage = (bytes: Uint8Array, handlers: ConnectionHandlers): void => {
      this.lastMessageMs = Date.now();
      if (isFirst && isSyncStep1(bytes)) return this.#metStockServer(connection);
      isFirst = false;
      handlers.onMessage(bytes);
    };
    const onClosed = (end: ConnectionEnd, handlers: ConnectionHandlers): void => {
      this.#current = undefined;
      handlers.onClosed(end);
      this.#options.onClosed(end);
    };
    return {
      get bufferedBytes() {
        return connection.bufferedBytes;
      },
      get isCongested() {
        return connection.isCongested;
      },
      get counters() {
        return connection.counters;
      },
      listen: (handlers) =>
        connection.listen({
          onMessage: (bytes) => onMessage(bytes, handlers),
          onDrain: () => handlers.onDrain(),
          onClosed: (end) => onClosed(end, handlers),
        }),
      send: (bytes) => connection.send(bytes),
      pause: () => connection.pause(),
      resume: () => connection.resume(),
      close: (code, reason) => connection.close(code, reason),
    };
  }

  #metStockServer(connection: Connection): void {
    this.#isStockServer = true;
    connection.close(HeddleErrorCode.protocolVersion, "the server speaks y-websocket only");
    this.#options.onStockServer();
  }
}

/**
 * A server on `ws` takes whatever subprotocol is offered first, and then greets as y-websocket's does:
 * message type "sync", step 1. No frame of heddle's begins so.
 */
function isSyncStep1(bytes: Uint8Array): boolean {
  return bytes[0] === 0 && bytes[1] === 0;
}

function notSpoken(): HeddleError {
  return new HeddleError(HeddleErrorCode.protocolVersion, "the server does not speak heddle.1");
}
