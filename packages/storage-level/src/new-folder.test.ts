import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { HeddleErrorCode } from "@heddle/core";
import { testHash } from "@heddle/testkit";
import { expect, test } from "vitest";

import { newFolder } from "./new-folder.ts";
import { lockFolder } from "./store-lock.ts";
import { temporaryFolder } from "./temporary-folder.fixture.ts";

test("[STO-11] a new folder appears whole, in a place that is missing or empty", async () => {
  const { folder, remove } = await temporaryFolder();
  try {
    await mkdir(join(folder, "empty"));
    for (const name of ["missing", "empty"]) {
      const made = await newFolder(join(folder, name), testHash);
      await writeFile(join(made.partial, "file"), name);
      await made.finish();
      await made.discard();
      expect(await readdir(join(folder, name))).toEqual(["file"]);
    }
    expect(await readdir(folder)).toEqual(["empty", "missing"]);
  } finally {
    await remove();
  }
});

test("[STO-11] what somebody put in its place meanwhile stays, as does what others are filling", async () => {
  const { folder, remove } = await temporaryFolder();
  try {
    const target = join(folder, "target");
    const [first, second] = [await newFolder(target, testHash), await newFolder(target, testHash)];
    await writeFile(join(first.partial, "first"), "");
    await first.finish();
    await expect(second.finish()).rejects.toMatchObject({ code: HeddleErrorCode.configInvalid });
    expect(await readdir(target)).toEqual(["first"]);
    await second.discard();
    expect(await readdir(folder)).toEqual(["target"]);
    await expect(newFolder(target, testHash)).rejects.toMatchObject({
      code: HeddleErrorCode.configInvalid,
    });
  } finally {
    await remove();
  }
});

test("[STO-5][STO-11] a folder in which somebody begins a store is not replaced", async () => {
  const { folder, remove } = await temporaryFolder();
  try {
    const target = join(folder, "target");
    const made = await newFolder(target, testHash);
    await mkdir(target);
    const lock = await lockFolder(target, testHash);
    await expect(made.finish()).rejects.toMatchObject({ code: HeddleErrorCode.storageLocked });
    await lock.release();
    await made.finish();
  } finally {
    await remove();
  }
});
