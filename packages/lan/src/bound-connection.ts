import { equalBytes, HeddleErrorCode, isHeddleError, type StoreId } from "@heddle/core";
import { decodeFrame, type Connection, type ConnectionHandlers, type FrameOf } from "@heddle/sync";

import type { Fingerprint } from "./device-identity.ts";
import type { ShownDevice } from "./peer-certificate.ts";

/** Whether a device may speak for a store. */
export type AdmitStore = (device: Fingerprint, store: StoreId) => boolean;

/**
 * A connection whose greeting has to come from the device at the other end of the TLS connection. A
 * paired device could pass the greeting of another one on, signature and all, and then speak in its name:
 * what follows a greeting is not signed frame by frame. And it could name the store of another one, by whose
 * id everything is kept that a peer says.
 */
export class BoundConnection implements Connection {
  readonly #connection: Connection;
  readonly #shown: ShownDevice;
  readonly #admitStore: AdmitStore;
  #isGreeted = false;
  #isRefused = false;

  /** Of this machine and of the other one, as the connection was made. */
  readonly localAddress: string | undefined;
  readonly remoteAddress: string | undefined;

  /**
   * @param shown the device that was authenticated below, and over which address.
   * @param admitStore asked once, for the store that its greeting names.
   */
  constructor(connection: Connection, shown: ShownDevice, admitStore: AdmitStore) {
    this.#connection = connection;
    this.#shown = shown;
    this.#admitStore = admitStore;
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
    const greeting = greetingIn(bytes);
    // What is no greeting is judged by who expects one; the greeting may still come.
    if (greeting === undefined) return true;
    this.#isGreeted = true;
    const refusal = this.#refusalOf(greeting);
    if (refusal === undefined) return true;
    this.#isRefused = true;
    this.#connection.close(HeddleErrorCode.sessionRefused, refusal);
    return false;
  }

  #refusalOf({ devicePublicKey, store }: FrameOf<"hello">): string | undefined {
    const { publicKey, fingerprint } = this.#shown;
    if (!equalBytes(devicePublicKey, publicKey)) return "the greeting is of another device";
    return this.#admitStore(fingerprint, store) ? undefined : "the store is of another device";
  }
}

function greetingIn(bytes: Uint8Array): FrameOf<"hello"> | undefined {
  try {
    const frame = decodeFrame(bytes);
    return frame?.name === "hello" ? frame : undefined;
  } catch (error) {
    if (isHeddleError(error)) return undefined;
    throw error;
  }
}
