import type { Environment } from "@heddle/core";
import { HeddleErrorCode } from "@heddle/core";
import { FrameType, type Connection, type ConnectionHandlers } from "@heddle/sync";

import type { AddressBook } from "./address-book.ts";
import { countLimit, type RelayCounters } from "./relay-counters.ts";
import type { RelayLimit, RelayLimits } from "./relay-limits.ts";
import { TokenBucket } from "./token-bucket.ts";

export interface PeerMeterOptions {
  readonly environment: Pick<Environment, "clock" | "scheduler">;
  readonly limits: RelayLimits;
  readonly counters: RelayCounters;
  readonly addresses: AddressBook;
  readonly address: string;
}

/** What frames cost that make the relay read its disk or answer at length; all others cost nothing more. */
const asks: ReadonlyMap<number, number> = new Map([
  [FrameType.open, 1],
  [FrameType.have, 1],
  [FrameType.pull, 1],
  [FrameType.digest, 1],
  [FrameType.checkpointGet, 1],
  // Lists every document that has changed, which may be all of them.
  [FrameType.cursor, 1_000],
]);

/** Less is not worth a timer. */
const debtMsMin = 5;

interface Debt {
  readonly ms: number;
  readonly limit: RelayLimit;
}

/**
 * A connection whose peer is held to its rates: bytes and frames of this connection, asks of its address.
 * Over a rate it is not read from until the rate has caught up, so the sender is slowed down and loses
 * nothing; who owes more than `rateDebtMsMax` is told to come back later.
 */
export class PeerMeter implements Connection {
  readonly #connection: Connection;
  readonly #options: PeerMeterOptions;
  readonly #bytes: TokenBucket;
  readonly #frames: TokenBucket;
  #isPausedByHost = false;
  #cancelDebt: (() => void) | undefined;

  constructor(connection: Connection, options: PeerMeterOptions) {
    this.#connection = connection;
    this.#options = options;
    const { peerBytesPerSecond, peerBytesBurst } = options.limits;
    const { peerFramesPerSecond, peerFramesBurst } = options.limits;
    const bytes = { perSecond: peerBytesPerSecond, burst: peerBytesBurst };
    const frames = { perSecond: peerFramesPerSecond, burst: peerFramesBurst };
    this.#bytes = new TokenBucket(bytes, this.#nowMs);
    this.#frames = new TokenBucket(frames, this.#nowMs);
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
    const { addresses, address } = this.#options;
    const nowMs = this.#nowMs;
    this.#bytes.take(bytes.length, nowMs);
    this.#frames.take(1, nowMs);
    const cost = asks.get(bytes[0]!) ?? 0;
    if (cost > 0) addresses.chargeAsks(address, cost, nowMs);
    this.#settle(this.#debt(nowMs));
  }

  #settle({ ms, limit }: Debt): void {
    const { limits, counters, environment } = this.#options;
    if (ms <= debtMsMin || this.#cancelDebt) return;
    countLimit(counters, limit);
    if (ms > limits.rateDebtMsMax) {
      countLimit(counters, "rateDebtMsMax");
      return this.close(HeddleErrorCode.relayQuota, `over ${limit} for too long`);
    }
    counters.readsPaused++;
    this.#connection.pause();
    this.#cancelDebt = environment.scheduler.after(ms, () => {
      this.#cancelDebt = undefined;
      if (!this.#isPausedByHost) this.#connection.resume();
    });
  }

  #debt(nowMs: number): Debt {
    const { addresses, address } = this.#options;
    const debts: readonly Debt[] = [
      { ms: this.#bytes.debtMs(nowMs), limit: "peerBytesPerSecond" },
      { ms: this.#frames.debtMs(nowMs), limit: "peerFramesPerSecond" },
      { ms: addresses.asksDebtMs(address, nowMs), limit: "peerAsksPerAddressPerSecond" },
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
