import { HeddleProvider, type HeddleProviderOptions } from "@heddle/client";
import type { Awareness } from "y-protocols/awareness";
import * as Y from "yjs";

/** A document while something on the page shows it. */
export interface OpenDocument {
  readonly name: string;
  readonly ydoc: Y.Doc;
  readonly provider: HeddleProvider;
  readonly awareness: Awareness;
}

interface Holding {
  readonly document: OpenDocument;
  holders: number;
}

/**
 * Every document of one {@link HeddleRoot}, one provider each however many components show it. Letting go is
 * put off by one turn: StrictMode releases and takes again in one breath.
 */
export class OpenDocuments {
  readonly url: string;
  readonly #options: HeddleProviderOptions;
  readonly #holdings = new Map<string, Holding>();

  constructor(url: string, options: HeddleProviderOptions) {
    this.url = url;
    this.#options = options;
  }

  acquire(name: string): OpenDocument {
    let holding = this.#holdings.get(name);
    if (holding === undefined) {
      const ydoc = new Y.Doc();
      const provider = new HeddleProvider(this.url, name, ydoc, this.#options);
      const { awareness } = provider;
      holding = { document: { name, ydoc, provider, awareness }, holders: 0 };
      this.#holdings.set(name, holding);
    }
    holding.holders++;
    return holding.document;
  }

  release({ name }: OpenDocument): void {
    const holding = this.#holdings.get(name);
    if (holding === undefined) return;
    holding.holders--;
    setTimeout(() => this.#closeIfUnused(name, holding), 0);
  }

  #closeIfUnused(name: string, holding: Holding): void {
    if (holding.holders > 0 || this.#holdings.get(name) !== holding) return;
    this.#holdings.delete(name);
    const { provider, ydoc } = holding.document;
    // The provider saves what was typed last before the document goes.
    void provider.whenDestroyed().then(() => ydoc.destroy());
  }
}
