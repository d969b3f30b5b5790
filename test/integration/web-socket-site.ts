import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo, Socket } from "node:net";

import { webSocketTransport, type WebSocketConstructor } from "@heddle/client/websocket";
import { connectionOf, heddleSocketOptions, type Connection } from "@heddle/sync";
import { CountedScheduler, type TransportSide, type TransportSite } from "@heddle/testkit";
import { WebSocket, WebSocketServer } from "ws";

import { Arrivals } from "./arrivals.ts";

const dialMsMax = 500;
/** Long enough for a machine that is busy with something else. */
const silenceMs = 2_000;

/** Real sockets on loopback: a server with `ws`, and a transport that dials it with `ws`. */
export async function webSocketSite(): Promise<TransportSite> {
  const scheduler = new CountedScheduler();
  const sockets = new Set<Socket>();
  const accepted = new Arrivals<Connection>();
  const dialed: WebSocket[] = [];
  const server = createServer();
  const webSockets = new WebSocketServer({ server, ...heddleSocketOptions });
  let newest: WebSocket | undefined;
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  webSockets.on("connection", (socket: WebSocket) => {
    newest = socket;
    accepted.add(connectionOf(socket, { scheduler, silenceMs }));
  });
  const url = `ws://127.0.0.1:${await listen(server)}/`;
  // Takes connections and never says a word.
  const mute = createServer();
  mute.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  mute.on("upgrade", (_request: IncomingMessage, socket: Socket) => {
    // Whoever gives up cuts off.
    socket.on("error", () => {});
    socket.on("end", () => socket.destroy());
    socket.resume();
  });
  const nobody = `ws://127.0.0.1:${await listen(mute)}/`;

  class RememberedSocket extends WebSocket {
    constructor(address: string, protocols: string[], options?: object) {
      super(address, protocols, options);
      dialed.push(this);
    }
  }
  const settings = { scheduler, WebSocket: RememberedSocket as WebSocketConstructor };
  return {
    transport: webSocketTransport({ url, ...settings }),
    unreachable: webSocketTransport({ url: nobody, ...settings, limits: { dialMsMax } }),
    accept: () => accepted.next(),
    async forge(bytes) {
      const socket = new WebSocket(url, ["heddle.1"]);
      // Cut off by the other side is what is to happen.
      socket.on("error", () => {});
      await once(socket, "open");
      socket.send(bytes);
      return accepted.next();
    },
    silence(side: TransportSide) {
      // A stopped process neither reads nor answers; its kernel keeps the connection.
      const socket = side === "dialer" ? dialed.at(-1) : newest;
      socket?.pause();
    },
    leftovers: () => [
      ...Array.from({ length: scheduler.pending }, () => "timer"),
      ...Array.from(sockets, () => "socket"),
      ...dialed.filter(({ readyState }) => readyState !== WebSocket.CLOSED).map(() => "dialed"),
    ],
    async dispose() {
      for (const socket of dialed) socket.terminate();
      for (const socket of sockets) socket.destroy();
      webSockets.close();
      await Promise.all([server, mute].map((each) => new Promise((done) => each.close(done))));
    },
  };
}

async function listen(server: ReturnType<typeof createServer>): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}
