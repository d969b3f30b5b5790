import { once } from "node:events";
import { createServer, STATUS_CODES, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { HeddleErrorCode } from "@heddle/core";
import { isPermanentBye, type Connection, type ConnectionEnd } from "@heddle/sync";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";

import { webSocketTransport, type WebSocketConstructor } from "./web-socket-transport.ts";

// What is the WebSocket's own. What it owes as a transport is in test/integration/transports.test.ts.

const signal = new AbortController().signal;
let server: Server;
let url: string;

beforeEach(async () => {
  server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/heddle`;
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, "close");
});

function serve(protocol: string | false = "heddle.1"): Promise<[WebSocket, { url: string }]> {
  const sockets = new WebSocketServer({ server, handleProtocols: () => protocol });
  server.once("close", () => sockets.close());
  return once(sockets, "connection") as unknown as Promise<[WebSocket, { url: string }]>;
}

function endOf(connection: Connection): Promise<ConnectionEnd> {
  return new Promise((resolve) => {
    connection.listen({ onMessage: () => {}, onDrain: () => {}, onClosed: resolve });
  });
}

describe("a refused upgrade", () => {
  test.each([
    [401, HeddleErrorCode.sessionRefused],
    [403, HeddleErrorCode.sessionRefused],
    [426, HeddleErrorCode.protocolVersion],
    [429, HeddleErrorCode.relayOverloaded],
    [503, HeddleErrorCode.relayOverloaded],
    [502, HeddleErrorCode.sessionClosed],
  ])("[TRN-5] with %i fails the dial with %s", async (status, code) => {
    server.on("upgrade", (_request, socket) => {
      socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n\r\n`);
    });
    await expect(webSocketTransport({ url, WebSocket }).dial(signal)).rejects.toMatchObject({
      code,
    });
  });

  test("[TRN-5] by a server that is not there fails the dial with its cause", async () => {
    const transport = webSocketTransport({ url: "ws://127.0.0.1:1/", WebSocket });
    const error = { code: HeddleErrorCode.sessionClosed, cause: expect.any(Error) };
    await expect(transport.dial(signal)).rejects.toMatchObject(error);
  });

  test("[TRN-5] by a peer that speaks something else fails the dial for good", async () => {
    class Careless extends WebSocket {
      override readonly protocol = "";
    }
    const accepted = serve();
    const dialed = webSocketTransport({ url, WebSocket: Careless }).dial(signal);
    await expect(dialed).rejects.toMatchObject({ code: HeddleErrorCode.protocolVersion });
    const [socket] = await accepted;
    if (socket.readyState !== WebSocket.CLOSED) await once(socket, "close");
  });
});

describe("the token", () => {
  test.each(["a b&c", async () => "a b&c"])(
    "is asked for and travels in the address",
    async (token) => {
      const accepted = serve();
      const connection = await webSocketTransport({ url: `${url}?x=1`, WebSocket, token }).dial(
        signal,
      );
      const [socket, request] = await accepted;
      const asked = new URL(request.url, url).searchParams;
      expect([asked.get("x"), asked.get("token")]).toEqual(["1", "a b&c"]);
      const ended = endOf(connection);
      socket.close();
      await ended;
    },
  );

  test("that cannot be had fails the dial with its cause", async () => {
    const cause = new Error("signed out");
    const token = () => Promise.reject(cause);
    const dialed = webSocketTransport({ url, WebSocket, token }).dial(signal);
    await expect(dialed).rejects.toMatchObject({ code: HeddleErrorCode.sessionClosed, cause });
  });
});

describe("a connection", () => {
  test.each([
    [4401, "", HeddleErrorCode.sessionRefused, true],
    [4426, "update", HeddleErrorCode.protocolVersion, true],
    [1012, "", HeddleErrorCode.relayDraining, false],
    [1013, "HEDDLE_STORAGE_FULL", HeddleErrorCode.storageFull, false],
    [1000, "", HeddleErrorCode.sessionClosed, false],
  ])("[TRN-4] closed with %i %s ends with %s", async (closeCode, text, code, isForGood) => {
    const accepted = serve();
    const connection = await webSocketTransport({ url, WebSocket }).dial(signal);
    const [socket] = await accepted;
    socket.close(closeCode, text);
    const end = await endOf(connection);
    expect(end).toMatchObject({ code, closeCode, wasPolite: true });
    expect(isPermanentBye(end.closeCode)).toBe(isForGood);
  });

  test("[TRN-4] cut off ends impolitely", async () => {
    const accepted = serve();
    const connection = await webSocketTransport({ url, WebSocket }).dial(signal);
    const [socket] = await accepted;
    socket.terminate();
    const end = { code: HeddleErrorCode.sessionClosed, closeCode: 1006, wasPolite: false };
    expect(await endOf(connection)).toMatchObject(end);
  });

  test("is no place for text", async () => {
    const accepted = serve();
    const connection = await webSocketTransport({ url, WebSocket }).dial(signal);
    const [socket] = await accepted;
    socket.send("text");
    expect(await endOf(connection)).toMatchObject({ code: HeddleErrorCode.frameMalformed });
  });

  test("[TRN-4] says goodbye with a code that pages may use", async () => {
    const accepted = serve();
    const connection = await webSocketTransport({ url, WebSocket: PageSocket }).dial(signal);
    const [socket] = await accepted;
    connection.close(HeddleErrorCode.storageIo, "bad disk");
    const [closeCode, text] = (await once(socket, "close")) as [number, Buffer];
    expect([closeCode, text.toString()]).toEqual([1000, "HEDDLE_STORAGE_IO bad disk"]);
    const end = { code: HeddleErrorCode.storageIo, reason: "bad disk", wasPolite: true };
    expect(await endOf(connection)).toMatchObject(end);
  });
});

test.each(["http://relay.example", "relay.example", "wss://relay.example/#top", ""])(
  "%j is refused as an address before anything is dialed",
  (address) => {
    const make = () => webSocketTransport({ url: address, WebSocket });
    expect(make).toThrow(expect.objectContaining({ code: HeddleErrorCode.configInvalid }));
  },
);

test("[TRN-5] a constructor that throws fails the dial", async () => {
  const cause = new Error("blocked by a policy of the page");
  const Blocked = function refuse() {
    throw cause;
  } as unknown as WebSocketConstructor;
  const dialed = webSocketTransport({ url, WebSocket: Blocked }).dial(signal);
  await expect(dialed).rejects.toMatchObject({ code: HeddleErrorCode.sessionClosed, cause });
});

test("a platform without WebSocket has to be given one", () => {
  const platform = globalThis as { WebSocket?: unknown };
  const { WebSocket: own } = platform;
  delete platform.WebSocket;
  try {
    const make = () => webSocketTransport({ url });
    expect(make).toThrow(expect.objectContaining({ code: HeddleErrorCode.configInvalid }));
    platform.WebSocket = PageSocket;
    expect(webSocketTransport({ url }).name).toBe("websocket");
  } finally {
    if (own === undefined) delete platform.WebSocket;
    else platform.WebSocket = own;
  }
});

/** As strict as a browser about what may be said at the end, and with no more to offer than one. */
class PageSocket extends WebSocket {
  override readonly pause = undefined as never;
  override readonly resume = undefined as never;
  override readonly terminate = undefined as never;

  override close(code?: number, reason?: string): void {
    const isAllowed = code === undefined || code === 1000 || (code >= 3000 && code <= 4999);
    if (!isAllowed) throw new DOMException("InvalidAccessError", "InvalidAccessError");
    super.close(code, reason);
  }
}
