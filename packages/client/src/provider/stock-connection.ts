import type { HeddleError } from "@heddle/core";
import { removeAwarenessStates } from "y-protocols/awareness";
import type { WebsocketProvider } from "y-websocket";

import { loadPart } from "../load-part.ts";
import type { HeddleProvider } from "./heddle-provider.ts";

export type MessageHandlers = WebsocketProvider["messageHandlers"];
type Handler = MessageHandlers[number];

export interface StockConnectionOptions {
  /** In whose place it speaks; what the application changes there holds from the next dial on. */
  readonly owner: HeddleProvider;
  readonly WebSocket: unknown;
  readonly resyncInterval: number;
  /** It is not connecting yet. */
  readonly onOpened: (provider: WebsocketProvider) => void;
  /** y-websocket itself could not be loaded. */
  readonly onFailed: (error: HeddleError) => void;
}

/**
 * One document at a server that speaks y-websocket's protocol only: what it says is y-websocket's own
 * business, and what it brings is captured like any other provider's and kept in our store.
 */
export class StockConnection {
  readonly #owner: HeddleProvider;
  #provider: WebsocketProvider | undefined;
  #isDestroyed = false;

  constructor(options: StockConnectionOptions) {
    this.#owner = options.owner;
    // Only here: whoever has a relay never loads it.
    loadPart(() => import("y-websocket")).then(
      ({ WebsocketProvider }) => this.#open(WebsocketProvider, options),
      (error: HeddleError) => options.onFailed(error),
    );
  }

  get provider(): WebsocketProvider | undefined {
    return this.#provider;
  }

  connect(): void {
    this.#provider?.connect();
  }

  disconnect(): void {
    this.#provider?.disconnect();
  }

  destroy(): void {
    this.#isDestroyed = true;
    this.#provider?.destroy();
  }

  #open(
    Provider: typeof WebsocketProvider,
    { WebSocket, resyncInterval, onOpened }: StockConnectionOptions,
  ): void {
    if (this.#isDestroyed) return;
    const owner = this.#owner;
    const provider = new Provider(owner.serverUrl, owner.roomname, owner.doc, {
      awareness: owner.awareness,
      resyncInterval,
      shouldReconnect: (event) => owner.shouldReconnect(event, owner),
      connect: false,
      // Tabs meet in the engine.
      disableBc: true,
      ...(WebSocket !== undefined && {
        WebSocketPolyfill: WebSocket as typeof globalThis.WebSocket,
      }),
    });
    Object.defineProperties(provider, {
      params: { get: () => owner.params },
      protocols: { get: () => owner.protocols },
      maxBackoffTime: { get: () => owner.maxBackoffTime },
    });
    speakFor(owner, provider);
    this.#provider = provider;
    onOpened(provider);
    if (owner.shouldConnect) provider.connect();
  }
}

/** y-websocket's listener to the document. */
const sending = "_updateHandler";

/** What the others did comes from the provider that the application has. */
function speakFor(owner: HeddleProvider, stock: WebsocketProvider): void {
  const { doc, awareness, messageHandlers } = owner;
  for (const [type, handler] of stock.messageHandlers.entries()) messageHandlers[type] ??= handler;
  stock.messageHandlers = new Proxy(messageHandlers, {
    get(handlers, type) {
      const handler = handlers[Number(type)];
      if (handler === undefined) return undefined;
      const inPlace: Handler = (encoder, decoder, _stock, emitSynced, messageType) => {
        handler(encoder, decoder, owner as unknown as WebsocketProvider, emitSynced, messageType);
      };
      return inPlace;
    },
  });
  const send = stock[sending];
  doc.off("update", send);
  stock[sending] = (update, origin: unknown) => {
    if (origin !== owner) send(update, origin);
  };
  doc.on("update", stock[sending]);
  stock.on("connection-close", () => {
    const others = [...awareness.getStates().keys()].filter((client) => client !== doc.clientID);
    if (stock.wsconnected) removeAwarenessStates(awareness, others, owner);
  });
}
