import { SharedDocument } from "./shared-document.ts";

/** How long a document that nobody shows stays connected after late edits were offered to the relay. */
const lingerMs = 2_000;

interface Holding {
  readonly document: SharedDocument;
  holders: number;
}

/**
 * Every document this page has open, one connection each however many components show it.
 *
 * Letting go is deferred: React's StrictMode releases and takes again in one breath, and a note with edits the
 * relay may not have is kept until it could catch up, because closing it would be losing them.
 */
export class OpenDocuments {
  readonly #relay: string;
  readonly #holdings = new Map<string, Holding>();

  constructor(relay: string) {
    this.#relay = relay;
  }

  acquire(name: string): SharedDocument {
    let holding = this.#holdings.get(name);
    if (holding === undefined) {
      holding = { document: new SharedDocument(this.#relay, name), holders: 0 };
      this.#holdings.set(name, holding);
    }
    holding.holders += 1;
    return holding.document;
  }

  release(document: SharedDocument): void {
    const holding = this.#holdings.get(document.name);
    if (holding?.document !== document) return;
    holding.holders -= 1;
    setTimeout(() => this.#closeWhenDone(holding), 0);
  }

  /** True while closing the window could lose something written in it. */
  hasUnsentEdits(): boolean {
    return [...this.#holdings.values()].some(({ document }) => document.status().hasUnsentEdits);
  }

  #closeWhenDone(holding: Holding): void {
    const { document } = holding;
    if (holding.holders > 0 || this.#holdings.get(document.name) !== holding) return;
    if (!document.status().hasUnsentEdits) {
      this.#holdings.delete(document.name);
      document.destroy();
      return;
    }
    const unsubscribe = document.subscribe(() => {
      if (document.status().hasUnsentEdits) return;
      unsubscribe();
      setTimeout(() => this.#closeWhenDone(holding), lingerMs);
    });
  }
}
