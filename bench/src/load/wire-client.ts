import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { performance } from "node:perf_hooks";
import {
  binaryFrame,
  emptyStep2Frame,
  emptyVector,
  pongFrame,
  step1Frame,
  syncStep1,
  syncStep2,
} from "./client-frames.ts";
import { ClockRangeReader, type ClockRangeSink } from "./clock-ranges.ts";
import { FrameReader, type FrameSink } from "./frame-reader.ts";
import { helloOf, isSync, prefixOf, type WireKind } from "./wire.ts";

/** Where a client connects to, and how. */
export interface WireTarget {
  readonly url: string;
  readonly wire: WireKind;
  readonly document: string;
  /** What it says it has; nothing when left out. */
  readonly vector?: Uint8Array;
}

export interface WireListener {
  /** Content arrived: clocks `[from, to)` of a Yjs client; `at` is when its bytes were read. */
  onContent(client: number, from: number, to: number, at: number): void;
  /** The server, or its end, closed the connection. */
  onClosed(reason: string): void;
  /** An update or a step 2 arrived, whatever it holds. Instead of `onContent`, for content that is not typing. */
  onUpdate?(update: Buffer, isStep2: boolean, at: number): void;
}

/** One buffer for all sockets of the process: a read is handled before the next one starts. */
const readBuffer = Buffer.allocUnsafe(256 * 1024);
const reader = new ClockRangeReader();

/**
 * A client of either wire without a document: it connects, asks for everything, sends frames made
 * beforehand and reports which content came in.
 */
export class WireClient implements FrameSink, ClockRangeSink {
  readonly #socket: Socket;
  readonly #target: WireTarget;
  readonly #prefix: Uint8Array;
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

  constructor(target: WireTarget, listener: WireListener) {
    const { url, document, wire } = target;
    this.#target = target;
    this.#prefix = prefixOf(wire, document);
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

  /** Asks for what lies behind `vector`, again. */
  ask(vector: Uint8Array): void {
    this.send(step1Frame(this.#prefix, vector));
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
    const start = this.#prefix.length;
    // Awareness, acknowledgements: this load has nobody to show, and nothing to tick off.
    if (!isSync(this.#target.wire, bytes[start])) return;
    const type = bytes[start + 1];
    if (type === syncStep1) {
      this.send(emptyStep2Frame(this.#prefix));
      return;
    }
    const at = start + 2 + varUintLength(bytes, start + 2);
    if (this.#listener.onUpdate) {
      this.#listener.onUpdate(bytes.subarray(at), type === syncStep2, this.#now);
    } else reader.read(bytes, at, this);
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
    const { wire, document, vector = emptyVector } = this.#target;
    const hello = helloOf(wire, document);
    if (hello) this.send(binaryFrame(hello));
    this.ask(vector);
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
