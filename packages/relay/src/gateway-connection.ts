import type { Duplex } from "node:stream";

import {
  HeddleError,
  HeddleErrorCode,
  isHeddleError,
  toHex,
  type DocumentId,
  type Environment,
  type LogFields,
} from "@heddle/core";
import type {
  CreationStage,
  UpdateClaim,
  UpdateFacts,
  SourceQuota,
  UpdateSource,
} from "@heddle/replica";

import { closeCodeOf, type CloseCode } from "./close-code.ts";
import { ConnectionIntake, type PauseReason } from "./connection-intake.ts";
import { limitBrokenBy, type GatewayWebSocket } from "./gateway-web-socket.ts";
import { prepareFrame, type CorkedSockets } from "./prepared-frame.ts";
import type { PresenceOwner } from "./presence.ts";
import type { ReceiveMeter } from "./receive-meter.ts";
import { countLimit, type RelayCounters } from "./relay-counters.ts";
import type { RelayLimit, RelayLimits } from "./relay-limits.ts";
import { SendProgress } from "./send-progress.ts";

export interface GatewayConnectionOptions {
  readonly webSocket: GatewayWebSocket;
  /** The socket under it, to which prepared frames go. */
  readonly socket: Duplex;
  readonly corked: CorkedSockets;
  readonly meter: ReceiveMeter;
  readonly environment: Environment;
  readonly counters: RelayCounters;
  readonly limits: RelayLimits;
  readonly id: number;
  /** What it is called in the log. */
  readonly tag: Uint8Array;
  /** What limits are counted by; `undefined` for clients to whom those do not apply. */
  readonly address: string | undefined;
}

/** What one connection is for: the room that it is in. */
export interface ConnectionListener {
  /** What it throws with a code is what the client is refused with. */
  onMessage(bytes: Uint8Array): void;
  /** Everything written so far has left. */
  onDrain(): void;
  onClose(): void;
  /** What is asked, and told, about the updates of this connection. */
  readonly quota: SourceQuota;
}

/**
 * One stock client on one document. Knows how to send, to slow down a fast writer, and to say no;
 * what the messages mean is the room's business.
 *
 *   paused ──listen──► open ──refuse──► refused ──after a delay──► closed
 */
export class GatewayConnection implements UpdateSource, PresenceOwner {
  readonly principal: Uint8Array | undefined;
  readonly tag: Uint8Array;
  readonly id: number;
  readonly address: string | undefined;
  // Fields, not the options: an object made for each connection is slow to read from.
  readonly #webSocket: GatewayWebSocket;
  readonly #socket: Duplex;
  readonly #corked: CorkedSockets;
  readonly #environment: Environment;
  readonly #counters: RelayCounters;
  readonly #limits: RelayLimits;
  readonly #intake: ConnectionIntake;
  readonly #progress: SendProgress;
  #listener: ConnectionListener | undefined;
  #document: DocumentId | undefined;
  #bytesReceived = 0;
  #bytesSent = 0;
  #unsavedBytes = 0;
  #isRefused = false;
  #pingedMs = -1;

