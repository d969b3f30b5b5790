import type { Duplex } from "node:stream";

import { HeddleError, HeddleErrorCode, isHeddleError, type Environment } from "@heddle/core";
import type { UpdateSource } from "@heddle/replica";
import type { WebSocket } from "ws";

import { CloseCode, closeCodeOf } from "./close-code.ts";
import { prepareFrame, type CorkedSockets } from "./prepared-frame.ts";
import type { RelayCounters } from "./relay-counters.ts";
import type { RelayLimits } from "./relay-options.ts";

export interface GatewayConnectionOptions {
  readonly webSocket: WebSocket;
  /** The socket under it, to which prepared frames go. */
  readonly socket: Duplex;
  readonly corked: CorkedSockets;
  readonly environment: Environment;
  readonly counters: RelayCounters;
  readonly limits: RelayLimits;
  readonly id: number;
}

/**
 * One stock client on one document. Knows how to send, to slow down a fast writer, and to say no;
 * what the messages mean is the room's business.
 *
 *   paused ──listen──► open ──refuse──► refused ──after a delay──► closed
 */
export class GatewayConnection implements UpdateSource {
  readonly principal: Uint8Array | undefined;
  readonly id: number;
  readonly #options: GatewayConnectionOptions;
  #unsavedBytes = 0;
  #isReadPaused = true;
  #isRefused = false;
  #isDeaf = false;
  #isAlive = true;

  constructor(options: GatewayConnectionOptions) {
    this.id = options.id;
    this.#options = options;
    const { webSocket, environment } = options;
    // Nothing is read until the document is there; the client's messages wait in its socket.
    webSocket.pause();
    webSocket.on("pong", () => {
      this.#isAlive = true;
    });
    // Without a listener a single bad frame of a stranger would end the process.
    webSocket.on("error", (error) => {
      options.counters.socketErrors++;
      environment.logger.debug("connection.error", { connection: this.id, error: String(error) });
    });
  }

  get isOpen(): boolean {
    return this.#options.webSocket.readyState === 1 && !this.#isRefused;
  }

  /** Starts reading. What `onMessage` throws with a code is what the client is refused with. */
  listen(onMessage: (bytes: Uint8Array) => void, onClose: () => void): void {
    const { webSocket } = this.#options;
    webSocket.on("message", (data, isBinary) => {
      this.#isAlive = true;
      if (this.#isRefused || this.#isDeaf) return;
      try {
        if (!isBinary || !(data instanceof Uint8Array)) throw notBinary();
        onMessage(data);
      } catch (error) {
        if (!isHeddleError(error)) throw error;
        this.refuse(error);
      }
    });
    webSocket.once("close", onClose);
    this.#setReadPaused(false);
  }

  send(message: Uint8Array): void {
    this.sendFrame(prepareFrame(message));
  }

  /** Writes a frame made by {@link prepareFrame}, which may be shared with other connections. */
  sendFrame(frame: Uint8Array): void {
    if (!this.isOpen) return;
    const { webSocket, socket, corked, limits, counters } = this.#options;
    if (socket.writableLength + frame.length > limits.sendBufferBytesMax) {
      counters.slowConsumersClosed++;
      const message = "the client reads too slowly; it catches up when it comes back";
      this.refuse(new HeddleError(HeddleErrorCode.relayOverloaded, message), 0);
      webSocket.terminate();
      return;
    }
    corked.write(socket, frame);
  }

  /** Reads nothing more, but still sends. What it has not read, the client sends again later. */
  stopReading(): void {
    this.#setReadPaused(true);
    this.#isDeaf = true;
  }

  /** Counts bytes on their way to disk, and stops reading from a writer who is too far ahead. */
  addUnsaved(bytes: number): void {
    this.#unsavedBytes += bytes;
    const { unsavedBytesMax } = this.#options.limits;
    if (this.#unsavedBytes > unsavedBytesMax) this.#setReadPaused(true);
    else if (this.#unsavedBytes < unsavedBytesMax / 2) this.#setReadPaused(false);
  }

  /** Hears nothing more and closes after a while, so that clients without back-off do not storm. */
  refuse(error: HeddleError, delayMs = this.#options.limits.refusalDelayMs): void {
    if (this.#isRefused) return;
    this.#isRefused = true;
    const { environment, counters } = this.#options;
    counters.refused.set(error.code, (counters.refused.get(error.code) ?? 0) + 1);
    const fields = { connection: this.id, code: error.code, message: error.message };
    environment.logger.info("connection.refused", fields);
    const close = (): void => this.close(closeCodeOf(error.code), error.code);
    if (delayMs > 0) environment.scheduler.after(delayMs, close);
    else close();
  }

  close(code: CloseCode, reason: string): void {
    const { webSocket } = this.#options;
    webSocket.resume(); // A paused socket would never see the other side's goodbye.
    webSocket.close(code, reason);
  }

  terminate(): void {
    this.#options.webSocket.terminate();
  }

  /** Pings; ends a connection whose last ping was never answered. */
  checkAlive(): void {
    if (!this.#isAlive) {
      this.terminate();
      return;
    }
    this.#isAlive = false;
    if (this.isOpen) this.#options.webSocket.ping();
  }

  #setReadPaused(isPaused: boolean): void {
    if (isPaused === this.#isReadPaused || this.#isRefused || this.#isDeaf) return;
    this.#isReadPaused = isPaused;
    if (isPaused) this.#options.webSocket.pause();
    else this.#options.webSocket.resume();
  }
}

function notBinary(): HeddleError {
  return new HeddleError(HeddleErrorCode.frameMalformed, "a text message is not of this protocol");
}
