import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { HeddleErrorCode } from "@heddle/core";
import { nodeEnvironment, openReplica, readSpaceFile } from "@heddle/replica/node";
import { levelStore } from "@heddle/storage-level";
import { afterEach, beforeEach, expect, test } from "vitest";

import { prepareSpace } from "./prepare-space.ts";

// Goal: only a folder in which nothing was written, and nothing runs, takes part in a space.
// Method: one folder, in each of these states.

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "heddle-cli-space-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const ignore = (): void => undefined;
const environment = nodeEnvironment({ debug: ignore, info: ignore, warn: ignore, error: ignore });
const genesis = Uint8Array.of(1, 2, 3);

test("[LAN-14] a folder that is in use, or has documents, takes part in no space", async () => {
  const replica = await openReplica({ store: levelStore(folder) });
  const locked = { code: HeddleErrorCode.storageLocked };
  await expect(prepareSpace(folder, genesis, environment)).rejects.toMatchObject(locked);
  const document = await replica.open("notes");
  document.ydoc.getMap("map").set("key", 1);
  await document.whenSaved();
  await replica.close();
  const invalid = { code: HeddleErrorCode.configInvalid };
  await expect(prepareSpace(folder, genesis, environment)).rejects.toMatchObject(invalid);
  expect(existsSync(path.join(folder, "space.genesis"))).toBe(false);
});

test("[LAN-14] a folder that was opened and not written to does, and not before it is told to", async () => {
  await (await openReplica({ store: levelStore(folder) })).close();
  const takePart = await prepareSpace(folder, genesis, environment);
  expect(await readSpaceFile(folder)).toBeUndefined();
  await takePart();
  expect(await readSpaceFile(folder)).toEqual(genesis);
});
