import { openLevelDatabase, type LogDatabase, type OpenDatabase } from "@heddle/storage-level";

/** What was read from databases that {@link countedDatabase} opened: keys and values, as LevelDB hands them out. */
export interface ReadCounts {
  records: number;
  bytes: number;
}

/** Opens LevelDB, and counts what is read from it. */
export function countedDatabase(counts: ReadCounts): OpenDatabase {
  const count = (...parts: readonly Uint8Array[]): void => {
    counts.records++;
    for (const part of parts) counts.bytes += part.length;
  };
  return async (folder, opening) => {
    const database = await openLevelDatabase(folder, opening);
    const counted: LogDatabase = {
      async get(key) {
        const value = await database.get(key);
        if (value !== undefined) count(key, value);
        return value;
      },
      hasMany: (keys) => database.hasMany(keys),
      async *entries(range, chunks) {
        for await (const chunk of database.entries(range, chunks)) {
          for (const entry of chunk) count(...entry);
          yield chunk;
        }
      },
      lastKey: (range) => database.lastKey(range),
      write: (operations) => database.write(operations),
      close: () => database.close(),
    };
    return counted;
  };
}
