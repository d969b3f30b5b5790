import type { HeddleProviderEvents } from "@heddle/client";

import type { OpenDocument } from "./open-documents.ts";

type TroubleKind = "suspended" | "failed" | "refused" | "reset" | "drift";

type TroubleOf<Kind extends TroubleKind> = Kind extends unknown
  ? {
      readonly kind: Kind;
      /** That it happened to; after a `reset` another one is shown, and this one can still be read. */
      readonly document: OpenDocument;
      /** What the provider's event of that name brings. */
      readonly detail: Parameters<HeddleProviderEvents[Kind]>[0];
    }
  : never;

/**
 * What an application should tell a person about a document:
 *
 * - `suspended`: the store takes nothing for now; what is typed is kept in memory until it does.
 * - `failed`: nothing of it can be saved any more.
 * - `refused`: edits that will never be saved here, or that a relay will never take; they are in it.
 * - `reset`: the document that was shown could not go on, and another is shown in its place.
 * - `drift`: the document, or its log, was not what it should be; `detail.stage` says whether it is right again.
 */
export type Trouble = TroubleOf<TroubleKind>;

const kinds = ["suspended", "failed", "refused", "reset", "drift"] as const;

/** Follows the troubles of one document for as long as its provider lives. */
export class TroubleWatch {
  #last: Trouble | undefined;
  readonly #listeners = new Set<() => void>();

  /** @param before what the document was opened again for. */
  constructor(document: OpenDocument, before: Trouble | undefined, tell: (news: Trouble) => void) {
    this.#last = before;
    for (const kind of kinds) {
      document.provider.on(kind, (detail: Trouble["detail"]) => {
        const trouble = { kind, document, detail } as Trouble;
        this.#set(trouble);
        tell(trouble);
      });
    }
    // There is no event for the end of it but that all is written.
    document.provider.on("saved", (saved) => {
      if (saved !== false && this.#last?.kind === "suspended") this.#set(undefined);
    });
  }

  get last(): Trouble | undefined {
    return this.#last;
  }

  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #set(trouble: Trouble | undefined): void {
    this.#last = trouble;
    for (const listener of this.#listeners) listener();
  }
}
