/**
 * Credit of one direction of a connection. The reader says how many bytes of data it will take in all,
 * since the beginning: a total repairs itself when a frame that says it is lost. Only data costs credit
 * (LANE, PUSH, PART, FORK, EPHEMERAL, CHECKPOINT_DATA); what is needed to go on never waits for it.
 */
export class SendCredit {
  #grantedBytes: number;
  #sentBytes = 0;

  constructor(initialBytes: number) {
    this.#grantedBytes = initialBytes;
  }

  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** Something may be sent. The last frame may go over, or one larger than the rest would never go. */
  get isOpen(): boolean {
    return this.#sentBytes < this.#grantedBytes;
  }

  spend(bytes: number): void {
    this.#sentBytes += bytes;
  }

  grant(totalBytes: number): void {
    if (totalBytes > this.#grantedBytes) this.#grantedBytes = totalBytes;
  }
}

/** The reader's side: what was taken in, and what is done with. */
export class ReceiveCredit {
  readonly #windowBytes: number;
  #receivedBytes = 0;
  #doneBytes = 0;
  #saidBytes: number;

  constructor(windowBytes: number) {
    this.#windowBytes = windowBytes;
    this.#saidBytes = windowBytes;
  }

  /** All that came, and what was taken for lost. */
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** Taken in and not done with: what this connection makes us hold. */
  get heldBytes(): number {
    return this.#receivedBytes - this.#doneBytes;
  }

  /**
   * False when the sender makes us hold more than it was ever allowed to. Twice the window, because what
   * was taken for lost may still arrive.
   */
  receive(bytes: number): boolean {
    this.#receivedBytes += bytes;
    return this.heldBytes <= 2 * this.#windowBytes;
  }

  done(bytes: number): void {
    this.#doneBytes += bytes;
  }

  /** The sender says what it has sent so far: what never arrived is done with. */
  observeSent(sentBytes: number): void {
    const lost = sentBytes - this.#receivedBytes;
    if (lost <= 0) return;
    this.#receivedBytes += lost;
    this.#doneBytes += lost;
  }

  /** The new total, when it is worth a frame. */
  takeGrant(): number | undefined {
    const total = this.#doneBytes + this.#windowBytes;
    if (total - this.#saidBytes < this.#windowBytes / 4) return undefined;
    this.#saidBytes = total;
    return total;
  }

  /** The total to repeat, in case the last frame that said it was lost. */
  get saidBytes(): number {
    return this.#saidBytes;
  }
}

/**
 * Credit of a frame that comes in parts. It may be larger than all the credit there is, so that most of
 * it is given back while it comes; the rest when the frame is done with, or frames in parts would be held
 * without end.
 */
export class PartsCredit {
  readonly #pinnedBytesMax: number;
  #pinned: { readonly bytes: number; readonly release: () => void }[] = [];
  #pinnedBytes = 0;

  /** `pinnedBytesMax` of what the parts of one frame cost are not given back before its end. */
  constructor(pinnedBytesMax: number) {
    this.#pinnedBytesMax = pinnedBytesMax;
  }

  /** A part came. */
  pin(bytes: number, release: () => void): void {
    this.#pinned.push({ bytes, release });
    this.#pinnedBytes += bytes;
    while (this.#pinnedBytes > this.#pinnedBytesMax && this.#pinned.length > 1) {
      const oldest = this.#pinned.shift()!;
      this.#pinnedBytes -= oldest.bytes;
      oldest.release();
    }
  }

  /** There are no more parts of this frame. The returned function gives the rest back. */
  take(): () => void {
    const rest = this.#pinned;
    this.#pinned = [];
    this.#pinnedBytes = 0;
    return () => {
      for (const { release } of rest) release();
    };
  }
}