  constructor(options: GatewayConnectionOptions) {
    this.id = options.id;
    this.tag = options.tag;
    this.address = options.address;
    const { webSocket, socket, environment, counters, limits, meter } = options;
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.#corked = options.corked;
    this.#environment = environment;
    this.#counters = counters;
    this.#limits = limits;
    this.#intake = new ConnectionIntake({
      webSocket,
      socket,
      meter,
      environment,
      counters,
      limits,
      onMessage: (data, isBinary) => this.#receive(data, isBinary),
      onBreach: (limit) => this.#breach(limit),
    });
    this.#progress = new SendProgress(socket, this.#nowMs);
    // Nothing is read until the document is there; the client's messages wait in its socket.
    this.#intake.pause("loading");
    webSocket.onFrameRefused = (error) => this.refuse(error);
    // Without a listener a single bad frame of a stranger would end the process.
    webSocket.on("error", (error) => {
      counters.socketErrors++;
      const limit = limitBrokenBy(error);
      if (limit) countLimit(counters, limit);
      environment.logger.debug("connection.error", { ...this.logFields, error: String(error) });
    });
    this.#logLifetime();
  }

  get isOpen(): boolean {
    return this.#webSocket.readyState === 1 && !this.#isRefused;
  }

  /** When anything was last heard of the client. */
  get heardMs(): number {
    return this.#intake.heardMs;
  }

  /** What was written and has not left. */
  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  /** What ties together the events of one connection. */
  get logFields(): LogFields {
    return { connection: this.id, document: this.#document };
  }

  /** From here on its events say which document it is about. */
  enter(document: DocumentId): void {
    this.#document = document;
    const fields = { ...this.logFields, source: toHex(this.tag) };
    this.#environment.logger.info("connection.entered", fields);
  }

  /** Starts reading. */
  listen(listener: ConnectionListener): void {
    this.#listener = listener;
    this.#webSocket.once("close", () => listener.onClose());
    this.#socket.on("drain", () => listener.onDrain());
    this.#intake.resume("loading");
  }

  onEvicted(refusal: HeddleError): void {
    this.refuse(refusal);
  }

  assertAffordable(claim: UpdateClaim): void {
    this.#listener?.quota.assertAffordable(claim);
  }

  assertWelcome(facts: UpdateFacts): void {
    this.#listener?.quota.assertWelcome(facts);
  }

  onTaken(facts: UpdateFacts): void {
    this.#listener?.quota.onTaken(facts);
  }

  onCreation(stage: CreationStage): void {
    this.#listener?.quota.onCreation(stage);
  }

  send(message: Uint8Array): void {
    this.sendFrame(prepareFrame(message));
  }

  /**
   * Writes a frame made by {@link prepareFrame}, which may be shared with other connections. Whether
   * there is room for it is the caller's question.
   */
  sendFrame(frame: Uint8Array): void {
    if (!this.isOpen) return;
    this.#counters.bytesSent += frame.length;
    this.#bytesSent += frame.length;
    this.#corked.write(this.#socket, frame);
  }

  pauseReading(reason: PauseReason): void {
    this.#intake.pause(reason);
  }

  resumeReading(reason: PauseReason): void {
    this.#intake.resume(reason);
  }

  /** Counts bytes on their way to disk, and stops reading from a writer who is too far ahead. */
  addUnsaved(bytes: number): void {
    this.#unsavedBytes += bytes;
    const { unsavedBytesMax } = this.#limits;
    if (this.#unsavedBytes > unsavedBytesMax) {
      if (!this.#intake.isPausedFor("unsaved")) countLimit(this.#counters, "unsavedBytesMax");
      this.#intake.pause("unsaved");
    } else if (this.#unsavedBytes < unsavedBytesMax / 2) this.#intake.resume("unsaved");
  }

  /** Hears nothing more and closes after a while, so that clients without back-off do not storm. */
  refuse(error: HeddleError, delayMs = this.#limits.refusalDelayMs): void {
    if (this.#isRefused) return;
    this.#isRefused = true;
    this.#intake.pause("refused");
    const environment = this.#environment;
    const { refused } = this.#counters;
    refused.set(error.code, (refused.get(error.code) ?? 0) + 1);
    const fields = { ...this.logFields, code: error.code, message: error.message };
    environment.logger.info("connection.refused", fields);
    const close = (): void => this.close(closeCodeOf(error.code), error.code);
    if (delayMs > 0) environment.scheduler.after(delayMs, close);
    else close();
  }

  close(code: CloseCode, reason: string): void {
    this.#intake.end();
    this.#webSocket.close(code, reason);
  }

  terminate(): void {
    this.#webSocket.terminate();
  }

  /** The client does not read: it is told to come back, and what waits for it is let go. */
  giveUp(limit: RelayLimit): void {
    if (!this.isOpen) return;
    this.#counters.slowConsumersClosed++;
    this.#dismiss(limit, "the client reads too slowly; it catches up when it comes back");
  }

  /** Asks for a sign of life. */
  probe(): void {
    if (!this.isOpen) return;
    if (!this.#isPingUnanswered) this.#pingedMs = this.#nowMs;
    this.#webSocket.ping();
  }

  /** Pings; ends a connection whose last ping was never answered. */
  checkAlive(): void {
    // What waits to be sent, or to be read, is ahead of the answer.
    if (this.bufferedBytes > 0 || this.#intake.isPaused) return;
    if (!this.#isPingUnanswered) this.probe();
    // Somebody may have asked for a sign of life only just now.
    else if (this.#nowMs - this.#pingedMs > this.#limits.pingIntervalMs / 2) {
      countLimit(this.#counters, "pingIntervalMs");
      this.terminate();
    }
  }

  /** Looks for a client that neither sends nor reads what it began. */
  pulse(): void {
    if (!this.isOpen) return;
    this.#intake.pulse();
    // Who is not read from is not heard hanging up; but a write to who has hung up fails.
    if (this.#intake.isPaused) this.#webSocket.ping();
    const { stallMsMax } = this.#limits;
    if (this.#progress.stalledMs(this.#nowMs) > stallMsMax) this.giveUp("stallMsMax");
  }

  get #isPingUnanswered(): boolean {
    return this.#pingedMs >= this.heardMs;
  }

  #receive(data: unknown, isBinary: boolean): void {
    if (this.#isRefused || this.#intake.isDeaf) return;
    try {
      if (!isBinary || !(data instanceof Uint8Array)) throw notBinary();
      this.#counters.bytesReceived += data.length;
      this.#bytesReceived += data.length;
      this.#listener?.onMessage(data);
    } catch (error) {
      if (!isHeddleError(error)) throw error;
      this.refuse(error);
    }
  }

  #breach(limit: RelayLimit): void {
    this.#dismiss(limit, `the client sends more than ${limit} allows`);
  }

  #dismiss(limit: RelayLimit, message: string): void {
    if (!this.isOpen) return;
    countLimit(this.#counters, limit);
    this.refuse(new HeddleError(HeddleErrorCode.relayOverloaded, message), 0);
    this.#environment.scheduler.after(this.#limits.lastWordsMs, () => this.terminate());
  }

  #logLifetime(): void {
    const { logger } = this.#environment;
    const openedMs = this.#nowMs;
    this.#webSocket.once("close", (code) => {
      const durationMs = Math.round(this.#nowMs - openedMs);
      const bytes = { bytesReceived: this.#bytesReceived, bytesSent: this.#bytesSent };
      logger.info("connection.closed", { ...this.logFields, code, durationMs, ...bytes });
    });
  }

  get #nowMs(): number {
    return this.#environment.clock.monotonicMs();
  }
}

function notBinary(): HeddleError {
  return new HeddleError(HeddleErrorCode.frameMalformed, "a text message is not of this protocol");
}
