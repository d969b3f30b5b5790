import type { Environment } from "@heddle/core";
import {
  journalBounds,
  readJournalExtent,
  trimJournal,
  trimmedEntries,
  type JournalBounds,
  type ProjectionStore,
} from "@heddle/reconcile";

/** Whose journal is kept within its bounds, and which. */
export interface JournalKeeperOptions {
  readonly store: ProjectionStore;
  readonly environment: Pick<Environment, "clock" | "logger" | "scheduler">;
  readonly bounds?: JournalBounds;
  /** Default an hour. */
  readonly everyMs?: number;
}

const everyMsDefault = 60 * 60 * 1_000;

/** Keeps the journal of a store of projections within its bounds, and knows what that has taken away. */
export class JournalKeeper {
  readonly #options: JournalKeeperOptions;
  #trimmed: number | undefined;
  #cancelTimer: (() => void) | undefined;
  #looking: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: JournalKeeperOptions) {
    this.#options = options;
  }

  /** Entries that were taken away ever, as of the last look. */
  get trimmed(): number {
    return this.#trimmed ?? 0;
  }

  /** Looks now, and again and again. */
  start(): void {
    this.#looking ??= this.#look();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTimer?.();
    await this.#looking;
  }

  async #look(): Promise<void> {
    const { store, environment, bounds = journalBounds, everyMs = everyMsDefault } = this.#options;
    const { clock, logger, scheduler } = environment;
    try {
      const before = this.#trimmed ?? trimmedEntries(await readJournalExtent(store));
      const ever = trimmedEntries(await trimJournal(store, bounds, clock.nowMs()));
      this.#trimmed = ever;
      if (ever > before) logger.info("projections.journal_trimmed", { count: ever - before, ever });
    } catch (error) {
      logger.error("projections.journal_trim_failed", { error: String(error) });
    }
    if (this.#isClosed) return;
    this.#cancelTimer = scheduler.after(everyMs, () => {
      this.#looking = this.#look();
    });
  }
}
