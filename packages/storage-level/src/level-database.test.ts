import { Level } from "level";
import { expect, test, vi } from "vitest";

import { openLevelDatabase } from "./level-database.ts";
import { temporaryFolder } from "./temporary-folder.fixture.ts";

test("[STO-1] every write asks LevelDB to sync before it answers", async () => {
  const batch = vi.spyOn(Level.prototype, "batch");
  const { folder, remove } = await temporaryFolder();
  const database = await openLevelDatabase(folder, { createIfMissing: true });
  try {
    const key = Uint8Array.of(1);
    await database.write([{ type: "put", key, value: Uint8Array.of(2) }]);
    await database.write([{ type: "del", key }]);
    // The overload without arguments is the one that its type remembers.
    const calls = batch.mock.calls as unknown as readonly (readonly unknown[])[];
    expect(calls.map(([, options]) => options)).toEqual([{ sync: true }, { sync: true }]);
  } finally {
    await database.close();
    batch.mockRestore();
    await remove();
  }
});
