import { HeddleProvider } from "@heddle/client";
import { expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import * as Y from "yjs";

import { connectStock } from "./stock-providers.ts";
import { startStockServer } from "./stock-server.ts";

const wait = { timeout: 30_000 };

// Goal: HeddleProvider works with the server that an application has today.
// Method: the stock server in its own process, a stock client beside ours, the same room.
test("[CLT-4] at a server that speaks y-websocket only, it speaks that, and keeps what is typed", async () => {
  await using server = await startStockServer();
  const { url } = server;
  using stock = connectStock({ url, name: "room", version: "3.1.0" });
  const ada = new HeddleProvider(url, "room", new Y.Doc(), { WebSocketPolyfill: WebSocket });
  ada.doc.getText("text").insert(0, "warp ");
  await vi.waitFor(() => expect(stock.ydoc.getText("text").toJSON()).toBe("warp "), wait);
  stock.ydoc.getText("text").insert(5, "weft");
  await vi.waitFor(() => expect(ada.doc.getText("text").toJSON()).toBe("warp weft"), wait);
  expect([ada.wsconnected, ada.synced]).toEqual([true, true]);
  await ada.whenSaved();
  expect(ada.saved).toBe("memory");
  // What the server speaks is known by now.
  const later = new HeddleProvider(url, "other-room", new Y.Doc(), {
    WebSocketPolyfill: WebSocket,
  });
  await vi.waitFor(() => expect([later.wsconnected, later.synced]).toEqual([true, true]), wait);
  await Promise.all([ada.whenDestroyed(), later.whenDestroyed()]);
});
