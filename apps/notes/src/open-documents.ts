import { SharedDocument } from "./shared-document.ts";

interface Holding {
  readonly document: SharedDocument;
  holders: number;
}

/**
 * Every document this page has open, however many components show it, and whether the page is to use the
 * network. Letting go is deferred: React's StrictMode releases and takes again in one breath.
 */
export class OpenDocuments {
  readonly #relay: string;
  readonly #holdings = new Map<string, Holding>();
  readonly #listeners = new Set<() => void>();
  #isOnline = true;

  constructor(relay: string) {
    this.#relay = relay;
  }

  acquire(name: string): SharedDocument {
    let holding = this.#holdings.get(name);
    if (holding === undefined) {
      const document = new SharedDocument(this.#relay, name, this.#isOnline);
      holding = { document, holders: 0 };
      this.#holdings.set(name, holding);
    }
    holding.holders += 1;
    return holding.document;
  }

  release(document: SharedDocument): void {
    const holding = this.#holdings.get(document.name);
    if (holding?.document !== document) return;
    holding.holders -= 1;
    setTimeout(() => this.#closeWhenUnused(holding), 0);
  }

  /** True while closing the window could lose something written in it. */
  hasUnsavedEdits(): boolean {
    return [...this.#holdings.values()].some(({ document }) => {
      const { saved, pending } = document.status();
      return (saved === false || saved === "memory") && pending > 0;
    });
  }

  readonly isOnline = (): boolean => this.#isOnline;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Whether the page uses the network: a person may want to work apart for a while. */
  setOnline(isOnline: boolean): void {
    this.#isOnline = isOnline;
    for (const { document } of this.#holdings.values()) document.setOnline(isOnline);
    for (const listener of this.#listeners) listener();
  }

  #closeWhenUnused(holding: Holding): void {
    const { document } = holding;
    if (holding.holders > 0 || this.#holdings.get(document.name) !== holding) return;
    this.#holdings.delete(document.name);
    document.destroy();
  }
}
