import type {
  DocumentEntry,
  DocumentId,
  Envelope,
  LaneDescriptor,
  ParkedUpdate,
  QuarantinedUpdate,
  RecalledEnvelope,
} from "@heddle/core";

/** A document's share of one append. */
export interface DocumentRound {
  readonly document: DocumentId;
  /** When the oldest update in it was handed in. */
  readonly receivedMs: number | undefined;
  readonly entry: DocumentEntry | undefined;
  readonly envelopes: readonly Envelope[];
  /** Of other replicas, whose envelopes are among these. */
  readonly lanes: readonly LaneDescriptor[];
  /** `undefined` when there is nothing but envelopes, which is nearly always. */
  readonly outbox: OutboxContent | undefined;
}

export interface OutboxContent {
  readonly park: readonly ParkedUpdate[];
  readonly release: readonly string[];
  readonly quarantine: readonly QuarantinedUpdate[];
  readonly recall: readonly RecalledEnvelope[];
}

/** What the next round writes beside envelopes. */
export class DocumentOutbox {
  readonly #park = new Map<string, ParkedUpdate>();
  readonly #release = new Set<string>();
  #quarantine: QuarantinedUpdate[] = [];
  #recall: RecalledEnvelope[] = [];

  get isEmpty(): boolean {
    const notes = this.#quarantine.length + this.#recall.length;
    return this.#park.size + this.#release.size + notes === 0;
  }

  park(update: ParkedUpdate): void {
    this.#park.set(update.id, update);
  }

  /** What was to be parked and is not any more is never written. */
  release(id: string): void {
    this.#park.delete(id);
    // It may lie on disk from an earlier round. A batch releases first, so it can be parked again.
    this.#release.add(id);
  }

  quarantine(update: QuarantinedUpdate): void {
    this.#quarantine.push(update);
  }

  /** Of an envelope that is written in the same round. */
  recall(envelope: RecalledEnvelope): void {
    this.#recall.push(envelope);
  }

  take(): OutboxContent | undefined {
    if (this.isEmpty) return undefined;
    const park = [...this.#park.values()];
    const notes = { quarantine: this.#quarantine, recall: this.#recall };
    const content = { park, release: [...this.#release], ...notes };
    this.#park.clear();
    this.#release.clear();
    this.#quarantine = [];
    this.#recall = [];
    return content;
  }
}
