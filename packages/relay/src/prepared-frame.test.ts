import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { PassThrough, Writable } from "node:stream";

import { expect, test } from "vitest";
import * as ws from "ws";

import { CorkedSockets, prepareFrame } from "./prepared-frame.ts";

/** Exported by ws, and left out of its types. */
const { Receiver, Sender } = ws as unknown as {
  Receiver: new (options: object) => Writable;
  Sender: new (socket: Socket) => {
    send(data: Buffer, options: object, done: () => void): void;
  };
};

const lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 200_000];

test.each(lengths)("[RLY-10] a frame of %i bytes is what ws would have written", async (length) => {
  const message = Uint8Array.from({ length }, (_, index) => index % 251);
  const written = new PassThrough({ highWaterMark: 2 ** 24 });
  const options = { binary: true, compress: false, fin: true, mask: false };
  new Sender(written as unknown as Socket).send(Buffer.from(message), options, () => undefined);
  await new Promise(setImmediate);
  expect(Buffer.from(prepareFrame(message)).equals(written.read() ?? Buffer.alloc(0))).toBe(true);
});

test("[RLY-10] what ws reads from a prepared frame is the message", async () => {
  const message = Uint8Array.from({ length: 70_000 }, (_, index) => index % 256);
  const receiver = new Receiver({ isServer: false, maxPayload: 2 ** 20 });
  const received = once(receiver, "message");
  receiver.write(prepareFrame(message));
  const [data, isBinary] = await received;
  expect(isBinary).toBe(true);
  expect(new Uint8Array(data as Buffer)).toEqual(message);
});

test("[RLY-10] frames of one tick leave in order and in one piece", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { connect } = await import("node:net");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [socket] = (await once(server, "connection")) as [Socket];
  const chunks: Buffer[] = [];
  client.on("data", (chunk) => chunks.push(chunk));
  const corked = new CorkedSockets();
  for (const byte of [1, 2, 3]) corked.write(socket, prepareFrame(Uint8Array.of(byte)));
  await once(client, "data");
  expect(Buffer.concat(chunks)).toEqual(Buffer.from([0x82, 1, 1, 0x82, 1, 2, 0x82, 1, 3]));
  client.destroy();
  server.close();
});

test("[RLY-10] a socket is corked once a tick and let go at its end", async () => {
  const batches: number[] = [];
  const socket = new Writable({
    writev(chunks, done) {
      batches.push(chunks.length);
      done();
    },
    write(_chunk, _encoding, done) {
      batches.push(1);
      done();
    },
  });
  const corked = new CorkedSockets();
  for (let count = 0; count < 4; count++) corked.write(socket as never, Uint8Array.of(count));
  await new Promise(setImmediate);
  for (let count = 0; count < 2; count++) corked.write(socket as never, Uint8Array.of(count));
  await new Promise(setImmediate);
  expect(batches).toEqual([4, 2]);
});
