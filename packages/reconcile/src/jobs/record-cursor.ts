import { projectionLimits } from "../projection-limits.ts";
import type { ProjectionStore, StoredRecord } from "../projection-store.ts";
import type { RecordPath } from "../record-path.ts";

/** Waited for after each page, so that whoever reads is slowed down. */
export type OnPage = () => Promise<void>;

/** Records below a path in their order, read in pages as they are asked for. */
export class RecordCursor {
  readonly #store: ProjectionStore;
  readonly #under: RecordPath;
  readonly #onPage: OnPage;
  #after: RecordPath | undefined;
  #page: readonly StoredRecord[] = [];
  #index = 0;
  #isAtEnd = false;

  constructor(
    store: ProjectionStore,
    { under, after }: { readonly under: RecordPath; readonly after?: RecordPath | undefined },
    onPage: OnPage,
  ) {
    this.#store = store;
    this.#under = under;
    this.#after = after;
    this.#onPage = onPage;
  }

  /** The next record, which stays; `undefined` after the last one. */
  async peek(): Promise<StoredRecord | undefined> {
    if (this.#index < this.#page.length || this.#isAtEnd) return this.#page[this.#index];
    await this.#read();
    return this.#page[this.#index];
  }

  /** The next record if its path begins so. */
  async takeUnder(path: RecordPath): Promise<StoredRecord | undefined> {
    const next = this.#page[this.#index] ?? (await this.peek());
    if (next === undefined || !path.every((part, index) => next.path[index] === part)) {
      return undefined;
    }
    this.#index++;
    return next;
  }

  /** Takes all records whose paths begin so, when they come next. */
  async *under(path: RecordPath): AsyncIterable<StoredRecord> {
    for (;;) {
      const record = await this.takeUnder(path);
      if (record === undefined) return;
      yield record;
    }
  }

  async #read(): Promise<void> {
    const limit = projectionLimits.pageEntriesMax;
    const range = { under: this.#under, after: this.#after, limit };
    this.#page = await this.#store.readPage(range);
    this.#index = 0;
    const last = this.#page.at(-1);
    if (last === undefined) this.#isAtEnd = true;
    else this.#after = last.path;
    await this.#onPage();
  }
}
