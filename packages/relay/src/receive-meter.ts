import { TokenBucket } from "@heddle/replica";

import type { RelayLimit, RelayLimits } from "./relay-limits.ts";

/** Bytes of messages that are not complete yet, of all connections of the process. */
export class ReceiveBudget {
  #used = 0;
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  get used(): number {
    return this.#used;
  }

  get isExceeded(): boolean {
    return this.#used > this.#max;
  }

  change(by: number): void {
    this.#used += by;
  }
}

/** A kept chunk costs its object besides its bytes: a byte at a time would otherwise be nearly free. */
const chunkOverheadBytes = 256;

/**
 * What one connection has sent of a message that is not complete, and how fast it sends. Told of every
 * chunk that leaves the socket and every message that was made of them, in this order: the messages a
 * chunk completes, then the chunk.
 */
export class ReceiveMeter {
  readonly #limits: RelayLimits;
  readonly #budget: ReceiveBudget;
  readonly #bytes: TokenBucket | undefined;
  readonly #messages: TokenBucket | undefined;
  /** Bytes of an incomplete message, exact for unfragmented ones; else at most a chunk too many. */
  #pendingBytes = 0;
  #chargedBytes = 0;
  #completedBytes = 0;
  #hasCompleted = false;
  #startedMs = 0;

  constructor(
    limits: RelayLimits,
    budget: ReceiveBudget,
    rates: "limited" | "free",
    nowMs: number,
  ) {
    this.#limits = limits;
    this.#budget = budget;
    if (rates === "free") return;
    const { bytesPerSecond, bytesBurst, messagesPerSecond, messagesBurst } = limits;
    this.#bytes = new TokenBucket({ perSecond: bytesPerSecond, burst: bytesBurst }, nowMs);
    this.#messages = new TokenBucket({ perSecond: messagesPerSecond, burst: messagesBurst }, nowMs);
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** A whole message, ping or pong of `length` bytes was read. */
  onMessage(length: number, nowMs: number): void {
    this.#messages?.take(1, nowMs);
    this.#hasCompleted = true;
    this.#completedBytes += length + headerBytes(length);
  }

  /** Returns the limit that this chunk breaks. */
  onChunk(length: number, nowMs: number): RelayLimit | undefined {
    this.#bytes?.take(length, nowMs);
    const left = Math.max(0, this.#pendingBytes + length - this.#completedBytes);
    if (this.#hasCompleted) {
      this.#charge(-this.#chargedBytes);
      this.#pendingBytes = Math.min(left, length);
    } else {
      this.#pendingBytes = left;
    }
    if (this.#hasCompleted || this.#chargedBytes === 0) this.#startedMs = nowMs;
    this.#completedBytes = 0;
    if (this.#pendingBytes === 0) {
      this.#hasCompleted = false;
      return undefined;
    }
    this.#charge((this.#hasCompleted ? this.#pendingBytes : length) + chunkOverheadBytes);
    this.#hasCompleted = false;
    if (this.#chargedBytes > this.#limits.receiveBytesPerConnectionMax) {
      return "receiveBytesPerConnectionMax";
    }
    return this.#budget.isExceeded ? "receiveBytesMax" : undefined;
  }

  /** For how long reading should pause, so that the sender keeps to its rates. */
  debtMs(nowMs: number): number {
    return this.debt(nowMs).ms;
  }

  /** The same, with the rate that asks for it. */
  debt(nowMs: number): { readonly ms: number; readonly limit: RelayLimit } {
    const bytesMs = this.#bytes?.debtMs(nowMs) ?? 0;
    const messagesMs = this.#messages?.debtMs(nowMs) ?? 0;
    return messagesMs > bytesMs
      ? { ms: messagesMs, limit: "messagesPerSecond" }
      : { ms: bytesMs, limit: "bytesPerSecond" };
  }

  /** A message has been on its way for longer than an honest slow link needs. */
  isStalled(nowMs: number): boolean {
    if (this.#chargedBytes === 0) return false;
    const { stallMsMax, bytesPerSecondMin } = this.#limits;
    return nowMs - this.#startedMs > stallMsMax + (this.#pendingBytes / bytesPerSecondMin) * 1_000;
  }

  /** Reading was paused by this side: the time does not count against the sender. */
  excuse(nowMs: number): void {
    this.#startedMs = nowMs;
  }

  /** The connection is gone, and its buffers with it. */
  end(): void {
    this.#charge(-this.#chargedBytes);
    this.#pendingBytes = 0;
  }

  #charge(by: number): void {
    this.#chargedBytes += by;
    this.#budget.change(by);
  }
}

/** A frame of a client: two bytes, the mask, and the length where two bytes do not hold it. */
function headerBytes(length: number): number {
  return length < 126 ? 6 : length < 65_536 ? 8 : 14;
}
