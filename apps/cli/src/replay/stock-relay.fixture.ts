import { once } from "node:events";
import type { AddressInfo } from "node:net";

import { docs, setupWSConnection } from "@y/websocket-server/utils";
import { WebSocketServer } from "ws";

/**
 * Changes a Yjs update on its way from a client into the relay; `undefined` loses it. `order` counts
 * the updates that this server received, from 0.
 */
export type Tamper = (update: Buffer, order: number) => Buffer | undefined;

export interface StockRelayOptions {
  readonly port?: number;
  readonly tamper?: Tamper;
  /** Gives connection number `order` another document than it asked for. */
  readonly swapDocument?: (order: number, name: string) => string;
}

/** `@y/websocket-server` 0.1.1 in this process, in memory, honest unless told otherwise. */
export class StockRelay implements AsyncDisposable {
  readonly #server: WebSocketServer;
  #connections = 0;
  #updates = 0;

  private constructor(options: StockRelayOptions) {
    this.#server = new WebSocketServer({ host: "127.0.0.1", port: options.port ?? 0 });
    this.#server.on("connection", (socket, request) => {
      const asked = (request.url ?? "").slice(1).split("?")[0]!;
      const docName = options.swapDocument?.(this.#connections, asked) ?? asked;
      this.#connections++;
      setupWSConnection(socket as never, request, { docName });
      if (options.tamper !== undefined) this.#intercept(socket, options.tamper);
    });
  }

  static async open(options: StockRelayOptions = {}): Promise<StockRelay> {
    const relay = new StockRelay(options);
    await once(relay.#server, "listening");
    return relay;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}`;
  }

  /** Writes into every document, as if it were a person. */
  insertItself(text: string): void {
    for (const doc of docs.values()) doc.getText("text").insert(0, text);
  }

  /** Dies like a process: sockets break off and what was in memory is gone. */
  async kill(): Promise<void> {
    for (const socket of this.#server.clients) socket.terminate();
    docs.clear();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #intercept(
    socket: { listeners(name: "message"): unknown[] } & NodeJS.EventEmitter,
    tamper: Tamper,
  ) {
    const [deliver] = socket.listeners("message") as [(message: ArrayBuffer) => void];
    socket.removeAllListeners("message");
    socket.on("message", (message: ArrayBuffer) => {
      const bytes = Buffer.from(message);
      // varUint 0 is the sync protocol, 2 in it an update; what an answer to sync step 1 holds stays.
      const isUpdate = bytes[0] === 0 && bytes[1] === 2;
      const kept = isUpdate ? tamper(bytes, this.#updates++) : bytes;
      if (kept !== undefined) deliver(Uint8Array.from(kept).buffer);
    });
  }
}
