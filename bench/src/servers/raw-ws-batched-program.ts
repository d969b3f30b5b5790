import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { WebSocketServer } from "ws";

/**
 * The floor with everything that is known to make it lower: one frame made for all receivers, and all
 * frames of one turn of the event loop written to a socket in one call. Knows as little as raw ws.
 */
const messageSync = 0;
const syncStep1 = 0;
const syncUpdate = 2;
const emptyStep2 = Uint8Array.of(0, 1, 2, 0, 0);
const finBinary = 0x82;

interface Turn {
  readonly sender: Socket;
  readonly frame: Buffer;
}

class Room {
  readonly sockets = new Set<Socket>();
  #turn: Turn[] = [];

  add(sender: Socket, message: Buffer): void {
    if (this.#turn.length === 0) setImmediate(() => this.#flush());
    this.#turn.push({ sender, frame: frameOf(message) });
  }

  #flush(): void {
    const turn = this.#turn;
    this.#turn = [];
    const all = Buffer.concat(turn.map(({ frame }) => frame));
    const senders = new Set(turn.map(({ sender }) => sender));
    for (const socket of this.sockets) {
      if (!senders.has(socket)) socket.write(all);
      else {
        const others = turn.filter(({ sender }) => sender !== socket);
        if (others.length > 0) socket.write(Buffer.concat(others.map(({ frame }) => frame)));
      }
    }
  }
}

const rooms = new Map<string, Room>();
const server = createServer();
const sockets = new WebSocketServer({ server });

sockets.on("connection", (webSocket, request) => {
  const path = request.url ?? "/";
  const room = rooms.get(path) ?? new Room();
  rooms.set(path, room);
  room.sockets.add(request.socket);
  webSocket.on("message", (data) => {
    const message = data as Buffer;
    if (message[0] !== messageSync) return;
    if (message[1] === syncStep1) webSocket.send(emptyStep2);
    if (message[1] === syncUpdate) room.add(request.socket, message);
  });
  webSocket.on("close", () => {
    room.sockets.delete(request.socket);
    if (room.sockets.size === 0) rooms.delete(path);
  });
});

function frameOf(message: Buffer): Buffer {
  const { length } = message;
  if (length < 126) return Buffer.concat([Buffer.of(finBinary, length), message]);
  if (length > 65_535) throw new Error("an update of this load fits in 64 KiB");
  return Buffer.concat([Buffer.of(finBinary, 126, length >> 8, length & 0xff), message]);
}

server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`http://127.0.0.1:${port}\n`);
});
