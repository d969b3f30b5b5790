import { join, resolve } from "node:path";

import type { Environment } from "@heddle/core";

import type { LevelLogStore } from "./level-log-store.ts";
import { runVerification } from "./run-verification.ts";
import { ScrubSchedule, type ScrubCounts } from "./scrub-schedule.ts";
import { scrubFolderName } from "./store-layout.ts";

export interface StoreScrubOptions {
  readonly store: LevelLogStore;
  /** Data folder of the store. */
  readonly folder: string;
  readonly environment: Environment;
  readonly intervalMs: number;
  readonly firstMs?: number;
  readonly bytesPerSecond: number;
}

export interface ScrubStatus extends Readonly<ScrubCounts> {
  /** What the last scrub found damaged. */
  readonly damages: number;
}

/**
 * Reads and proves all of an open store, now and then and slowly: on a snapshot of links, in a process
 * of its own. What it finds becomes a repair request and an entry in the journal, once; what it no
 * longer finds is taken back.
 */
export class StoreScrub {
  readonly #options: StoreScrubOptions;
  readonly #schedule: ScrubSchedule;
  #damages = 0;

  constructor(options: StoreScrubOptions) {
    this.#options = options;
    const { environment, intervalMs, firstMs = intervalMs / 24 } = options;
    const scrub = (signal: AbortSignal): Promise<void> => this.#scrub(signal);
    this.#schedule = new ScrubSchedule({ environment, intervalMs, firstMs, scrub });
  }

  get status(): ScrubStatus {
    return { ...this.#schedule.counts, damages: this.#damages };
  }

  start(): void {
    this.#schedule.start();
  }

  /** Scrubs now: somebody met a damage. */
  soon(): void {
    this.#schedule.soon();
  }

  close(): Promise<void> {
    return this.#schedule.close();
  }

  async #scrub(signal: AbortSignal): Promise<void> {
    const { store, bytesPerSecond, environment } = this.#options;
    if (store.state.name !== "open") throw new Error(`the store is ${store.state.name}`);
    // LevelDB may rewrite tables of the snapshot while it is read, and takes room for it.
    if (store.state.readOnly) throw new Error("the disk is nearly full");
    const folder = resolve(this.#options.folder);
    const snapshotFolder = join(folder, scrubFolderName);
    const { logger, clock } = environment;
    const startedMs = clock.monotonicMs();
    const { findings, totals } = await runVerification({
      folder,
      way: "link",
      snapshotFolder,
      bytesPerSecond,
      signal,
    });
    const damages = findings.filter(({ severity }) => severity === "damage");
    this.#damages = damages.length;
    const { found, gone } = await store.noteDamages(damages);
    for (const { part, what, document } of found) {
      logger.error("store.damage_found", { part, error: what, document });
    }
    const tookMs = Math.round(clock.monotonicMs() - startedMs);
    const counts = { damages: damages.length, gone, records: totals.records, tookMs };
    logger.info("store.scrubbed", counts);
  }
}
