import { once } from "node:events";
import { connect, type Socket } from "node:net";

import { until } from "../integration/stock-client.ts";

export interface RawClientOptions {
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** As it comes through a proxy, for a relay that trusts one. */
export function from(address: string): RawClientOptions {
  return { headers: { "X-Forwarded-For": address } };
}

const requiredHeaders = {
  Host: "relay.test",
  Connection: "Upgrade",
  Upgrade: "websocket",
  "Sec-WebSocket-Version": "13",
  "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
};

/** A client that minds no rule: it writes what it is told, and reads only while it wants to. */
export class RawClient implements Disposable {
  readonly socket: Socket;
  /** Of the answer to the upgrade; 0 when there was none. */
  status = 0;
  head = "";
  isClosed = false;
  /** Messages. */
  sent = 0;
  #received: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.socket = socket;
    // Being cut off is what these clients are for.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.isClosed = true;
    });
    socket.on("data", (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
    });
  }

  /** A socket that has said nothing yet. */
  static async dial(url: string): Promise<RawClient> {
    const { hostname, port } = new URL(url);
    const client = new RawClient(connect(Number(port), hostname));
    await Promise.race([once(client.socket, "connect"), once(client.socket, "close")]);
    return client;
  }

  /** Asks for an upgrade and waits for the answer. */
  static async upgrade(url: string, options: RawClientOptions = {}): Promise<RawClient> {
    const client = await RawClient.dial(url);
    const { path = "/notes", headers = {} } = options;
    const lines = Object.entries({ ...requiredHeaders, ...headers }).map(([k, v]) => `${k}: ${v}`);
    client.write(`GET ${path} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
    await client.answered();
    return client;
  }

  async answered(timeoutMs?: number): Promise<number> {
    const isDone = (): boolean => this.#received.includes("\r\n\r\n") || this.isClosed;
    await until(isDone, "an answer, or the end", timeoutMs);
    const end = this.#received.indexOf("\r\n\r\n");
    this.head = this.#received.subarray(0, Math.max(0, end)).toString();
    this.#received = end < 0 ? this.#received : this.#received.subarray(end + 4);
    this.status = Number(/^HTTP\/1\.1 (\d{3})/.exec(this.head)?.[1] ?? 0);
    return this.status;
  }

  write(data: string | Uint8Array): void {
    if (!this.isClosed) this.socket.write(data);
  }

  /** A whole binary message. */
  send(message: Uint8Array): void {
    this.sent++;
    this.write(clientFrame(message));
  }

  stopReading(): void {
    this.socket.pause();
  }

  readAgain(): void {
    this.socket.resume();
  }

  async closed(timeoutMs?: number): Promise<void> {
    await until(() => this.isClosed, "the relay hangs up", timeoutMs);
  }

  /** Code of the close frame that came, 1006 when none came before the end. */
  async closeCode(timeoutMs?: number): Promise<number> {
    const isDone = (): boolean => this.isClosed || closeCodeIn(this.#received) !== undefined;
    await until(isDone, "a close frame, or the end", timeoutMs);
    return closeCodeIn(this.#received) ?? 1006;
  }

  get receivedBytes(): number {
    return this.#received.length;
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

export interface FrameOptions {
  /** 1 text, 2 binary, 0 continuation; with 0x80 the last of its message, with 0x40 compressed. */
  readonly head?: number;
  /** What the header claims, when that is not the truth. */
  readonly claimedLength?: number;
}

/** A frame with a mask of zeros, which every server must take. */
export function clientFrame(
  payload: Uint8Array,
  { head = 0x82, claimedLength = payload.length }: FrameOptions = {},
): Uint8Array {
  const header = Buffer.alloc(claimedLength < 126 ? 6 : claimedLength < 65_536 ? 8 : 14);
  header[0] = head;
  if (claimedLength < 126) header[1] = 0x80 + claimedLength;
  else if (claimedLength < 65_536) {
    header[1] = 0x80 + 126;
    header.writeUInt16BE(claimedLength, 2);
  } else {
    header[1] = 0x80 + 127;
    header.writeBigUInt64BE(BigInt(claimedLength), 2);
  }
  return Buffer.concat([header, payload]);
}

function closeCodeIn(bytes: Buffer): number | undefined {
  for (let at = 0; at + 2 <= bytes.length;) {
    const short = bytes[at + 1]! & 0x7f;
    const header = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (at + header > bytes.length) return undefined;
    const length =
      short < 126
        ? short
        : short === 126
          ? bytes.readUInt16BE(at + 2)
          : Number(bytes.readBigUInt64BE(at + 2));
    if (bytes[at] === 0x88) return bytes.readUInt16BE(at + header);
    at += header + length;
  }
  return undefined;
}
