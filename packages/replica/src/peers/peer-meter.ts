import { HeddleErrorCode, type Environment } from "@heddle/core";
import { FrameType, type Connection, type ConnectionHandlers } from "@heddle/sync";

import type { TokenBucket } from "../token-bucket.ts";

/** What a metered connection was over; "debt" for one that was closed for it. */
export type PeerRateName = "bytes" | "frames" | "asks" | "debt";

/** What may be brought: by one connection, or by all that share the buckets. */
export interface PeerRates {
  readonly bytes: TokenBucket;
  readonly frames: TokenBucket;
  /** Whoever owes more time than this is told to come back later. */
  readonly debtMsMax: number;
}

/** What is asked for by all connections that count together: of one address, or of one device. */
export interface AskBudget {
  charge(count: number, nowMs: number): void;
  /** How long they should wait with the next one. */
  debtMs(nowMs: number): number;
}

/** What a peer is held to, and who is told when it is over. */
export interface PeerMeterOptions {
  readonly environment: Pick<Environment, "clock" | "scheduler">;
  readonly rates: PeerRates;
  readonly asks: AskBudget;
  /** Told each time that it is read more slowly, and when it is closed. */
  readonly onOver: (rate: PeerRateName) => void;
}

/** What frames cost that make the reader look at its disk or answer at length; all others cost nothing more. */
const asks: ReadonlyMap<number, number> = new Map([
  [FrameType.open, 1],
  [FrameType.have, 1],
  [FrameType.pull, 1],
  [FrameType.hold, 1],
  [FrameType.feed, 1],
  [FrameType.digest, 1],
  [FrameType.checkpointGet, 1],
  // Lists every document that has changed, which may be all of them.
  [FrameType.cursor, 1_000],
  // Answered with 128 KiB at most, once for each.
  [FrameType.library, 50],
]);

/** Less is not worth a timer. */
const debtMsMin = 5;

interface Debt {
  readonly ms: number;
  readonly rate: PeerRateName;
}

/**
 * A connection whose peer is held to its rates: bytes, frames and asks, of all connections that count with it.
 * Over a rate it is not read from until the rate has caught up, so the sender is slowed down and loses
 * nothing; who owes more than `debtMsMax` is told to come back later.
 */
export class PeerMeter implements Connection {
  readonly #connection: Connection;
  readonly #options: PeerMeterOptions;
  #isPausedByHost = false;
  #cancelDebt: (() => void) | undefined;

  constructor(connection: Connection, options: PeerMeterOptions) {
    this.#connection = connection;
    this.#options = options;
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
        this.#charge(bytes);
        handlers.onMessage(bytes);
      },
      onDrain: () => handlers.onDrain(),
      onClosed: (end) => {
        this.#forgive();
        handlers.onClosed(end);
      },
    });
  }

  send(bytes: Uint8Array): void {
    this.#connection.send(bytes);
  }

  pause(): void {
    this.#isPausedByHost = true;
    this.#connection.pause();
  }

  resume(): void {
    this.#isPausedByHost = false;
    if (this.#cancelDebt === undefined) this.#connection.resume();
  }

  close(code: HeddleErrorCode, reason?: string): void {
    this.#forgive();
    this.#connection.close(code, reason);
  }

  #charge(bytes: Uint8Array): void {
    const nowMs = this.#nowMs;
    const { rates, asks: budget } = this.#options;
    rates.bytes.take(bytes.length, nowMs);
    rates.frames.take(1, nowMs);
    const cost = asks.get(bytes[0]!) ?? 0;
    if (cost > 0) budget.charge(cost, nowMs);
    this.#settle(this.#debt(nowMs));
  }

  #settle({ ms, rate }: Debt): void {
    const { rates, onOver, environment } = this.#options;
    if (ms <= debtMsMin || this.#cancelDebt) return;
    onOver(rate);
    if (ms > rates.debtMsMax) {
      onOver("debt");
      return this.close(HeddleErrorCode.relayQuota, `over the rate of ${rate} for too long`);
    }
    this.#connection.pause();
    this.#cancelDebt = environment.scheduler.after(ms, () => {
      this.#cancelDebt = undefined;
      if (!this.#isPausedByHost) this.#connection.resume();
    });
  }

  #debt(nowMs: number): Debt {
    const { rates, asks: budget } = this.#options;
    const debts: readonly Debt[] = [
      { ms: rates.bytes.debtMs(nowMs), rate: "bytes" },
      { ms: rates.frames.debtMs(nowMs), rate: "frames" },
      { ms: budget.debtMs(nowMs), rate: "asks" },
    ];
    return debts.reduce((most, debt) => (debt.ms > most.ms ? debt : most));
  }

  #forgive(): void {
    this.#cancelDebt?.();
    this.#cancelDebt = undefined;
  }

  get #nowMs(): number {
    return this.#options.environment.clock.monotonicMs();
  }
}
