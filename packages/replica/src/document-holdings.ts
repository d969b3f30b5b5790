import { assert, type DocumentId, type Environment } from "@heddle/core";

import type { ReplicaDocument } from "./replica-document.ts";

/** With more documents than this in memory, those that nobody uses stay for a shorter time. */
const crowdedDocuments = 1_024;
const crowdedIdleMs = 1_000;

interface Holding {
  readonly document: Promise<ReplicaDocument>;
  /** The same, once it is there. */
  loaded: ReplicaDocument | undefined;
  holders: number;
  cancelUnload: (() => void) | undefined;
}

export interface HoldingsOptions {
  readonly environment: Environment;
  /** How long a document that nobody uses stays. */
  readonly idleMs: number;
  /** The document was nobody's for a while, and has left. */
  readonly onLeft: (document: ReplicaDocument) => void;
}

/**
 * The documents in memory, and who uses them: loaded once however many ask, kept a while after. Where very
 * many come and go, as in the first sync of a library, that while is short.
 */
export class DocumentHoldings {
  readonly #options: HoldingsOptions;
  readonly #holdings = new Map<DocumentId, Holding>();

  constructor(options: HoldingsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#holdings.size;
  }

  has(id: DocumentId): boolean {
    return this.#holdings.has(id);
  }

  /** `undefined` when it is not in memory, or not yet. */
  get(id: DocumentId): ReplicaDocument | undefined {
    return this.#holdings.get(id)?.loaded;
  }

  /** Those that are in memory now. */
  *loaded(): Iterable<ReplicaDocument> {
    for (const { loaded } of this.#holdings.values()) if (loaded) yield loaded;
  }

  /**
   * Counts one more holder.
   *
   * @returns the document, and `undefined` when it was given up while it was being read.
   */
  async acquire(
    id: DocumentId,
    load: () => Promise<ReplicaDocument>,
  ): Promise<ReplicaDocument | undefined> {
    const holding = this.#holdings.get(id) ?? this.#load(id, load);
    holding.holders++;
    holding.cancelUnload?.();
    holding.cancelUnload = undefined;
    const document = await holding.document;
    return this.#holdings.get(id) === holding ? document : undefined;
  }

  /** Undoes one {@link acquire}. The last one lets the document leave after a while. */
  release(document: ReplicaDocument): void {
    const holding = this.#holdings.get(document.entry.id);
    if (holding?.loaded !== document) return; // It left with a reset, and may be back anew.
    assert(holding.holders > 0, "a document is released as often as it was acquired");
    holding.holders--;
    if (holding.holders === 0) this.#scheduleUnload(document, holding);
  }

  /** Forgets a document whoever holds it. False when it has left already. */
  drop(document: ReplicaDocument): boolean {
    const holding = this.#holdings.get(document.entry.id);
    if (holding?.loaded !== document) return false;
    holding.cancelUnload?.();
    this.#holdings.delete(document.entry.id);
    return true;
  }

  /** Forgets all of them. @returns those that are there, and those that are still being read. */
  dropAll(): Promise<ReplicaDocument>[] {
    const holdings = [...this.#holdings.values()];
    this.#holdings.clear();
    for (const { cancelUnload } of holdings) cancelUnload?.();
    return holdings.map(({ document }) => document);
  }

  /** Waits for those that are being read. */
  async whenLoaded(): Promise<ReplicaDocument[]> {
    const settled = await Promise.allSettled([...this.#holdings.values()].map((h) => h.document));
    return settled.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  }

  #load(id: DocumentId, load: () => Promise<ReplicaDocument>): Holding {
    const document = load();
    const holding: Holding = { document, loaded: undefined, holders: 0, cancelUnload: undefined };
    this.#holdings.set(id, holding);
    document.then(
      (loaded) => {
        holding.loaded = loaded;
      },
      () => {
        // The caller of acquire has the error; here it only must not stay for the next one.
        if (this.#holdings.get(id) === holding) this.#holdings.delete(id);
      },
    );
    return holding;
  }

  #scheduleUnload(document: ReplicaDocument, holding: Holding): void {
    const { environment, idleMs, onLeft } = this.#options;
    const isCrowded = this.#holdings.size > crowdedDocuments;
    const delayMs = isCrowded ? Math.min(idleMs, crowdedIdleMs) : idleMs;
    holding.cancelUnload = environment.scheduler.after(delayMs, () => {
      if (holding.holders > 0 || this.#holdings.get(document.entry.id) !== holding) return;
      if (!document.isQuiet) return this.#scheduleUnload(document, holding);
      this.#holdings.delete(document.entry.id);
      onLeft(document);
    });
  }
}
