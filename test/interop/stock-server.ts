import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { setupWSConnection } from "@y/websocket-server/utils";
import { WebSocketServer } from "ws";

export interface StockServer extends AsyncDisposable {
  readonly url: string;
}

/** `@y/websocket-server` 0.1.1, the last for Yjs 13, in memory: what people run today. */
export async function startStockServer(): Promise<StockServer> {
  const http = createServer();
  const webSockets = new WebSocketServer({ server: http });
  webSockets.on("connection", (webSocket, request) => setupWSConnection(webSocket, request));
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  return {
    url: `ws://127.0.0.1:${(http.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const client of webSockets.clients) client.terminate();
      const closed = once(http, "close");
      http.close();
      await closed;
    },
  };
}
