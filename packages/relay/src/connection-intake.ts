import type { Duplex } from "node:stream";

import type { Environment } from "@heddle/core";
import type { WebSocket } from "ws";

import type { ReceiveMeter } from "./receive-meter.ts";
import { countLimit, type RelayCounters } from "./relay-counters.ts";
import type { RelayLimit, RelayLimits } from "./relay-limits.ts";

/** Why a connection is not read from. It is read again when no reason is left. */
export type PauseReason = "loading" | "unsaved" | "rate" | "judging" | "draining" | "refused";

export interface ConnectionIntakeOptions {
  readonly webSocket: WebSocket;
  readonly socket: Duplex;
  readonly meter: ReceiveMeter;
  readonly environment: Environment;
  readonly counters: RelayCounters;
  readonly limits: RelayLimits;
  /** A whole message, after it was counted. */
  readonly onMessage: (data: Buffer, isBinary: boolean) => void;
  /** The sender went so far over a limit that slowing it down does not help. */
  readonly onBreach: (limit: RelayLimit) => void;
}

/** Shorter debts are not worth a timer. */
const debtMsMin = 20;

/** The reading side of one connection: how fast it is read, and when it was last heard. */
export class ConnectionIntake {
  readonly #options: ConnectionIntakeOptions;
  readonly #reasons = new Set<PauseReason>();
  #heardMs: number;
  #isEnding = false;

  constructor(options: ConnectionIntakeOptions) {
    this.#options = options;
    this.#heardMs = this.#nowMs;
    const { webSocket, socket, meter, onMessage } = options;
    const count = (data: { readonly length: number }): void => {
      meter.onMessage(data.length, this.#nowMs);
    };
    webSocket.on("message", (data, isBinary) => {
      count(data as Buffer);
      onMessage(data as Buffer, isBinary);
    });
    webSocket.on("ping", count);
    webSocket.on("pong", count);
    // ws listens too, and was first: when this runs, the messages in the chunk have been told of.
    socket.on("data", (chunk: Buffer) => this.#onChunk(chunk));
    socket.once("close", () => meter.end());
  }

  get heardMs(): number {
    return this.#heardMs;
  }

  get isPaused(): boolean {
    return this.#reasons.size > 0;
  }

  isPausedFor(reason: PauseReason): boolean {
    return this.#reasons.has(reason);
  }

  /** What still arrives is not listened to: its sender keeps it, and sends it again. */
  get isDeaf(): boolean {
    if (this.#reasons.size === 0) return false;
    return this.#reasons.has("draining") || this.#reasons.has("refused");
  }

  pause(reason: PauseReason): void {
    if (this.#reasons.size === 0) this.#options.webSocket.pause();
    this.#reasons.add(reason);
  }

  resume(reason: PauseReason): void {
    if (this.#reasons.size === 0 || !this.#reasons.delete(reason)) return;
    if (this.#reasons.size > 0) return;
    this.#options.meter.excuse(this.#nowMs);
    this.#options.webSocket.resume();
  }

  /** Reads again, whatever the reasons: a paused socket would never see the other side's goodbye. */
  end(): void {
    this.#isEnding = true;
    this.#options.webSocket.resume();
  }

  /** Looks for a message that does not get on. */
  pulse(): void {
    const { meter, onBreach } = this.#options;
    if (this.isPaused) meter.excuse(this.#nowMs);
    else if (meter.isStalled(this.#nowMs)) onBreach("bytesPerSecondMin");
  }

  #onChunk(chunk: Buffer): void {
    const { socket, meter, limits, onBreach } = this.#options;
    const nowMs = this.#nowMs;
    this.#heardMs = nowMs;
    // After a bad frame ws lets the rest flow into nothing; it can as well stay with its sender.
    if (this.#reasons.size > 0 && this.#reasons.has("refused") && !this.#isEnding) {
      socket.pause();
      return;
    }
    const overdrawn = meter.onChunk(chunk.length, nowMs);
    const debt = meter.debt(nowMs);
    const broken = overdrawn ?? (debt.ms > limits.rateDebtMsMax ? "rateDebtMsMax" : undefined);
    if (broken && this.#isEnding) socket.destroy();
    else if (broken) {
      if (broken === "rateDebtMsMax") countLimit(this.#options.counters, debt.limit);
      onBreach(broken);
    } else if (debt.ms > debtMsMin && !this.#isEnding) this.#slowDown(debt.ms, debt.limit);
  }

  #slowDown(debtMs: number, limit: RelayLimit): void {
    const { environment, counters } = this.#options;
    if (this.#reasons.has("rate")) return;
    counters.readsPaused++;
    countLimit(counters, limit);
    this.pause("rate");
    environment.scheduler.after(debtMs, () => this.resume("rate"));
  }

  get #nowMs(): number {
    return this.#options.environment.clock.monotonicMs();
  }
}
