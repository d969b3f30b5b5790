import { isUnder, type RecordPath } from "../record-path.ts";
import type { RecordDraft } from "../record-draft.ts";

/** Records of corrections in one partition that are kept; of more a run cannot say what totals would come to. */
const recordsMax = 2_048;

interface DraftedRecord {
  readonly path: RecordPath;
  readonly value: Uint8Array | undefined;
}

/**
 * What a run found in one partition and did not write: in a dry run, and where a projection is never repaired
 * or leaves that to its application. What comes after it is looked at as if it were written, or the total of a row that is
 * wrong would be said to be wrong because of it.
 */
export class UnwrittenCorrections {
  #partition: string | undefined;
  #records: DraftedRecord[] = [];
  #isTooMuch = false;

  /** @param draft made by `draftOn`: what was found there before is in it. */
  note(partition: string, draft: RecordDraft): void {
    const wasTooMuch = partition === this.#partition && this.#isTooMuch;
    this.#partition = partition;
    this.#isTooMuch = wasTooMuch || draft.entries > recordsMax;
    this.#records = this.#isTooMuch ? [] : [...draft.drafted];
  }

  /** Whether it knows all that was found in that partition since it came to it. */
  isKnown(partition: string): boolean {
    return partition !== this.#partition || !this.#isTooMuch;
  }

  /** Whether rows of that document are among it. */
  has(rows: RecordPath): boolean {
    return this.#records.some(({ path }) => isUnder(path, rows));
  }

  /** As if it were written. A draft with something of it must not be. */
  putInto(draft: RecordDraft, partition: string): void {
    if (partition !== this.#partition) return;
    for (const { path, value } of this.#records) {
      if (value) draft.put(path, value);
      else draft.remove(path);
    }
  }
}
