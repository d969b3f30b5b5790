import type { TLSSocket } from "node:tls";

import type { Scheduler } from "@heddle/core";

import { lanLimits } from "./lan-limits.ts";
import { pairingFailed } from "./pairing-failed.ts";

/** What both sides of a pairing give TLS beside the secret. */
export const pairingTls = {
  minVersion: "TLSv1.3",
  // External keys go with SHA-256 only. A fresh X25519 exchange is part of every handshake.
  ciphers: "TLS_AES_128_GCM_SHA256",
} as const;

/** What the two say after their cards: first the guest, then the host. */
export const PairingWord = {
  /** The other device is written down here, and nothing is left to do. */
  kept: "kept",
  /** It is not, and will not be. */
  refused: "refused",
} as const;

/**
 * Short texts over one TLS connection: two bytes of length, then UTF-8. One deadline for all of it; what
 * is longer than a card, or comes unasked in numbers, ends it.
 */
export class PairingChannel {
  readonly #socket: TLSSocket;
  readonly #callOff: () => void;
  #bytes: Buffer = Buffer.alloc(0);
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(socket: TLSSocket, scheduler: Scheduler) {
    this.#socket = socket;
    this.#callOff = scheduler.after(lanLimits.handshakeMsMax, () => this.#fail("took too long"));
    socket.on("data", (chunk: Buffer) => this.#received(chunk));
    socket.on("error", (error) => this.#fail("was lost", error));
    socket.on("close", () => this.#fail("hung up"));
  }

  /** 32 bytes that both ends of this connection know and nobody else. */
  secretFor(label: string): Buffer {
    return this.#socket.exportKeyingMaterial(32, `EXPORTER-heddle-${label}`, Buffer.alloc(0));
  }

  write(text: string): void {
    const body = Buffer.from(text);
    this.#socket.write(Buffer.concat([Uint8Array.of(body.length >> 8, body.length & 0xff), body]));
  }

  /** @throws HeddleError `HEDDLE_PAIRING_FAILED`. */
  async read(): Promise<string> {
    while (!this.#isWhole) {
      if (this.#failure) throw this.#failure;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    const end = 2 + this.#bytes.readUInt16BE();
    const text = this.#bytes.subarray(2, end).toString();
    this.#bytes = this.#bytes.subarray(end);
    return text;
  }

  /** What was written is sent first; whoever does not hang up then is hung up on at the deadline. */
  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#callOff();
    this.#socket.destroy();
  }

  get #isWhole(): boolean {
    return this.#bytes.length >= 2 && this.#bytes.length >= 2 + this.#bytes.readUInt16BE();
  }

  #received(chunk: Buffer): void {
    if (this.#bytes.length + chunk.length > 2 * lanLimits.pairingMessageBytesMax) {
      return this.#fail("says too much");
    }
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    this.#wake?.();
  }

  #fail(how: string, cause?: unknown): void {
    this.#failure ??= pairingFailed(`the other device ${how}: begin with a new link`, cause);
    this.#callOff();
    this.#socket.destroy();
    this.#wake?.();
  }
}
