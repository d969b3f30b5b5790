const opcode = { continuation: 0, binary: 2, close: 8, ping: 9 } as const;

/** Hears the frames of one connection. Bytes are only valid until the call returns. */
export interface FrameSink {
  onBinary(bytes: Buffer): void;
  onPing(payload: Buffer): void;
  onCloseFrame(code: number): void;
}

/**
 * Cuts a byte stream from a server into WebSocket frames: unmasked, uncompressed, unfragmented.
 *
 * The `ws` client costs the load core more than most servers spend on sending; this one costs little, and is the
 * same for every server. Continuation frames are refused, no server here sends them.
 */
export class FrameReader {
  readonly #sink: FrameSink;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #neededBytes = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Reads all whole frames of `chunk` and keeps a copy of the rest, because callers reuse the chunk. */
  push(chunk: Buffer): void {
    if (this.#heldBytes === 0) {
      this.#hold(this.#readFrames(chunk));
      return;
    }
    this.#hold(chunk);
    if (this.#heldBytes < this.#neededBytes) return;
    const whole = Buffer.concat(this.#held);
    this.#held = [];
    this.#heldBytes = 0;
    this.#hold(this.#readFrames(whole));
  }

  #hold(rest: Buffer): void {
    if (rest.length === 0) return;
    this.#held.push(Buffer.from(rest));
    this.#heldBytes += rest.length;
  }

  #readFrames(bytes: Buffer): Buffer {
    let offset = 0;
    for (;;) {
      const left = bytes.length - offset;
      const headerBytes = left < 2 ? 2 : headerLength(bytes[offset + 1]!);
      this.#neededBytes = headerBytes;
      if (left < headerBytes) return bytes.subarray(offset);
      const payloadBytes = payloadLength(bytes, offset);
      this.#neededBytes = headerBytes + payloadBytes;
      if (left < this.#neededBytes) return bytes.subarray(offset);
      const start = offset + headerBytes;
      offset = start + payloadBytes;
      this.#emit(bytes[start - headerBytes]!, bytes.subarray(start, offset));
    }
  }

  #emit(first: number, payload: Buffer): void {
    const kind = first & 15;
    if (kind === opcode.binary && first >= 128) this.#sink.onBinary(payload);
    else if (kind === opcode.ping) this.#sink.onPing(payload);
    else if (kind === opcode.close) {
      this.#sink.onCloseFrame(payload.length >= 2 ? payload.readUInt16BE(0) : 1005);
    } else if (kind === opcode.continuation || kind === opcode.binary) {
      throw new Error("fragmented frames are not part of this load");
    }
  }
}

function headerLength(second: number): number {
  const length = second & 127;
  if (length === 126) return 4;
  return length === 127 ? 10 : 2;
}

function payloadLength(bytes: Buffer, offset: number): number {
  const length = bytes[offset + 1]! & 127;
  if (length === 126) return bytes.readUInt16BE(offset + 2);
  return length === 127 ? Number(bytes.readBigUInt64BE(offset + 2)) : length;
}
