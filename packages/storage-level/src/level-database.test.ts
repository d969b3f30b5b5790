import { Level } from "level";
import { expect, test, vi } from "vitest";

import { openLevelDatabase, type Operation } from "./level-database.ts";
import { temporaryFolder } from "./temporary-folder.fixture.ts";

test("[STO-1] every write asks LevelDB to sync before it answers", async () => {
  const { options, restore } = watchWrites();
  const { folder, remove } = await temporaryFolder();
  const database = await openLevelDatabase(folder, { createIfMissing: true });
  try {
    const key = Uint8Array.of(1);
    const large = new Uint8Array(2 * 1024 * 1024).fill(3);
    await database.write([{ type: "put", key, value: Uint8Array.of(2) }]);
    expect(await database.get(key)).toEqual(Uint8Array.of(2));
    await database.write([{ type: "put", key, value: large }]);
    expect(Buffer.compare((await database.get(key))!, large)).toBe(0);
    await database.write([{ type: "del", key }]);
    expect(await database.get(key)).toBeUndefined();
    expect(options).toEqual([{ sync: true }, { sync: true }, { sync: true }]);
  } finally {
    await database.close();
    restore();
    await remove();
  }
});

test("[STO-1] operations of one write take effect in their order", async () => {
  const { folder, remove } = await temporaryFolder();
  const database = await openLevelDatabase(folder, { createIfMissing: true });
  try {
    for (const value of [Uint8Array.of(7), new Uint8Array(2 * 1024 * 1024)]) {
      await database.write([put(1, value), { type: "del", key: Uint8Array.of(1) }, put(2, value)]);
      expect(await database.get(Uint8Array.of(1))).toBeUndefined();
      await database.write([{ type: "del", key: Uint8Array.of(2) }, put(2, Uint8Array.of(9))]);
      expect(await database.get(Uint8Array.of(2))).toEqual(Uint8Array.of(9));
    }
  } finally {
    await database.close();
    await remove();
  }
});

function put(key: number, value: Uint8Array): Operation {
  return { type: "put", key: Uint8Array.of(key), value };
}

/** The options of every write that reaches LevelDB, in either of its two forms. */
function watchWrites(): { options: unknown[]; restore: () => void } {
  const options: unknown[] = [];
  const batch = Level.prototype.batch as (...args: unknown[]) => unknown;
  const spy = vi.spyOn(Level.prototype, "batch") as unknown as {
    mockImplementation(form: (this: unknown, ...args: unknown[]) => unknown): void;
    mockRestore(): void;
  };
  spy.mockImplementation(function (...args) {
    const result = batch.apply(this, args);
    if (args.length > 0) options.push(args[1]);
    else {
      const chained = result as { write(options: unknown): Promise<void> };
      const write = chained.write.bind(chained);
      chained.write = (given) => {
        options.push(given);
        return write(given);
      };
    }
    return result;
  });
  return { options, restore: () => spy.mockRestore() };
}
