import { MoveLedger, type DocumentId, type MoveMark } from "@heddle/core";

/** More are not kept: the next run looks at everything. */
const placesMax = 1_000;

const partitionTag = "p";
const documentTag = "d";

/**
 * What runs looked at and did not make right: documents that are not whole, what is not to be corrected, what moved
 * whenever it was looked at. A run that looks only at what moved looks at these, too, whichever run it was that left
 * them and however that one ended: of two that went on at once each says what it left, and neither forgets for the other.
 */
export class LeftPlaces {
  readonly #ledger = new MoveLedger(placesMax);

  addPartition(partition: string): void {
    this.#ledger.note(() => [partitionTag + partition]);
  }

  addDocument(document: DocumentId): void {
    this.#ledger.note(() => [documentTag + document]);
  }

  /** Now. To be taken before anything is looked at; nothing is kept until then. */
  mark(): MoveMark {
    return this.#ledger.mark();
  }

  /** What was left after a mark; `undefined` when there was more than is kept. */
  since(mark: MoveMark): LeftSince | undefined {
    const names = this.#ledger.since(mark);
    return (
      names && {
        partitions: named(names, partitionTag),
        documents: named(names, documentTag) as readonly DocumentId[],
      }
    );
  }
}

export interface LeftSince {
  readonly partitions: readonly string[];
  readonly documents: readonly DocumentId[];
}

function named(names: readonly string[], tag: string): readonly string[] {
  return names.filter((name) => name.startsWith(tag)).map((name) => name.slice(tag.length));
}
