import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";

import { HeddleErrorCode } from "@heddle/core";
import { httpWire } from "@heddle/sync";
import { expect, test } from "vitest";

import { HttpExchange } from "./http-exchange.ts";
import { timerScheduler } from "./timer-scheduler.ts";

test("[TRN-2] an answer that does not end is cut off at what an answer may have", async () => {
  const chunk = new Uint8Array(64 * 1024);
  let sent = 0;
  const server = createServer((_request, response) => {
    const more = (): void => {
      do sent += chunk.length;
      while (!response.destroyed && response.write(chunk));
    };
    response.on("drain", more);
    more();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const exchange = new HttpExchange({ base, fetch, scheduler: timerScheduler });
    const [{ socket }] = await Promise.all([
      once(server, "request").then(([request]) => request as { socket: Socket }),
      expect(exchange.request({ path: "x", msMax: 60_000 })).rejects.toMatchObject({
        code: HeddleErrorCode.frameMalformed,
      }),
    ]);
    if (!socket.destroyed) await new Promise((resolve) => socket.once("close", resolve));
    // Beyond what was read, only what sockets hold was sent.
    expect(sent).toBeGreaterThan(httpWire.batchBytesMax);
    expect(sent).toBeLessThan(httpWire.batchBytesMax + 32 * 1024 * 1024);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
