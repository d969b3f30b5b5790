import { isHeddleError } from "@heddle/core";

import type { GatewayConnection } from "./gateway-connection.ts";

/**
 * Keeps the order of a connection whose last update is being tried: it is not read meanwhile, and the
 * messages that had been read already wait here.
 */
export class HeldMessages {
  readonly #waiting = new Map<GatewayConnection, Uint8Array[]>();

  /** True when the message was kept for later. */
  keep(connection: GatewayConnection, message: Uint8Array): boolean {
    const waiting = this.#waiting.get(connection);
    waiting?.push(message);
    return waiting !== undefined;
  }

  hold(connection: GatewayConnection): void {
    this.#waiting.set(connection, []);
    connection.pauseReading("judging");
  }

  /** Hands on what waited, up to where one of the messages has to be tried itself. */
  release(connection: GatewayConnection, receive: (message: Uint8Array) => void): void {
    const waiting = this.#waiting.get(connection);
    if (waiting === undefined) return;
    this.#waiting.delete(connection);
    connection.resumeReading("judging");
    try {
      for (const message of waiting) {
        if (!connection.isOpen) return;
        if (!this.keep(connection, message)) receive(message);
      }
    } catch (error) {
      if (!isHeddleError(error)) throw error;
      connection.refuse(error);
    }
  }

  forget(connection: GatewayConnection): void {
    this.#waiting.delete(connection);
  }
}
