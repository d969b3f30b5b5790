import type { Clock, Logger, Scheduler } from "@heddle/core";

/** What a process holds and does; read every few seconds. */
export interface ProcessReading {
  /** Bytes that the heap has taken from the system, and those outside it that it keeps alive. */
  readonly heldBytes: number;
  /** Share of the time since the last reading in which the event loop had work, 0 to 1. */
  readonly busy: number;
  /** Documents in memory: the heap does not say how much of it nobody needs any more. */
  readonly documents: number;
}

export interface CalmCollectorOptions {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly logger: Logger;
  readonly read: () => ProcessReading;
  /** Runs the collector while everybody waits. */
  readonly collect: () => void;
}

/** Between two looks, and between two collections: what the first one freed is swept meanwhile. */
export const lookMs = 2_000;
/** More work than this is somebody's, and is not interrupted. */
export const busyMax = 0.1;
/** A collection that took long is not repeated for this many times as long. */
export const restFactor = 600;
/** V8 only makes its new space smaller when little was allocated for 5 s. */
const calmLooksMin = 4;
const growthBytesMin = 8 * 1024 * 1024;
const growthShare = 0.25;
const leftMin = 32;
const leftShare = 0.25;

/**
 * Gives memory back when a busy time is over. V8 collects when something is allocated: a process that
 * everybody has left holds what it held at its busiest, for hours.
 *
 *   grown, or documents left, and calm for four looks ──► collect ──still calm──► collect once more
 *
 * Twice, because the first one makes pages empty and the second one finds them so.
 */
export class CalmCollector {
  readonly #options: CalmCollectorOptions;
  #cancel: () => void;
  #calmLooks = 0;
  /** What was held when there was nothing to give back. */
  #floorBytes: number;
  /** As many documents were in memory since the last collection. */
  #documentsMax = 0;
  #documents = 0;
  #isSecondDue = false;
  #restsUntilMs = -Infinity;

  constructor(options: CalmCollectorOptions) {
    this.#options = options;
    this.#floorBytes = options.read().heldBytes;
    this.#cancel = this.#lookLater();
  }

  stop(): void {
    this.#cancel();
  }

  #lookLater(): () => void {
    return this.#options.scheduler.after(lookMs, () => {
      this.#cancel = this.#lookLater();
      this.#look(this.#options.read());
    });
  }

  #look({ heldBytes, busy, documents }: ProcessReading): void {
    const isCalm = busy <= busyMax && documents >= this.#documents;
    this.#calmLooks = isCalm ? this.#calmLooks + 1 : 0;
    this.#documents = documents;
    this.#documentsMax = Math.max(this.#documentsMax, documents);
    this.#floorBytes = Math.min(this.#floorBytes, heldBytes);
    if (this.#isSecondDue) this.#collectAgain();
    else if (this.#calmLooks >= calmLooksMin && this.#isWorthIt(heldBytes)) this.#collect();
  }

  #isWorthIt(heldBytes: number): boolean {
    if (this.#options.clock.monotonicMs() < this.#restsUntilMs) return false;
    const growthBytes = heldBytes - this.#floorBytes;
    const left = this.#documentsMax - this.#documents;
    return (
      growthBytes > Math.max(growthBytesMin, this.#floorBytes * growthShare) ||
      left >= Math.max(leftMin, this.#documentsMax * leftShare)
    );
  }

  #collectAgain(): void {
    if (this.#calmLooks > 0) this.#collect();
    this.#isSecondDue = false;
    this.#calmLooks = 0;
    this.#floorBytes = this.#options.read().heldBytes;
    this.#documentsMax = this.#documents;
  }

  #collect(): void {
    const { clock, collect, logger, read } = this.#options;
    const startedMs = clock.monotonicMs();
    collect();
    this.#isSecondDue = true;
    const endedMs = clock.monotonicMs();
    const tookMs = endedMs - startedMs;
    this.#restsUntilMs = endedMs + tookMs * restFactor;
    logger.debug("memory.collected", { tookMs: Math.round(tookMs), heldBytes: read().heldBytes });
  }
}
