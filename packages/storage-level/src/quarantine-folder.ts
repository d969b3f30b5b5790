import { copyFile, mkdir, open, rename, unlink } from "node:fs/promises";
import { join } from "node:path";

import { storageError } from "./level-errors.ts";
import { syncFolder } from "./replace-file.ts";
import { logFolderName, quarantineFolderName } from "./store-layout.ts";

/** Where one file of the log was put, as a path within the data folder. */
export type Aside = string;

/** Copies `name` of the log to the quarantine of the data folder `folder`. */
export function copyAside(folder: string, name: string, atMs: number): Promise<Aside> {
  return putAside(folder, name, atMs, copyToDisk);
}

/** LevelDB may remove what was copied right afterwards. */
async function copyToDisk(from: string, to: string): Promise<void> {
  await copyFile(from, to);
  const file = await open(to, "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Moves it there: LevelDB writes over a file whose number it gives again. */
export function moveAside(folder: string, name: string, atMs: number): Promise<Aside> {
  return putAside(folder, name, atMs, rename);
}

async function putAside(
  folder: string,
  name: string,
  atMs: number,
  put: (from: string, to: string) => Promise<void>,
): Promise<Aside> {
  const quarantine = join(folder, quarantineFolderName);
  const aside = `${new Date(atMs).toISOString().replaceAll(":", "-")}-${name}`;
  try {
    await mkdir(quarantine, { recursive: true, mode: 0o700 });
    await put(join(folder, logFolderName, name), join(quarantine, aside));
    await syncFolder(quarantine);
  } catch (cause) {
    throw storageError(cause, `${name} of the log could not be set aside`);
  }
  return `${quarantineFolderName}/${aside}`;
}

/** For what turned out to be needed by nobody. */
export async function removeAside(folder: string, aside: Aside): Promise<void> {
  try {
    await unlink(join(folder, aside));
  } catch (cause) {
    throw storageError(cause, `${aside} could not be removed`);
  }
}
