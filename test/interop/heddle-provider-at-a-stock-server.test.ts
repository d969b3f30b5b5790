import { HeddleProvider } from "@heddle/client";
import { createSpace, HeddleErrorCode } from "@heddle/core";
import { ephemeralDeviceKey, nodeEnvironment } from "@heddle/replica/node";
import { byeCodeOf } from "@heddle/sync";
import { expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import * as Y from "yjs";

import { connectStock } from "./stock-providers.ts";
import { startStockServer } from "./stock-server.ts";

const wait = { timeout: 30_000 };
const protocolVersion = byeCodeOf(HeddleErrorCode.protocolVersion);

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

test("[CLT-16] what is of a space is not given to a server that knows of no members, and that is said", async () => {
  await using server = await startStockServer();
  const { url } = server;
  using stock = connectStock({ url, name: "members", version: "3.1.0" });
  const madeAt = { wallMs: 1, counter: 0 };
  const draft = { ...nodeEnvironment(silent), signer: ephemeralDeviceKey(), madeAt };
  const { bytes: genesis } = await createSpace(draft);
  const options = { WebSocketPolyfill: WebSocket, genesis, logger: silent };
  const ada = new HeddleProvider(url, "members", new Y.Doc(), options);
  const closes: number[] = [];
  ada.on("closed", ({ code }) => closes.push(code));
  ada.doc.getText("text").insert(0, "members only");
  await ada.whenSaved();
  await vi.waitFor(() => expect(closes).toEqual([protocolVersion]), wait);
  expect([ada.wsconnected, ada.synced]).toEqual([false, false]);
  expect(stock.ydoc.getText("text").toJSON()).toBe("");
  await ada.whenDestroyed();
  const refused = expect.objectContaining({ code: "HEDDLE_CONFIG_INVALID" });
  expect(() => {
    return new HeddleProvider(url, "members", new Y.Doc(), { ...options, wire: "y-websocket" });
  }).toThrow(refused);
});

const ignore = (): void => undefined;
const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };
