import type { Waiting } from "./engine-view.ts";

/** What was typed on this device and is on no relay, over all documents. */
export interface DeviceWaiting extends Waiting {
  /** Transactions that are not on this device yet; only in this page. */
  readonly unsaved: number;
}

/** Tells when it has changed, once for all that happens in one turn. */
export class DeviceOutbox {
  readonly #read: () => DeviceWaiting;
  readonly #tell: () => void;
  #told = "";
  #isDue = false;

  constructor(read: () => DeviceWaiting, tell: () => void) {
    this.#read = read;
    this.#tell = tell;
  }

  /** Something may have changed. What is saved is in the outbox a moment later: it is looked at then. */
  soon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      const now = JSON.stringify(this.#read());
      if (now === this.#told) return;
      this.#told = now;
      this.#tell();
    });
  }
}
