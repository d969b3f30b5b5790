import type { DocumentId } from "@heddle/core";

/** What the inflated states of checkpoints may take, for documents that come and go. */
export const stateCacheBytesMax = 16 * 1024 * 1024;

interface CachedState {
  readonly number: number;
  readonly state: Uint8Array;
}

/** Inflated states of the checkpoints that were opened last, within a bound of bytes. */
export class StateCache {
  readonly #bytesMax: number;
  /** Least recently used first. */
  readonly #states = new Map<DocumentId, CachedState>();
  #bytes = 0;

  constructor(bytesMax: number = stateCacheBytesMax) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The state of that very checkpoint; nobody may change its bytes. */
  get(document: DocumentId, number: number): Uint8Array | undefined {
    const cached = this.#states.get(document);
    if (cached?.number !== number) return undefined;
    this.#states.delete(document);
    this.#states.set(document, cached);
    return cached.state;
  }

  set(document: DocumentId, number: number, state: Uint8Array): void {
    this.delete(document);
    if (state.length > this.#bytesMax) return;
    this.#states.set(document, { number, state });
    this.#bytes += state.length;
    for (const oldest of this.#states.keys()) {
      if (this.#bytes <= this.#bytesMax) return;
      this.delete(oldest);
    }
  }

  delete(document: DocumentId): void {
    this.#bytes -= this.#states.get(document)?.state.length ?? 0;
    this.#states.delete(document);
  }
}
