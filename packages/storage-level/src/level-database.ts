import { Level } from "level";

import { EmptyPrefixes } from "./empty-prefixes.ts";
import { openError, storageError } from "./level-errors.ts";
import type { KeyRange } from "./key-writer.ts";

/**
 * The little that the store needs from LevelDB, and the border at which foreign types stop: values
 * are plain byte arrays that nobody else holds, and every error is a `HeddleError`. Fault tests put
 * a database that fails in its place.
 */
export interface LogDatabase {
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  hasMany(keys: readonly Uint8Array[]): Promise<boolean[]>;
  /** Entries of `range` in chunks of bounded size; sees the database as it is at the first chunk. */
  entries(range: KeyRange, chunks?: ChunkLimits): AsyncIterable<readonly Entry[]>;
  /** The last key of `range`. */
  lastKey(range: KeyRange): Promise<Uint8Array | undefined>;
  /** Writes all of `operations` or none and returns once they are on disk. */
  write(operations: readonly Operation[]): Promise<void>;
  close(): Promise<void>;
}

/** For readers that may stop early, or that are many at once. */
export interface ChunkLimits {
  readonly bytesMax: number;
  /** Asked before each chunk. */
  readonly entriesMax: () => number;
}

export type Entry = readonly [key: Uint8Array, value: Uint8Array];

export type Operation =
  | { readonly type: "put"; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: "del"; readonly key: Uint8Array };

export interface DatabaseOpening {
  readonly createIfMissing: boolean;
}

export type OpenDatabase = (folder: string, opening: DatabaseOpening) => Promise<LogDatabase>;

/** A chunk is limited by both; LevelDB's own 16 KiB would mean a thread hop per few envelopes. */
const chunkLimits: ChunkLimits = { bytesMax: 1024 * 1024, entriesMax: () => 1000 };
/**
 * classic-level makes room for as many entries as are asked for, 64 bytes each, outside the heap, and
 * keeps it until the collector finds the iterator: most ranges hold a few entries, and it is asked for
 * more only where there are more.
 */
const firstEntriesMax = 16;
const chainedBytesMax = 1024 * 1024;

type Batch = ReturnType<Level<Uint8Array, Uint8Array>["batch"]>;

/** Opens LevelDB in `folder`. */
export const openLevelDatabase: OpenDatabase = async (folder, { createIfMissing }) => {
  const options = { keyEncoding: "view", valueEncoding: "view", createIfMissing };
  const level = new Level<Uint8Array, Uint8Array>(folder, options);
  try {
    await level.open();
  } catch (cause) {
    throw openError(cause, "the log could not be opened");
  }
  return new LevelDatabase(level);
};

/** Rewrites all tables in `folder`, which nobody has open. */
export async function compactLevel(folder: string): Promise<void> {
  const options = { keyEncoding: "view", valueEncoding: "view", createIfMissing: false };
  const level = new Level<Uint8Array, Uint8Array>(folder, options);
  try {
    await level.open();
  } catch (cause) {
    throw openError(cause, "the log could not be opened");
  }
  try {
    // The type leaves out what only LevelDB itself can do.
    const classic = level as unknown as {
      compactRange(from: Uint8Array, to: Uint8Array): Promise<void>;
    };
    await classic.compactRange(Uint8Array.of(0), Uint8Array.of(0xff, 0xff));
  } catch (cause) {
    throw storageError(cause, "the log could not be compacted");
  } finally {
    await level.close();
  }
}

/** A database of `level`, in either of its builds; open. */
export class LevelDatabase implements LogDatabase {
  readonly #level: Level<Uint8Array, Uint8Array>;
  readonly #empty = new EmptyPrefixes(async (range) => {
    return (await this.#edgeKey(range, false)) === undefined;
  });

  constructor(level: Level<Uint8Array, Uint8Array>) {
    this.#level = level;
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    const value: Uint8Array | undefined = await reading(this.#level.get(key));
    return value && plain(value);
  }

  async hasMany(keys: readonly Uint8Array[]): Promise<boolean[]> {
    return keys.length === 0 ? [] : reading(this.#level.hasMany([...keys]));
  }

  async *entries(
    { gte, lt }: KeyRange,
    { bytesMax, entriesMax }: ChunkLimits = chunkLimits,
  ): AsyncIterable<readonly Entry[]> {
    if (await this.#empty.covers({ gte, lt })) return;
    const iterator = this.#level.iterator({ gte, lt, highWaterMarkBytes: bytesMax });
    try {
      for (let size = firstEntriesMax; ; size *= 4) {
        const chunk = await reading(iterator.nextv(Math.min(size, entriesMax())));
        if (chunk.length === 0) return;
        yield chunk.map(([key, value]): Entry => [plain(key), plain(value)]);
      }
    } finally {
      await iterator.close();
    }
  }

  lastKey(range: KeyRange): Promise<Uint8Array | undefined> {
    return this.#edgeKey(range, true);
  }

  async write(operations: readonly Operation[]): Promise<void> {
    this.#empty.note(operations);
    try {
      await this.commit(operations);
    } catch (cause) {
      throw storageError(cause, "the log could not be written");
    }
  }

  /** @throws whatever the database has to say. */
  protected async commit(operations: readonly Operation[]): Promise<void> {
    // Both forms end in one LevelDB write. The chained one takes a third of the time per operation,
    // but its copy of the bytes is only let go of by the collector, so it is not for large batches.
    if (isLarge(operations)) await this.#level.batch([...operations], { sync: true });
    else await chain(this.#level.batch(), operations).write({ sync: true });
  }

  close(): Promise<void> {
    return this.#level.close();
  }

  /** The first or the last key of a range. */
  async #edgeKey({ gte, lt }: KeyRange, isLast: boolean): Promise<Uint8Array | undefined> {
    const iterator = this.#level.keys({ gte, lt, reverse: isLast, limit: 1 });
    try {
      const [key] = await reading(iterator.nextv(1));
      return key && plain(key);
    } finally {
      await iterator.close();
    }
  }
}

function isLarge(operations: readonly Operation[]): boolean {
  let bytes = 0;
  for (let index = 0; index < operations.length; index++) {
    const operation = operations[index]!;
    if (operation.type === "put") bytes += operation.value.length;
  }
  return bytes > chainedBytesMax;
}

function chain(batch: Batch, operations: readonly Operation[]): Batch {
  for (let index = 0; index < operations.length; index++) {
    const operation = operations[index]!;
    if (operation.type === "put") batch.put(operation.key, operation.value);
    else batch.del(operation.key);
  }
  return batch;
}

async function reading<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (cause) {
    throw storageError(cause, "the log could not be read");
  }
}

/** Level hands out Buffers; each owns its memory, so that the same bytes can be given away. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
