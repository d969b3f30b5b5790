import { join, resolve } from "node:path";

import type { Environment } from "@heddle/core";

import type { Finding } from "./finding.ts";
import type { LevelLogStore } from "./level-log-store.ts";
import { runVerification } from "./run-verification.ts";
import { ScrubSchedule, type ScrubCounts } from "./scrub-schedule.ts";
import { scrubFolderName } from "./store-layout.ts";

export interface StoreScrubOptions {
  readonly store: LevelLogStore;
  /** Data folder of the store. */
  readonly folder: string;
  readonly environment: Environment;
  /** 0 for none: then only what reads meet is noted. */
  readonly intervalMs: number;
  readonly firstMs?: number;
  readonly bytesPerSecond: number;
  /** Told of damage: when it is met, and by each scrub that finds it, as long as it is there. */
  readonly onFound?: (finding: Finding) => void;
}

export interface ScrubStatus extends Readonly<ScrubCounts> {
  /** What is known to be damaged: found by the last scrub, before the opening, or by reads since. */
  readonly damages: number;
}

/**
 * Reads and proves all of an open store, now and then and slowly: on a snapshot of links, in a process
 * of its own. What it finds becomes a repair request and an entry in the journal, once; what it no
 * longer finds is taken back. What somebody's read meets is noted at once, and a scrub looks at the rest.
 */
export class StoreScrub {
  readonly #options: StoreScrubOptions;
  readonly #schedule: ScrubSchedule | undefined;
  readonly #stopListening: () => void;
  /** Of the last scrub; before the first one, of the opening. */
  #found: readonly Finding[];
  /** Met by reads, and not looked at by a scrub since. */
  readonly #met = new Map<string, Finding>();
  /** A scrub is asked for once by each. */
  readonly #asked = new Set<string>();

  constructor(options: StoreScrubOptions) {
    this.#options = options;
    const { store, environment, intervalMs, firstMs = intervalMs / 24 } = options;
    const scrub = (signal: AbortSignal): Promise<void> => this.#scrub(signal);
    this.#found = store.damagesAtOpening;
    if (intervalMs > 0) {
      this.#schedule = new ScrubSchedule({ environment, intervalMs, firstMs, scrub });
    }
    this.#stopListening = store.onDamage((finding) => this.met(finding));
  }

  get status(): ScrubStatus {
    const named = new Set(this.#found.map(({ document }) => document));
    const more = [...this.#met.values()].filter(({ document }) => {
      return document === undefined || !named.has(document);
    });
    const counts = this.#schedule?.counts ?? { done: 0, failed: 0, lastDoneAtMs: undefined };
    return { ...counts, damages: this.#found.length + more.length };
  }

  start(): void {
    this.#schedule?.start();
    if (this.#found.length === 0) return;
    this.#note(this.#found);
    this.#schedule?.soon();
  }

  /** Scrubs now, or again after the scrub that is running. */
  soon(): void {
    this.#schedule?.soon();
  }

  /** Somebody met a damage: it is noted now, and the next scrub is brought forward. */
  met(finding: Finding): void {
    const name = finding.document ?? finding.what;
    if (this.#met.has(name)) return;
    this.#met.set(name, finding);
    if (this.#asked.has(name)) return;
    this.#asked.add(name);
    const { part, what, document } = finding;
    this.#options.environment.logger.error("store.damage_met", { part, error: what, document });
    this.#note([finding]);
    this.#options.onFound?.(finding);
    this.#schedule?.soon();
  }

  async close(): Promise<void> {
    this.#stopListening();
    await this.#schedule?.close();
  }

  #note(findings: readonly Finding[]): void {
    this.#options.store.noteNewDamages(findings).catch((error: unknown) => {
      const { logger } = this.#options.environment;
      logger.warn("store.damage_unnoted", { error: String(error) });
    });
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
    const metBefore = [...this.#met.keys()];
    const { findings, totals } = await runVerification({
      folder,
      way: "link",
      snapshotFolder,
      bytesPerSecond,
      signal,
    });
    const damages = findings.filter(({ severity }) => severity === "damage");
    this.#found = damages;
    for (const name of metBefore) this.#met.delete(name);
    const { found, gone } = await store.noteDamages(damages);
    for (const finding of found) {
      const { part, what, document } = finding;
      logger.error("store.damage_found", { part, error: what, document });
    }
    // Whoever repairs may have given up since, or have been started anew.
    for (const finding of damages) this.#options.onFound?.(finding);
    const tookMs = Math.round(clock.monotonicMs() - startedMs);
    const counts = { damages: damages.length, gone, records: totals.records, tookMs };
    logger.info("store.scrubbed", counts);
  }
}
