import { HeddleError, HeddleErrorCode, type Scheduler } from "@heddle/core/base";
import type { AbortSignalLike, Connection, ConnectionEnd, Transport } from "@heddle/sync";

import { webSocketTransport, type WebSocketConstructor } from "../web-socket-transport.ts";
import type { WebSocketLike } from "../web-socket-like.ts";
import { HungTransport } from "./hung-transport.ts";

export interface RelayLinkOptions {
  /** Asked before each dial, as applications change the parameters of an address. */
  readonly address: () => string;
  readonly protocols: readonly string[];
  readonly WebSocket: WebSocketConstructor | undefined;
  readonly getToken: (() => string | Promise<string>) | undefined;
  readonly scheduler: Scheduler;
  /** The longest that the application wants to wait before another attempt, in ms; asked at each failure. */
  readonly backoffMsMax: () => number | undefined;
  /** The server speaks y-websocket's protocol and no other: nothing is dialed here any more. */
  readonly onStockServer: () => void;
  readonly onFailed: (error: HeddleError) => void;
  /** `wasHere` when this side closed. */
  readonly onClosed: (end: ConnectionEnd, wasHere: boolean) => void;
}

/** The way to one relay, which can be hung up, and which knows a server that is none when it hears it. */
export class RelayLink implements Transport {
  readonly name = "websocket";
  readonly #options: RelayLinkOptions;
  readonly #transport: HungTransport;
  #isFirst = true;
  #isStockServer = false;
  /** When something came last, in milliseconds of the wall clock. */
  lastMessageMs: number | undefined;
  /** Of the dial or connection that there is, or was last. */
  socket: WebSocketLike | undefined;

  constructor(options: RelayLinkOptions) {
    this.#options = options;
    this.#transport = new HungTransport(this.name, (signal) => this.#dialSocket(signal), {
      onMessage: (bytes, connection) => this.#onMessage(bytes, connection),
      onClosed: options.onClosed,
    });
  }

  async dial(signal: AbortSignalLike): Promise<Connection> {
    if (this.#isStockServer) throw notSpoken();
    try {
      this.#isFirst = true;
      return await this.#transport.dial(signal);
    } catch (error) {
      this.#options.onFailed(error as HeddleError);
      throw error;
    }
  }

  hangUp(): void {
    this.#transport.hangUp();
  }

  /** In milliseconds; `undefined` when the application did not say. */
  get backoffMsMax(): number | undefined {
    return this.#options.backoffMsMax();
  }

  async #dialSocket(signal: AbortSignalLike): Promise<Connection> {
    const { address, protocols, getToken, scheduler } = this.#options;
    const WebSocket = this.#watched;
    const transport = webSocketTransport({
      url: address(),
      protocols,
      scheduler,
      ...(WebSocket && { WebSocket }),
      ...(getToken && { token: getToken }),
    });
    return transport.dial(signal);
  }

  /** Applications look at their provider's socket. */
  get #watched(): WebSocketConstructor | undefined {
    const { WebSocket } = globalThis as { readonly WebSocket?: WebSocketConstructor };
    const Socket = this.#options.WebSocket ?? WebSocket;
    if (Socket === undefined) return undefined;
    const note = (socket: WebSocketLike): void => {
      this.socket = socket;
    };
    return class extends Socket {
      constructor(...about: ConstructorParameters<WebSocketConstructor>) {
        super(...about);
        note(this);
      }
    };
  }

  #onMessage(bytes: Uint8Array, connection: Connection): boolean {
    this.lastMessageMs = Date.now();
    const isGreeting = this.#isFirst;
    this.#isFirst = false;
    if (!isGreeting || !isSyncStep1(bytes)) return true;
    this.#isStockServer = true;
    connection.close(HeddleErrorCode.protocolVersion, "the server speaks y-websocket only");
    this.#options.onStockServer();
    return false;
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
