import { equalBytes, HeddleErrorCode, isHeddleError } from "@heddle/core";
import { decodeFrame, type Connection, type ConnectionHandlers } from "@heddle/sync";

import type { ShownDevice } from "./peer-certificate.ts";

/**
 * A connection whose greeting has to come from the device at the other end of the TLS connection. A
 * paired device could pass the greeting of another one on, signature and all, and then speak in its name:
 * what follows a greeting is not signed frame by frame.
 */
export class BoundConnection implements Connection {
  readonly #connection: Connection;
  readonly #publicKey: Uint8Array;
  #isGreeted = false;
  #isRefused = false;

  /** Of this machine and of the other one, as the connection was made. */
  readonly localAddress: string | undefined;
  readonly remoteAddress: string | undefined;

  /** @param shown the device that was authenticated below, and over which address. */
  constructor(connection: Connection, shown: ShownDevice) {
    this.#connection = connection;
    this.#publicKey = shown.publicKey;
    this.localAddress = shown.localAddress;
    this.remoteAddress = shown.remoteAddress;
  }

  get bufferedBytes(): number {
    return this.#connection.bufferedBytes;
  }

  get isCongested(): boolean {
    return this.#connection.isCongested;
  }

  get counters(): Connection["counters"] {
    return this.#connection.counters;
  }

  listen(handlers: ConnectionHandlers): void {
    this.#connection.listen({
      onMessage: (bytes) => {
        if (this.#isRefused || !this.#admit(bytes)) return;
        handlers.onMessage(bytes);
      },
      onDrain: () => handlers.onDrain(),
      onClosed: (end) => handlers.onClosed(end),
    });
  }

  send(bytes: Uint8Array): void {
    this.#connection.send(bytes);
  }

  pause(): void {
    this.#connection.pause();
  }

  resume(): void {
    this.#connection.resume();
  }

  close(code: HeddleErrorCode, reason?: string): void {
    this.#connection.close(code, reason);
  }

  #admit(bytes: Uint8Array): boolean {
    if (this.#isGreeted) return true;
    const key = greetingKeyOf(bytes);
    // What is no greeting is judged by who expects one; the greeting may still come.
    if (key === undefined) return true;
    this.#isGreeted = true;
    if (equalBytes(key, this.#publicKey)) return true;
    this.#isRefused = true;
    this.#connection.close(HeddleErrorCode.sessionRefused, "the greeting is of another device");
    return false;
  }
}

function greetingKeyOf(bytes: Uint8Array): Uint8Array | undefined {
  try {
    const frame = decodeFrame(bytes);
    return frame?.name === "hello" ? frame.devicePublicKey : undefined;
  } catch (error) {
    if (isHeddleError(error)) return undefined;
    throw error;
  }
}
