import type { HeddleError } from "@heddle/core";

import { KeeperWatch } from "../tabs/keeper-watch.ts";
import { Keeper, type KeeperOptions } from "./keeper.ts";
import { pauseMs } from "./pause.ts";

export interface StandbyOptions {
  readonly keeping: Omit<KeeperOptions, "tabs" | "claim"> & { readonly tabs: string };
  /** Why nobody here stores although it is our turn; `undefined` when that is over. */
  readonly onTrouble: (error: HeddleError | undefined) => void;
}

/**
 * A tab that waits for its turn to store, beside what it shows:
 *
 *   waiting ──free, or its keeper silent──► keeping ──lost──► waiting
 *      ▲                                       │
 *      └───────────── a pause ◄──── failed ────┘
 */
export class Standby {
  readonly #options: StandbyOptions;
  readonly #ending = new AbortController();
  readonly #running: Promise<void>;
  #keeper: Keeper | undefined;

  constructor(options: StandbyOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  resumed(): void {
    this.#keeper?.resumed();
  }

  /** Lets go of the store, if it has it. */
  async end(): Promise<void> {
    this.#ending.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { keeping, onTrouble } = this.#options;
    const { logger } = keeping.environment;
    let failures = 0;
    while (!this.#ending.signal.aborted) {
      try {
        const keeper = await this.#claim();
        failures = 0;
        logger.info("engine.keeps");
        onTrouble(undefined);
        await this.#keep(keeper);
      } catch (error) {
        if (this.#ending.signal.aborted) return;
        logger.error("engine.not_keeping", { error: String(error) });
        onTrouble(error as HeddleError);
        await this.#pause(pauseMs(++failures));
      }
    }
  }

  /** Waits until the store is free; takes it from a keeper that is silent. */
  async #claim(): Promise<Keeper> {
    const { keeping } = this.#options;
    const { clock, scheduler, logger } = keeping.environment;
    const turn = new AbortController();
    const onSilent = (): void => turn.abort();
    this.#ending.signal.addEventListener("abort", onSilent);
    const watch = new KeeperWatch({ name: keeping.tabs, clock, scheduler, onSilent });
    const claim = { untilFree: turn.signal, onTaken: () => watch.stop() };
    try {
      return await Keeper.open({ ...keeping, claim });
    } catch (error) {
      if (this.#ending.signal.aborted || !turn.signal.aborted) throw error;
      logger.warn("engine.takes_over", { reason: "the tab that stores answers nobody" });
      return await Keeper.open({ ...keeping, claim: { steal: true } });
    } finally {
      watch.stop();
      this.#ending.signal.removeEventListener("abort", onSilent);
    }
  }

  async #keep(keeper: Keeper): Promise<void> {
    const { logger } = this.#options.keeping.environment;
    this.#keeper = keeper;
    const lost = await Promise.race([keeper.whenLost, whenAborted(this.#ending.signal)]);
    this.#keeper = undefined;
    if (lost) logger.warn("engine.store_lost", { code: lost.code });
    try {
      await keeper.close();
    } catch (error) {
      logger.warn("engine.not_closed", { error: String(error) });
    }
  }

  #pause(ms: number): Promise<void> {
    const { scheduler } = this.#options.keeping.environment;
    return new Promise((resolve) => {
      const cancel = scheduler.after(ms, resolve);
      void whenAborted(this.#ending.signal).then(() => {
        cancel();
        resolve();
      });
    });
  }
}

function whenAborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
}
