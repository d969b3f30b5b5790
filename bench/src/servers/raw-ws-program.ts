import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocketServer, type WebSocket } from "ws";

/**
 * The floor: each received update goes to every other client of its path with a plain `ws.send`. It knows no
 * document and looks no further than the two bytes that tell an update from a handshake.
 */
const messageSync = 0;
const syncStep1 = 0;
const syncUpdate = 2;
const emptyStep2 = Uint8Array.of(0, 1, 2, 0, 0);

const rooms = new Map<string, Set<WebSocket>>();
const server = createServer();
const sockets = new WebSocketServer({ server });

sockets.on("connection", (socket, request) => {
  const path = request.url ?? "/";
  const room = rooms.get(path) ?? new Set();
  rooms.set(path, room.add(socket));
  socket.on("message", (data) => onFrame(socket, room, data as Buffer));
  socket.on("close", () => {
    room.delete(socket);
    if (room.size === 0) rooms.delete(path);
  });
});

function onFrame(sender: WebSocket, room: Set<WebSocket>, frame: Buffer): void {
  if (frame[0] === messageSync && frame[1] === syncStep1) sender.send(emptyStep2);
  if (frame[0] !== messageSync || frame[1] !== syncUpdate) return;
  for (const socket of room) if (socket !== sender) socket.send(frame);
}

server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`http://127.0.0.1:${port}\n`);
});
