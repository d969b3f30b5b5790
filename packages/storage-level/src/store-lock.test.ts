import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";

import { HeddleErrorCode } from "@heddle/core";
import { testHash } from "@heddle/testkit";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { lockFolder } from "./store-lock.ts";
import { temporaryFolder, type TemporaryFolder } from "./temporary-folder.fixture.ts";

const refused = { code: HeddleErrorCode.storageLocked };

describe("folder lock", () => {
  let place: TemporaryFolder;
  beforeEach(async () => {
    place = await temporaryFolder();
  });
  afterEach(() => place.remove());

  it("[STO-5] is held once, and again after its release", async () => {
    const lock = await lockFolder(place.folder, testHash);
    await expect(lockFolder(place.folder, testHash)).rejects.toMatchObject(refused);
    await lock.release();
    const next = await lockFolder(place.folder, testHash);
    await next.release();
  });

  it("[STO-5] sees through links and other ways to write a path", async () => {
    const folder = join(place.folder, "real");
    await mkdir(folder);
    await symlink(folder, join(place.folder, "link"));
    const lock = await lockFolder(folder, testHash);
    for (const path of [join(place.folder, "link"), `${place.folder}/./real/../real/`]) {
      await expect(lockFolder(path, testHash)).rejects.toMatchObject(refused);
    }
    await lock.release();
  });

  it("[STO-5] is seen by a second copy of this module", async () => {
    const lock = await lockFolder(place.folder, testHash);
    vi.resetModules();
    const copy = await import("./store-lock.ts");
    expect(copy.lockFolder).not.toBe(lockFolder);
    await expect(copy.lockFolder(place.folder, testHash)).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining("this process"),
    });
    await lock.release();
  });

  it.runIf(process.platform === "linux")(
    "[STO-5] is seen where the registry is not, as in a worker thread",
    async () => {
      const lock = await lockFolder(place.folder, testHash);
      const registryKey = Symbol.for("heddle.storage-level.held-folders");
      const registry = Reflect.get(globalThis, registryKey);
      Reflect.set(globalThis, registryKey, new Set());
      try {
        await expect(lockFolder(place.folder, testHash)).rejects.toMatchObject({
          ...refused,
          message: expect.stringContaining("another process"),
        });
      } finally {
        Reflect.set(globalThis, registryKey, registry);
      }
      await lock.release();
    },
  );

  it("holds different folders at once", async () => {
    const folders = ["a", "b"].map((name) => join(place.folder, name));
    for (const folder of folders) await mkdir(folder);
    const locks = await Promise.all(folders.map((folder) => lockFolder(folder, testHash)));
    for (const lock of locks) await lock.release();
  });
});
