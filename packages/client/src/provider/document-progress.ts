import { HeddleError, HeddleErrorCode, type DocumentId } from "@heddle/core/base";
import type { LiveDocument } from "@heddle/replica";
import { waitUntil, type WaitOptions } from "@heddle/replica/live";

import { nothingWaits, type Waiting } from "../engine/engine-view.ts";
import type { SharedEngine } from "../engine/shared-engine.ts";
import type { Outbox, Saved } from "./provider-events.ts";

/** How far the edits of a provider's document are: on this device, on a relay. */
export class DocumentProgress {
  readonly #engine: SharedEngine;
  readonly #live: LiveDocument;
  readonly #document: DocumentId;
  readonly #waiting = new Set<() => void>();
  #isEnded = false;

  constructor(engine: SharedEngine, live: LiveDocument, document: DocumentId) {
    this.#engine = engine;
    this.#live = live;
    this.#document = document;
  }

  /** Transactions that are not on this device. */
  get unsaved(): number {
    return this.#live.status.unsaved;
  }

  get saved(): Saved {
    if (this.#live.status.state !== "saved") return false;
    return this.#engine.side?.durabilityOf(this.#document) ?? false;
  }

  get outbox(): Outbox {
    const sent = this.#engine.side?.waitingOf(this.#document) ?? nothingWaits;
    return outboxOf(sent, this.unsaved);
  }

  /** @throws HeddleError when it cannot be; `HEDDLE_STORAGE_CLOSED` at the end. */
  async whenSaved(options: WaitOptions): Promise<void> {
    await this.#live.whenSaved(options);
    // In a tab beside the one that stores, it has to get there, whatever is typed meanwhile.
    while (this.#engine.side?.durabilityOf(this.#document) === undefined) {
      const { state, error } = this.#live.status;
      if (state === "failed" && error) throw error;
      if (this.#isEnded) throw destroyedBefore("it was saved");
      await this.#whenChanged(options);
    }
  }

  /** @throws HeddleError as {@link whenSaved}; `HEDDLE_STORAGE_CLOSED` at the end. */
  async whenRelayed(options: WaitOptions): Promise<void> {
    await this.#live.whenSaved(options);
    this.#hurry(options);
    while (this.outbox.pending > 0) {
      if (this.#isEnded) throw destroyedBefore("a relay had everything");
      await this.#whenChanged(options);
    }
  }

  /** Whoever waits looks again. */
  changed(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }

  end(): void {
    this.#isEnded = true;
    this.changed();
  }

  /** A relay says what it has at a pace of its own, up to a second later, unless somebody waits for it. */
  #hurry(options: WaitOptions): void {
    const { side } = this.#engine;
    if (side === undefined || side.isBeside) return;
    const asked = side.replica.peers?.whenReplicated(this.#document, "relay", options);
    asked?.catch(() => undefined); // It is the outbox that is waited for.
  }

  #whenChanged(options: WaitOptions): Promise<void> {
    return waitUntil((resolve) => {
      this.#waiting.add(resolve);
      return () => this.#waiting.delete(resolve);
    }, options);
  }
}

export function outboxOf({ count, bytes, oldestMs }: Waiting, unsaved: number): Outbox {
  return { pending: unsaved + count, bytes, oldestMs };
}

function destroyedBefore(what: string): HeddleError {
  const message = `the provider was destroyed before ${what}`;
  return new HeddleError(HeddleErrorCode.storageClosed, message);
}
