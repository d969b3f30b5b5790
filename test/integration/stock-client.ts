import { WebSocket } from "ws";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";

export interface StockClient extends Disposable {
  readonly ydoc: Y.Doc;
  readonly provider: WebsocketProvider;
  /** The text that tests type into. */
  readonly text: Y.Text;
}

export interface StockClientOptions {
  readonly params?: Record<string, string>;
  readonly ydoc?: Y.Doc;
}

/** A stock y-websocket 3.1 client on Node, with nothing of ours in it. */
export function connect(url: string, name: string, options: StockClientOptions = {}): StockClient {
  const ydoc = options.ydoc ?? new Y.Doc();
  makeRoomForProviders(1);
  const provider = new WebsocketProvider(url, name, ydoc, {
    // The polyfill is what Node needs; its type has more in it than the provider uses.
    WebSocketPolyfill: WebSocket as unknown as typeof globalThis.WebSocket,
    disableBc: true,
    maxBackoffTime: 200,
    params: options.params ?? {},
  });
  return {
    ydoc,
    provider,
    text: ydoc.getText("text"),
    [Symbol.dispose]() {
      provider.destroy();
      makeRoomForProviders(-1);
      provider.awareness.destroy();
      ydoc.destroy();
    },
  };
}

/** On Node each provider listens for the end of the process: many clients in one are no leak. */
export function makeRoomForProviders(count: number): void {
  process.setMaxListeners(process.getMaxListeners() + count);
}

export async function synced(client: StockClient): Promise<void> {
  await until(() => client.provider.synced, "the client is synced");
}

/** Waits for `condition`; fails with `what` when it takes too long. */
export async function until(
  condition: () => boolean,
  what: string,
  timeoutMs = 60_000,
  pauseMs = 5,
): Promise<void> {
  const startedMs = performance.now();
  while (!condition()) {
    if (performance.now() - startedMs > timeoutMs) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

export function sleep(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}
