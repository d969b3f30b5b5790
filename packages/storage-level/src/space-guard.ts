import type { Environment } from "@heddle/core";

export interface SpaceLimits {
  /** Free bytes below which nothing new is accepted. */
  readonly lowBytes: number;
  /** Size of the reserve, which is given back when the disk is full. */
  readonly reserveBytes: number;
}

/** The disk, as far as the guard is concerned. */
export interface SpaceActions {
  freeBytes(): Promise<number>;
  hasReserve(): Promise<boolean>;
  makeReserve(): Promise<void>;
  /** Gives the reserve back to the disk; without one it does nothing. */
  releaseReserve(): Promise<void>;
}

/** There has to be this much more than `lowBytes` before anything is accepted again. */
const roomFactor = 1.25;
const checkMs = 1_000;

/**
 * Watches the free space of a store's file system, so that accepting ends before writing fails, and
 * goes on by itself.
 *
 *   enough ──below the mark──► low ──a quarter above it, and the reserve made again──► enough
 *
 * The reserve is for what must be written all the same: opening a store on a full disk, and the notes
 * of its going about its business.
 */
export class SpaceGuard {
  readonly #environment: Pick<Environment, "scheduler" | "logger">;
  readonly #limits: SpaceLimits;
  readonly #actions: SpaceActions;
  readonly #onChange: () => void;
  #isLow = false;
  #freeBytes: number | undefined;
  #cancelTimer: (() => void) | undefined;
  #checking: Promise<void> | undefined;
  #isClosed = false;

  constructor(
    environment: Pick<Environment, "scheduler" | "logger">,
    limits: SpaceLimits,
    actions: SpaceActions,
    onChange: () => void = () => undefined,
  ) {
    this.#environment = environment;
    this.#limits = limits;
    this.#actions = actions;
    this.#onChange = onChange;
  }

  get isLow(): boolean {
    return this.#isLow;
  }

  /** As last looked at. */
  get freeBytes(): number | undefined {
    return this.#freeBytes;
  }

  get lowBytes(): number {
    return this.#limits.lowBytes;
  }

  /** Looks once, and then again and again. The reserve is made later: nobody has to wait for it. */
  async start(): Promise<void> {
    await this.#quietly(async () => {
      this.#freeBytes = await this.#actions.freeBytes();
      if (this.#freeBytes < this.#limits.lowBytes) this.#setLow(true);
    });
    this.#schedule();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTimer?.();
    await this.#checking;
  }

  /** The disk is full: room for what has to be written all the same. */
  async giveWay(): Promise<void> {
    this.#setLow(true);
    await this.#quietly(() => this.#actions.releaseReserve());
  }

  #schedule(): void {
    if (this.#isClosed) return;
    this.#cancelTimer = this.#environment.scheduler.after(checkMs, () => {
      this.#checking = this.#check().then(() => {
        this.#checking = undefined;
        this.#schedule();
      });
    });
  }

  async #check(): Promise<void> {
    await this.#quietly(async () => {
      const { lowBytes, reserveBytes } = this.#limits;
      const free = await this.#actions.freeBytes();
      this.#freeBytes = free;
      if (free < lowBytes) return this.#setLow(true);
      const hasReserve = await this.#actions.hasReserve();
      const wanted = lowBytes * (this.#isLow ? roomFactor : 1) + (hasReserve ? 0 : reserveBytes);
      if (free < wanted) return;
      if (!hasReserve) await this.#actions.makeReserve();
      this.#setLow(false);
    });
  }

  #setLow(isLow: boolean): void {
    if (this.#isLow === isLow) return;
    this.#isLow = isLow;
    const fields = { freeBytes: this.#freeBytes, lowBytes: this.#limits.lowBytes };
    if (isLow) this.#environment.logger.error("store.space_low", fields);
    else this.#environment.logger.info("store.space_enough", fields);
    this.#onChange();
  }

  /** A file system that does not answer is no reason to stop; a write that fails is. */
  async #quietly(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#environment.logger.warn("store.space_unknown", { error: String(error) });
    }
  }
}
