import { once } from "node:events";
import { WebSocket } from "ws";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";

/** A stock y-websocket client without a page, for what no person could type. */
export class NodePeer implements AsyncDisposable {
  readonly ydoc = new Y.Doc();
  readonly #provider: WebsocketProvider;

  private constructor(url: string, name: string) {
    this.#provider = new WebsocketProvider(url.replace(/^http/, "ws"), name, this.ydoc, {
      WebSocketPolyfill: WebSocket as unknown as typeof globalThis.WebSocket,
      disableBc: true,
    });
  }

  static async connect(url: string, name: string): Promise<NodePeer> {
    const peer = new NodePeer(url, name);
    await new Promise<void>((resolve) => peer.#provider.once("sync", () => resolve()));
    return peer;
  }

  get awareness() {
    return this.#provider.awareness;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const socket = this.#provider.ws as unknown as WebSocket | null;
    const closed = socket === null ? undefined : once(socket, "close");
    this.#provider.destroy();
    this.ydoc.destroy();
    await closed;
  }
}
