import type {
  ApplyOutcome,
  Expectation,
  LeaseProof,
  ProjectionStore,
  RecordBytes,
  StoredRecord,
} from "./projection-store.ts";
import { isAsExpected } from "./projection-batch.ts";
import { projectionLimits } from "./projection-limits.ts";
import { isUnder, type RecordPath } from "./record-path.ts";

/** What goes with the records of a draft. */
export interface DraftCommit {
  readonly audit?: readonly Uint8Array[];
  readonly lease?: LeaseProof | undefined;
}

/**
 * One batch in the making: readings see what was drafted before, and everything that was read from the
 * store has to be still so when the batch is written (PRJ-4). After `moved` a draft is of no use.
 */
export class RecordDraft {
  readonly #store: ProjectionStore;
  readonly #read = new Map<string, Expectation>();
  readonly #drafted = new Map<string, { path: RecordPath; value: Uint8Array | undefined }>();
  #bytes = 0;
  #undo: (() => void)[] | undefined;

  constructor(store: ProjectionStore) {
    this.#store = store;
  }

  /** Records that it would write, and bytes of them. */
  get entries(): number {
    return this.#drafted.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** What it would write; records without a value are removed. */
  get drafted(): Iterable<{ readonly path: RecordPath; readonly value: Uint8Array | undefined }> {
    return this.#drafted.values();
  }

  async get(paths: readonly RecordPath[]): Promise<readonly (RecordBytes | undefined)[]> {
    const unknown = paths.filter((path) => !this.#knows(path));
    if (unknown.length > 0) {
      const values = await this.#store.get(unknown);
      for (const [index, path] of unknown.entries()) this.#note(path, values[index]);
    }
    return paths.map((path) => this.#valueAt(path));
  }

  /** All records under a path: those that were only drafted come last. */
  async *scan(under: RecordPath): AsyncIterable<StoredRecord> {
    const met = new Set<string>();
    for await (const { path, value } of readRecords(this.#store, under)) {
      if (!this.#knows(path)) this.#note(path, value);
      met.add(keyOf(path));
      const now = this.#valueAt(path);
      if (now !== undefined) yield { path, value: now };
    }
    for (const [key, { path, value }] of this.#drafted) {
      if (isUnder(path, under) && !met.has(key) && value !== undefined) yield { path, value };
    }
  }

  /** Whether it would write or remove the record at `path`. */
  isDrafted(path: RecordPath): boolean {
    return this.#drafted.has(keyOf(path));
  }

  /** Whether everything that was read is still so, for whoever will not write. */
  async holds(): Promise<boolean> {
    const read = [...this.#read.values()];
    const now = await this.#getAll(read.map(({ path }) => path));
    return read.every(({ value }, index) => isAsExpected(now[index], value));
  }

  /** The same readings, and nothing drafted: for an entry of the journal about what was read. */
  withoutChanges(): RecordDraft {
    const draft = new RecordDraft(this.#store);
    for (const { path, value } of this.#read.values()) draft.#note(path, value);
    return draft;
  }

  /** Whether what was committed lies there. What somebody has written over it since is theirs. */
  async isWritten(): Promise<boolean> {
    const drafted = [...this.#drafted.values()];
    const found = await this.#getAll(drafted.map(({ path }) => path));
    return drafted.every(({ path, value }, index) => {
      if (isAsExpected(found[index], value)) return true;
      const before = this.#read.get(keyOf(path))?.value;
      return found[index] !== "damaged" && !isAsExpected(found[index], before);
    });
  }

  put(path: RecordPath, value: Uint8Array): void {
    this.#draft(path, value);
  }

  remove(path: RecordPath): void {
    this.#draft(path, undefined);
  }

  /** What `work` drafts is drafted whole, or, when it fails, not at all. One at a time. */
  async attempt<Value>(work: () => Promise<Value>): Promise<Value> {
    const undo: (() => void)[] = [];
    this.#undo = undo;
    try {
      return await work();
    } catch (error) {
      for (const step of undo.toReversed()) step();
      throw error;
    } finally {
      this.#undo = undefined;
    }
  }

  /** Writes it. A draft without records and without entries for the journal is `applied` as it is. */
  async commit({ audit = [], lease }: DraftCommit = {}): Promise<ApplyOutcome> {
    const put: { path: RecordPath; value: Uint8Array }[] = [];
    const remove: RecordPath[] = [];
    for (const { path, value } of this.#drafted.values()) {
      if (value) put.push({ path, value });
      else remove.push(path);
    }
    if (put.length + remove.length + audit.length === 0) return "applied";
    const expect = [...this.#read.values()];
    return this.#store.apply({ put, remove, audit }, { expect, lease });
  }

  async #getAll(paths: readonly RecordPath[]): Promise<(RecordBytes | undefined)[]> {
    const values: (RecordBytes | undefined)[] = [];
    for (let at = 0; at < paths.length; at += projectionLimits.batchEntriesMax) {
      const chunk = paths.slice(at, at + projectionLimits.batchEntriesMax);
      values.push(...(await this.#store.get(chunk)));
    }
    return values;
  }

  #draft(path: RecordPath, value: Uint8Array | undefined): void {
    const key = keyOf(path);
    const before = this.#drafted.get(key);
    const bytes = this.#bytes;
    this.#undo?.push(() => {
      this.#bytes = bytes;
      if (before) this.#drafted.set(key, before);
      else this.#drafted.delete(key);
    });
    this.#bytes += (value?.length ?? 0) - (before?.value?.length ?? 0);
    this.#drafted.set(key, { path, value });
  }

  #note(path: RecordPath, value: RecordBytes | undefined): void {
    this.#read.set(keyOf(path), { path, value });
  }

  #knows(path: RecordPath): boolean {
    const key = keyOf(path);
    return this.#drafted.has(key) || this.#read.has(key);
  }

  #valueAt(path: RecordPath): RecordBytes | undefined {
    const key = keyOf(path);
    const drafted = this.#drafted.get(key);
    return drafted ? drafted.value : this.#read.get(key)?.value;
  }
}

/** All records under a path, page by page. */
export async function* readRecords(
  store: ProjectionStore,
  under: RecordPath,
): AsyncIterable<StoredRecord> {
  const limit = projectionLimits.pageEntriesMax;
  for (let after: RecordPath | undefined; ;) {
    const page = await store.readPage({ under, after, limit });
    if (page.length === 0) return;
    yield* page;
    after = page.at(-1)!.path;
  }
}

function keyOf(path: RecordPath): string {
  return path.join("\0");
}
