import {
  openLevelDatabase,
  type ChunkLimits,
  type Entry,
  type LogDatabase,
  type OpenDatabase,
  type Operation,
} from "./level-database.ts";
import type { KeyRange } from "./key-writer.ts";

/** What a write does instead of succeeding. */
export type WriteFault = "fails" | "lands but fails";

/** Real LevelDB whose writes and openings fail when a test says so. */
export class FaultyLevel {
  /** Faults of the coming writes, first come first served. */
  readonly writeFaults: (WriteFault | undefined)[] = [];
  /** Messages with which the coming openings fail. */
  readonly openFaults: string[] = [];
  message = "IO error: /log/000005.log: Input/output error";
  openings = 0;
  current: LogDatabase | undefined;

  readonly open: OpenDatabase = async (folder, opening) => {
    this.openings++;
    const fault = this.openFaults.shift();
    if (fault !== undefined) throw new Error(fault);
    this.current = await openLevelDatabase(folder, opening);
    return new FaultyDatabase(this.current, this);
  };
}

class FaultyDatabase implements LogDatabase {
  readonly #database: LogDatabase;
  readonly #level: FaultyLevel;

  constructor(database: LogDatabase, level: FaultyLevel) {
    this.#database = database;
    this.#level = level;
  }

  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#database.get(key);
  }

  hasMany(keys: readonly Uint8Array[]): Promise<boolean[]> {
    return this.#database.hasMany(keys);
  }

  entries(range: KeyRange, chunks?: ChunkLimits): AsyncIterable<readonly Entry[]> {
    return this.#database.entries(range, chunks);
  }

  lastKey(range: KeyRange): Promise<Uint8Array | undefined> {
    return this.#database.lastKey(range);
  }

  async write(operations: readonly Operation[]): Promise<void> {
    const fault = this.#level.writeFaults.shift();
    if (fault !== "fails") await this.#database.write(operations);
    if (fault) throw new Error(this.#level.message);
  }

  close(): Promise<void> {
    return this.#database.close();
  }
}
