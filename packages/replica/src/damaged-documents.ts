import { HeddleErrorCode, isHeddleError, type DocumentId, type Logger } from "@heddle/core";

/** Called once for each document that turns out to be damaged. */
export type OnDamage = (document: DocumentId, error: Error) => void;

/** Documents whose log did not prove itself when it was read: at the start, or for somebody later. */
export class DamagedDocuments {
  readonly #documents: Set<DocumentId>;
  readonly #logger: Logger;
  readonly #onDamage: OnDamage | undefined;

  /** @param recovered what recovery found, and reported. */
  constructor(recovered: readonly DocumentId[], logger: Logger, onDamage: OnDamage | undefined) {
    this.#documents = new Set(recovered);
    this.#logger = logger;
    this.#onDamage = onDamage;
  }

  get count(): number {
    return this.#documents.size;
  }

  /** Reading `document` failed with `error`, which may also say nothing about the document. */
  failed(document: DocumentId, error: Error): void {
    if (!isHeddleError(error, HeddleErrorCode.storageCorrupt)) return;
    if (this.#documents.has(document)) return;
    this.#documents.add(document);
    this.#logger.error("document.damaged", { document, error: error.message });
    this.#onDamage?.(document, error);
  }

  /** It was read whole: somebody has mended it, or the disk was only slow to answer. */
  opened(document: DocumentId): void {
    this.#documents.delete(document);
  }
}
