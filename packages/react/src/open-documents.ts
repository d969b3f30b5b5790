import { HeddleProvider, type HeddleProviderOptions } from "@heddle/client";
import type { Awareness } from "y-protocols/awareness";
import * as Y from "yjs";

import { TroubleWatch, type Trouble } from "./trouble.ts";

/** A document while something on the page shows it. */
export interface OpenDocument {
  readonly name: string;
  readonly ydoc: Y.Doc;
  readonly provider: HeddleProvider;
  readonly awareness: Awareness;
}

/** For all documents of a root; each document has an awareness of its own. */
export type DocumentOptions = Omit<HeddleProviderOptions, "awareness">;

/** What may be another function at each rendering; the newest is called. */
export interface RootCallbacks {
  readonly getToken: DocumentOptions["getToken"];
  readonly onTrouble: ((trouble: Trouble) => void) | undefined;
}

type Show = (document: OpenDocument | undefined) => void;

interface Holding {
  readonly name: string;
  /** Missing between a reset and the next opening. */
  document: OpenDocument | undefined;
  readonly holders: Set<Show>;
  resets: number;
}

const reopenMsMax = 30_000;
const watches = new WeakMap<OpenDocument, TroubleWatch>();

/** Of a document that {@link OpenDocuments} has opened. */
export function troubleOf(document: OpenDocument): TroubleWatch | undefined {
  return watches.get(document);
}

/**
 * Every document of one {@link HeddleRoot}, one provider each however many components show it. Letting go is
 * put off by one turn: StrictMode releases and takes again in one breath.
 */
export class OpenDocuments {
  readonly url: string;
  readonly #options: DocumentOptions;
  readonly #holdings = new Map<string, Holding>();
  #callbacks: RootCallbacks;

  constructor(url: string, options: DocumentOptions, onTrouble: RootCallbacks["onTrouble"]) {
    const { getToken } = options;
    this.url = url;
    this.#callbacks = { getToken, onTrouble };
    this.#options = {
      ...options,
      ...(getToken && { getToken: () => this.#callbacks.getToken?.() ?? getToken() }),
    };
  }

  renew(callbacks: RootCallbacks): void {
    this.#callbacks = callbacks;
  }

  /**
   * Shows the document of that name at once, and another one in its place after a `reset`.
   *
   * @returns lets go of it.
   * @throws HeddleError `HEDDLE_FRAME_MALFORMED` for what cannot be the name of a document.
   */
  hold(name: string, show: Show): () => void {
    const holding = this.#holdings.get(name) ?? this.#newHolding(name);
    this.#holdings.set(name, holding);
    holding.holders.add(show);
    show(holding.document);
    return () => {
      holding.holders.delete(show);
      setTimeout(() => this.#closeIfUnused(holding), 0);
    };
  }

  #newHolding(name: string): Holding {
    const holding: Holding = { name, document: undefined, holders: new Set(), resets: 0 };
    this.#open(holding, undefined);
    return holding;
  }

  #open(holding: Holding, before: Trouble | undefined): void {
    const { name } = holding;
    const ydoc = new Y.Doc();
    const provider = new HeddleProvider(this.url, name, ydoc, this.#options);
    const document = { name, ydoc, provider, awareness: provider.awareness };
    holding.document = document;
    const watch = new TroubleWatch(document, before, (trouble) => {
      this.#callbacks.onTrouble?.(trouble);
      if (trouble.kind === "reset") this.#replace(holding, trouble);
    });
    watches.set(document, watch);
  }

  /** A provider does not go on after a reset, whatever it shows is not what will be kept. */
  #replace(holding: Holding, trouble: Trouble): void {
    const { document, holders } = holding;
    if (document !== trouble.document) return;
    holding.document = undefined;
    for (const show of holders) show(undefined);
    close(document);
    // The first time at once; a document that is reset again and again must not fill the processor.
    const delayMs = holding.resets === 0 ? 0 : Math.min(reopenMsMax, 500 * 2 ** holding.resets);
    holding.resets++;
    setTimeout(() => {
      if (holders.size === 0 || this.#holdings.get(holding.name) !== holding) return;
      this.#open(holding, trouble);
      for (const show of holders) show(holding.document);
    }, delayMs);
  }

  #closeIfUnused(holding: Holding): void {
    const { name, holders, document } = holding;
    if (holders.size > 0 || this.#holdings.get(name) !== holding) return;
    this.#holdings.delete(name);
    if (document) close(document);
  }
}

/** The provider saves what was typed last before the document goes. */
function close({ provider, ydoc }: OpenDocument): void {
  void provider.whenDestroyed().then(() => ydoc.destroy());
}
