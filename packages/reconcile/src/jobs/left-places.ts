import type { DocumentId } from "@heddle/core";

/** More are not kept: the next run looks at everything. */
const placesMax = 1_000;

/**
 * What a run looked at and did not make right: documents that are not whole, what is not to be corrected, what moved
 * whenever it was looked at. A run that looks only at what moved looks at these, too.
 */
export class LeftPlaces {
  readonly #partitions = new Set<string>();
  readonly #documents = new Set<DocumentId>();

  get partitions(): ReadonlySet<string> {
    return this.#partitions;
  }

  get documents(): ReadonlySet<DocumentId> {
    return this.#documents;
  }

  /** False when there were more than are kept. */
  get isWhole(): boolean {
    return this.#partitions.size + this.#documents.size <= placesMax;
  }

  addPartition(partition: string): void {
    if (this.isWhole) this.#partitions.add(partition);
  }

  addDocument(document: DocumentId): void {
    if (this.isWhole) this.#documents.add(document);
  }
}
