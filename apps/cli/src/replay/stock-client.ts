import { WebSocket } from "ws";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";

/** Short, so that a relay that was killed and came back is found again at once. */
const reconnectDelayMsMax = 250;

const closeAnswerMsMax = 1_000;

export interface RelayTarget {
  /** `ws://host:port`, without document name and query. */
  readonly url: string;
  readonly params: Readonly<Record<string, string>>;
  readonly documentName: string;
}

/**
 * A document on the stock y-websocket 3.1 provider, unchanged. The relay is its only way in and out:
 * the BroadcastChannel between clients of one process is off.
 */
export class StockClient {
  readonly name: string;
  readonly doc = new Y.Doc();
  readonly text = textOf(this.doc);
  readonly #provider: WebsocketProvider;
  #connects = 0;
  #hasSynced = false;
  #refusal: string | undefined;

  constructor(name: string, target: RelayTarget) {
    this.name = name;
    this.#provider = new WebsocketProvider(target.url, target.documentName, this.doc, {
      // Same behaviour, but `ws` types its events on its own.
      WebSocketPolyfill: WebSocket as unknown as typeof globalThis.WebSocket,
      disableBc: true,
      maxBackoffTime: reconnectDelayMsMax,
      params: { ...target.params },
    });
    this.#provider.on("status", ({ status }) => {
      if (status === "connected") this.#connects++;
    });
    this.#provider.on("sync", (isSynced) => {
      if (isSynced) this.#hasSynced = true;
    });
    this.#provider.on("closed", ({ code, reason }) => {
      this.#refusal = `${code} ${reason}`.trim();
    });
  }

  /** The first handshake is done. Stays true when the connection is lost. */
  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  get isConnected(): boolean {
    return this.#provider.wsconnected;
  }

  get reconnects(): number {
    return Math.max(0, this.#connects - 1);
  }

  /** Why the relay closed for good; the provider will not try again. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  /** Sent, but still in this process. */
  get bufferedBytes(): number {
    return this.#provider.ws?.bufferedAmount ?? 0;
  }

  close(): void {
    const socket = this.#provider.ws as WebSocket | null;
    this.#provider.destroy();
    // A relay that hangs never answers the close; the process must not wait for it.
    setTimeout(() => socket?.terminate(), closeAnswerMsMax).unref();
    this.#provider.awareness.destroy();
    this.doc.destroy();
  }
}

/** The shared type that everybody types into. */
export function textOf(doc: Y.Doc): Y.Text {
  return doc.getText("text");
}
