import { HeddleError, HeddleErrorCode } from "@heddle/core";

import { kindPath, livePath, totalPath, type GenerationId } from "./projection-layout.ts";
import { decodeLive, decodeTotal } from "./projection-records.ts";
import type { ProjectionStore, RecordBytes, StoredRecord } from "./projection-store.ts";
import type { RowValue } from "./row-value.ts";

/** What applications read: totals of the generation that is live at the moment of each call. */
export class ProjectionReader {
  readonly #store: ProjectionStore;
  readonly #projection: string;

  constructor(store: ProjectionStore, projection: string) {
    this.#store = store;
    this.#projection = projection;
  }

  /** Whether there is anything to read: not while a projection is built for the first time. */
  async isBuilt(): Promise<boolean> {
    return (await this.#live()) !== undefined;
  }

  /**
   * What a key comes to; `undefined` when no document gives to it, or nothing is built yet.
   *
   * @throws HeddleError `HEDDLE_STORAGE_*`; `..._CORRUPT` for a damaged total, until it is mended.
   */
  async get(partition: string, key: string): Promise<RowValue | undefined> {
    for (;;) {
      const live = await this.#live();
      if (live === undefined) return undefined;
      const paths = [livePath(this.#projection), totalPath(live, partition, key)];
      const [pointer, stored] = await this.#store.get(paths);
      // Another one was switched to in between, and this one may be on its way out.
      if (numberIn(pointer) !== live.number) continue;
      return stored === undefined ? undefined : valueIn(stored, key);
    }
  }

  /** As {@link list}, without what they come to: of a damaged total, too. */
  async keys(
    partition: string,
    after: string | undefined,
    limit: number,
  ): Promise<readonly string[]> {
    const page = await this.#page(partition, after, limit);
    return page.map(({ path }) => path.at(-1)!);
  }

  /**
   * Keys of a partition in their order, from behind `after` on; at most `limit`.
   *
   * @throws HeddleError as {@link get}.
   */
  async list(
    partition: string,
    after: string | undefined,
    limit: number,
  ): Promise<readonly KeyValue[]> {
    const page = await this.#page(partition, after, limit);
    return page.map(({ path, value }) => {
      const key = path.at(-1)!;
      return { key, value: valueIn(value, key) };
    });
  }

  async #page(
    partition: string,
    after: string | undefined,
    limit: number,
  ): Promise<readonly StoredRecord[]> {
    for (;;) {
      const live = await this.#live();
      if (live === undefined) return [];
      const under = kindPath("total", live, partition);
      const from = after === undefined ? undefined : totalPath(live, partition, after);
      const page = await this.#store.readPage({ under, after: from, limit });
      if ((await this.#live())?.number === live.number) return page;
    }
  }

  /**
   * Partitions that have a key, in their order, from behind `after` on; at most `limit`. One reading for each.
   *
   * @throws HeddleError as {@link get}.
   */
  async partitions(after: string | undefined, limit: number): Promise<readonly string[]> {
    for (;;) {
      const live = await this.#live();
      if (live === undefined) return [];
      const under = kindPath("total", live);
      const found: string[] = [];
      for (let last = after; found.length < limit;) {
        // Behind all keys of that partition, and before those of the next one.
        const from = last === undefined ? undefined : [...under, `${last}\u0001`];
        const [first] = await this.#store.readPage({ under, after: from, limit: 1 });
        last = first?.path[under.length];
        if (last === undefined) break;
        found.push(last);
      }
      if ((await this.#live())?.number === live.number) return found;
    }
  }

  async #live(): Promise<GenerationId | undefined> {
    const [stored] = await this.#store.get([livePath(this.#projection)]);
    const number = numberIn(stored);
    return number === undefined ? undefined : { projection: this.#projection, number };
  }
}

export interface KeyValue {
  readonly key: string;
  readonly value: RowValue;
}

/** @throws HeddleError `HEDDLE_STORAGE_CORRUPT` */
function numberIn(pointer: RecordBytes | undefined): number | undefined {
  return pointer instanceof Uint8Array ? decodeLive(pointer) : undefined;
}

function valueIn(stored: RecordBytes, key: string): RowValue {
  if (stored instanceof Uint8Array) return decodeTotal(stored).value;
  throw new HeddleError(HeddleErrorCode.storageCorrupt, `the total of ${key} is damaged`);
}
