import { HeddleError, HeddleErrorCode, type LogStoreState } from "@heddle/core";

import type { OpenLog } from "./open-log.ts";
import type { SpaceGuard } from "./space-guard.ts";

/** The log that a store reads and writes now, whether it may, and who is told when that changes. */
export class LogInUse {
  #log: OpenLog;
  #state: LogStoreState;
  readonly #space: SpaceGuard | undefined;
  readonly #listeners = new Set<(state: LogStoreState) => void>();

  constructor(log: OpenLog, space: SpaceGuard | undefined) {
    this.#log = log;
    this.#space = space;
    this.#state = this.#openState();
  }

  get state(): LogStoreState {
    return this.#state;
  }

  /** The log, whether it may be used or not. */
  get current(): OpenLog {
    return this.#log;
  }

  /** @throws HeddleError for a log that may not be used now. */
  get open(): OpenLog {
    this.assertOpen();
    return this.#log;
  }

  assertOpen(): void {
    if (this.#state.name !== "open") throw this.error();
  }

  isOpen(log: OpenLog): boolean {
    return log === this.#log && this.#state.name === "open";
  }

  /** Another log takes the place of one that failed. */
  replace(log: OpenLog): void {
    this.#log = log;
    this.set(this.#openState());
  }

  set(state: LogStoreState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener(state);
  }

  /** The guard of the disk's space has changed its mind. */
  spaceChanged(): void {
    if (this.#state.name === "open") this.set(this.#openState());
  }

  onStateChange(listener: (state: LogStoreState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Why a log cannot be used, or could not be used to its end. */
  error(cause?: unknown): HeddleError {
    const { storageClosed, storageIo } = HeddleErrorCode;
    const state = this.#state;
    if (state.name === "closed") return new HeddleError(storageClosed, "the store is closed");
    if (state.name === "open") {
      return new HeddleError(storageIo, "the store was opened anew during a read", { cause });
    }
    return new HeddleError(state.error.code, "the store is fenced", { cause: state.error });
  }

  #openState(): LogStoreState {
    if (!this.#space?.isLow) return { name: "open" };
    const message = `less than ${this.#space.lowBytes} bytes are free on the disk of the store`;
    const readOnly = new HeddleError(HeddleErrorCode.storageFull, message);
    return { name: "open", readOnly };
  }
}
