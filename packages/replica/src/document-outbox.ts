import type {
  DocumentEntry,
  DocumentId,
  Envelope,
  ParkedUpdate,
  QuarantinedUpdate,
} from "@heddle/core";

/** A document's share of one append. */
export interface DocumentRound {
  readonly document: DocumentId;
  /** When the oldest update in it was handed in. */
  readonly receivedMs: number | undefined;
  readonly entry: DocumentEntry | undefined;
  readonly envelopes: readonly Envelope[];
  /** `undefined` when there is nothing but envelopes, which is nearly always. */
  readonly outbox: OutboxContent | undefined;
}

export interface OutboxContent {
  readonly park: readonly ParkedUpdate[];
  readonly release: readonly string[];
  readonly quarantine: readonly QuarantinedUpdate[];
}

/** What the next round writes beside envelopes. */
export class DocumentOutbox {
  #park: ParkedUpdate[] = [];
  #release: string[] = [];
  #quarantine: QuarantinedUpdate[] = [];

  get isEmpty(): boolean {
    return this.#park.length + this.#release.length + this.#quarantine.length === 0;
  }

  park(update: ParkedUpdate): void {
    this.#park.push(update);
  }

  /** What was to be parked and is not any more is never written. */
  release(id: string): void {
    this.#park = this.#park.filter((parked) => parked.id !== id);
    this.#release.push(id);
  }

  quarantine(update: QuarantinedUpdate): void {
    this.#quarantine.push(update);
  }

  take(): OutboxContent | undefined {
    if (this.isEmpty) return undefined;
    const content = { park: this.#park, release: this.#release, quarantine: this.#quarantine };
    this.#park = [];
    this.#release = [];
    this.#quarantine = [];
    return content;
  }
}
