import type {
  ApplyOutcome,
  Expectation,
  LeaseProof,
  ProjectionStore,
  RecordBytes,
  StoredRecord,
} from "./projection-store.ts";
import { projectionLimits } from "./projection-limits.ts";
import type { RecordPath } from "./record-path.ts";

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
      const isUnder = under.every((part, index) => path[index] === part);
      if (isUnder && !met.has(key) && value !== undefined) yield { path, value };
    }
  }

  put(path: RecordPath, value: Uint8Array): void {
    this.#draft(path, value);
  }

  remove(path: RecordPath): void {
    this.#draft(path, undefined);
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

  #draft(path: RecordPath, value: Uint8Array | undefined): void {
    const key = keyOf(path);
    this.#bytes += (value?.length ?? 0) - (this.#drafted.get(key)?.value?.length ?? 0);
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
