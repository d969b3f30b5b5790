import { assert } from "@heddle/core";

import type { SalvagedEntry } from "./level-entries.ts";
import type { Entry, LogDatabase, Operation } from "./level-database.ts";
import type { KeyRange } from "./key-writer.ts";
import { keyLengthsOf } from "./key-kinds.ts";
import { viewOf } from "./uint32.ts";

/** A record that passed its checksum, and how it was come by. */
export interface SalvagedRecord {
  readonly key: Uint8Array;
  readonly record: Uint8Array;
  /** By what it looks like: proves nothing by itself. */
  readonly isFound: boolean;
  /** Its key here, see {@link SalvageDatabase.read}. */
  readonly at: Uint8Array;
}

const batchBytesMax = 4 * 1024 * 1024;
const everything: KeyRange = { gte: new Uint8Array(), lt: Uint8Array.of(0xff) };

/**
 * Every version of every record that was salvaged, on disk, so that a store of any size needs little
 * memory. It reads as a database does that holds of each key the newest version.
 *
 *   key := length of the record's key uint8 • the key • inverted sequence 8 • found uint8 • checksum 4
 *
 * Newest first; the checksum keeps two histories apart that used one sequence. A deletion is empty.
 */
export class SalvageDatabase implements Pick<LogDatabase, "entries" | "get"> {
  readonly #database: LogDatabase;
  #batch: Operation[] = [];
  #bytes = 0;

  constructor(database: LogDatabase) {
    this.#database = database;
  }

  /** Copies the bytes of `entry`, whose record passed its checksum. */
  async put(entry: SalvagedEntry): Promise<void> {
    const value = entry.value ? Uint8Array.from(entry.value) : new Uint8Array();
    this.#batch.push({ type: "put", key: stagedKey(entry), value });
    this.#bytes += value.length + 128;
    if (this.#bytes >= batchBytesMax) await this.flush();
  }

  async flush(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    this.#bytes = 0;
    if (batch.length > 0) await this.#database.write(batch);
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    for await (const [[found, record]] of this.entries({ gte: key, lt: behind(key) })) {
      if (found.length === key.length) return record;
    }
    return undefined;
  }

  /** Of each key its newest version, one to a chunk; what was deleted is left out. */
  async *entries(range: KeyRange): AsyncIterable<readonly [Entry]> {
    let last = "";
    for await (const { key, record, isFound } of this.#all(range)) {
      const name = nameOf(key);
      if (name === last) continue;
      // What was only found must not pass for a later version of what is known.
      if (isFound) continue;
      last = name;
      if (record.length > 0) yield [[key, record]];
    }
  }

  /** All versions that were ever found, newest first for each key, whatever was deleted later. */
  async *versions(range: KeyRange): AsyncIterable<SalvagedRecord> {
    for await (const version of this.#all(range)) if (version.record.length > 0) yield version;
  }

  /** A version that is known to be there. */
  async read({ at }: Pick<SalvagedRecord, "at">): Promise<Entry> {
    const record = await this.#database.get(at);
    assert(record !== undefined, "what was salvaged stays");
    return [keyOf(at), record];
  }

  /** How many records there are, without their older versions. */
  async count(): Promise<number> {
    let count = 0;
    let last = "";
    for await (const chunk of this.#database.entries(everything)) {
      for (const [staged, record] of chunk) {
        const name = nameOf(keyOf(staged));
        if (name !== last && record.length > 0) count++;
        last = name;
      }
    }
    return count;
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  async *#all({ gte, lt }: KeyRange): AsyncIterable<SalvagedRecord> {
    for (const length of keyLengthsOf(gte[0])) {
      const staged = { gte: prefixed(length, gte), lt: prefixed(length, lt) };
      for await (const chunk of this.#database.entries(staged)) {
        for (const [stagedKey, record] of chunk) {
          const isFound = stagedKey[1 + length + 8] === 1;
          yield { key: keyOf(stagedKey), record, isFound, at: stagedKey };
        }
      }
    }
  }
}

function stagedKey({ key, sequence, value, provenance }: SalvagedEntry): Uint8Array {
  const staged = new Uint8Array(1 + key.length + 13);
  staged[0] = key.length;
  staged.set(key, 1);
  viewOf(staged).setBigUint64(1 + key.length, BigInt.asUintN(64, ~sequence));
  staged[9 + key.length] = provenance === "found" ? 1 : 0;
  if (value) staged.set(value.subarray(6, 10), 10 + key.length);
  return staged;
}

function keyOf(staged: Uint8Array): Uint8Array {
  return staged.subarray(1, 1 + staged[0]!);
}

function prefixed(length: number, key: Uint8Array): Uint8Array {
  return Uint8Array.of(length, ...key);
}

/** Behind all that is staged under `key`. */
function behind(key: Uint8Array): Uint8Array {
  return Uint8Array.of(...key, ...new Uint8Array(14).fill(0xff));
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key).toString("latin1");
}
