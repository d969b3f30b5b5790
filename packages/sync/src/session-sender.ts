import { assert } from "@heddle/core";

import { SendCredit } from "./flow-credit.ts";
import { partsOf } from "./frame-parts.ts";
import { wireLimits } from "./wire-limits.ts";

/**
 * What one session sends. Data goes as far as the peer gives credit for, in the order in which it was handed
 * over: a large frame in parts, of which as many wait as there is no credit for, and what comes after it behind
 * them. All else goes at once. So what lies in a transport's buffer is bounded by the credit, and one part.
 */
export class SessionSender {
  readonly #sendBytes: (bytes: Uint8Array) => void;
  #credit = new SendCredit(0);
  #frameBytesMax: number = wireLimits.frameBytesMax;
  #transfer = 0;
  /** Data that there is no credit for, cut as it goes. */
  readonly #waiting: Iterator<Uint8Array>[] = [];

  constructor(sendBytes: (bytes: Uint8Array) => void) {
    this.#sendBytes = sendBytes;
  }

  /** The peer has said what it takes. */
  begin(peer: { readonly creditBytes: number; readonly frameBytesMax: number }): void {
    this.#credit = new SendCredit(peer.creditBytes);
    this.#frameBytesMax = Math.min(peer.frameBytesMax, wireLimits.frameBytesMax);
  }

  /** More data may be handed over: nothing waits, and there is credit. */
  get isOpen(): boolean {
    return this.#waiting.length === 0 && this.#credit.isOpen;
  }

  /** A part of what was handed over has not been sent. */
  get isWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** Of data. */
  get sentBytes(): number {
    return this.#credit.sentBytes;
  }

  grant(totalBytes: number): void {
    this.#credit.grant(totalBytes);
  }

  control(frame: Uint8Array): void {
    assert(frame.length <= this.#frameBytesMax, "frames that are not data fit as they are");
    this.#sendBytes(frame);
  }

  data(frame: Uint8Array): void {
    const fits = frame.length <= this.#frameBytesMax;
    if (fits && this.#waiting.length === 0) return this.#spend(frame);
    const parts = fits ? [frame] : partsOf(frame, ++this.#transfer, this.#frameBytesMax);
    this.#waiting.push(parts[Symbol.iterator]());
    this.flush();
  }

  /** Sends what waits, as far as there is credit. */
  flush(): void {
    while (this.#waiting.length > 0 && this.#credit.isOpen) {
      const { value, done } = this.#waiting[0]!.next();
      if (done) this.#waiting.shift();
      else this.#spend(value);
    }
  }

  /** The session is over. */
  end(): void {
    this.#waiting.length = 0;
  }

  #spend(frame: Uint8Array): void {
    this.#credit.spend(frame.length);
    this.#sendBytes(frame);
  }
}
