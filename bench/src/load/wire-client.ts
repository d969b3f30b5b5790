import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { performance } from "node:perf_hooks";
import {
  emptyStep1Frame,
  emptyStep2Frame,
  messageSync,
  pongFrame,
  syncStep1,
  syncStep2,
} from "./client-frames.ts";
import { ClockRangeReader, type ClockRangeSink } from "./clock-ranges.ts";
import { FrameReader, type FrameSink } from "./frame-reader.ts";

export interface WireListener {
  /** Content arrived: clocks `[from, to)` of a Yjs client; `at` is when its bytes were read. */
  onContent(client: number, from: number, to: number, at: number): void;
  /** The server, or its end, closed the connection. */
  onClosed(reason: string): void;
}

/** One buffer for all sockets of the process: a read is handled before the next one starts. */
const readBuffer = Buffer.allocUnsafe(256 * 1024);
const reader = new ClockRangeReader();

/**
 * A client of the y-websocket wire without a document: it connects, asks for everything, sends frames made
 * beforehand and reports which content came in.
 */
export class WireClient implements FrameSink, ClockRangeSink {
  readonly #socket: Socket;
  readonly #listener: WireListener;
  readonly #frames = new FrameReader(this);
  readonly #synced: Promise<void>;
  #settleSynced: (failure?: Error) => void = () => {};
  #upgraded = false;
  #header = "";
  #closeReason = "connection lost";
  #ended = false;
  #corked = false;
  #now = 0;

  constructor(url: string, document: string, listener: WireListener) {
    this.#listener = listener;
    this.#synced = new Promise((resolve, reject) => {
      this.#settleSynced = (failure) => (failure ? reject(failure) : resolve());
    });
    const { hostname, port, host } = new URL(url);
    this.#socket = connect({
      host: hostname,
      port: Number(port),
      noDelay: true,
      onread: { buffer: readBuffer, callback: (bytes, buffer) => this.#onRead(bytes, buffer) },
    });
    this.#socket.write(
      `GET /${document} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    );
    this.#socket.on("error", (error) => (this.#closeReason = error.message));
    this.#socket.on("close", () => this.#onSocketClose());
  }

  /** Resolves once the server has answered the first step 1. */
  whenSynced(): Promise<void> {
    return this.#synced;
  }

  /** Frames sent in one turn of the event loop leave in one write, as a busy browser's do. */
  send(frame: Buffer): void {
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#corked = false;
        this.#socket.uncork();
      });
    }
    this.#socket.write(frame);
  }

  close(): void {
    this.#ended = true;
    this.#socket.destroy();
  }

  onBinary(bytes: Buffer): void {
    if (bytes[0] !== messageSync) return; // Awareness: this load has nobody to show.
    const type = bytes[1];
    if (type === syncStep1) {
      this.send(emptyStep2Frame);
      return;
    }
    const lengthBytes = varUintLength(bytes, 2);
    reader.read(bytes, 2 + lengthBytes, this);
    if (type === syncStep2) this.#settleSynced();
  }

  onPing(payload: Buffer): void {
    this.send(pongFrame(payload));
  }

  onCloseFrame(code: number): void {
    this.#closeReason = `closed by the server with ${code}`;
  }

  onRange(client: number, from: number, to: number): void {
    this.#listener.onContent(client, from, to, this.#now);
  }

  #onRead(bytes: number, buffer: Uint8Array): boolean {
    if (this.#ended) return false;
    this.#now = performance.now();
    const chunk = Buffer.from(buffer.buffer, buffer.byteOffset, bytes);
    if (this.#upgraded) this.#frames.push(chunk);
    else this.#readUpgrade(chunk);
    return true;
  }

  #readUpgrade(chunk: Buffer): void {
    this.#header += chunk.toString("latin1");
    const end = this.#header.indexOf("\r\n\r\n");
    if (end === -1) return;
    if (!this.#header.startsWith("HTTP/1.1 101")) {
      this.#closeReason = `refused: ${this.#header.slice(0, this.#header.indexOf("\r\n"))}`;
      this.#socket.destroy();
      return;
    }
    this.#upgraded = true;
    this.send(emptyStep1Frame);
    const rest = Buffer.from(this.#header.slice(end + 4), "latin1");
    if (rest.length > 0) this.#frames.push(rest);
  }

  #onSocketClose(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#settleSynced(new Error(this.#closeReason));
    this.#listener.onClosed(this.#closeReason);
  }
}

function varUintLength(bytes: Uint8Array, start: number): number {
  let end = start;
  while ((bytes[end] ?? 0) >= 128) end += 1;
  return end - start + 1;
}
