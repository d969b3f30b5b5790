import { mkdir, readFile, rename, rm, stat, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { HeddleError, HeddleErrorCode } from "@heddle/core";

import { storageError } from "./level-errors.ts";
import { exists, isMissing } from "./files.ts";
import { replaceFile, syncFolder } from "./replace-file.ts";
import { logFolderName, quarantineFolderName, replaceName } from "./store-layout.ts";
import { markerName } from "./store-marker.ts";
import { witnessName } from "./witness.ts";

/**
 * The files of a store change places with those of another, in steps that can be done again:
 *
 *   aside: the old ones go to the quarantine, one by one
 *   in:    the new ones come, one by one
 *
 * `heddle-replace.json` says which step it is, and is there from before the first rename until after the
 * last. While it is there the folder is refused by whoever would open it (STO-6).
 */
interface Replacement {
  readonly step: "aside" | "in";
  /** Where the new store was made. */
  readonly from: string;
  /** Where the old files go, within the data folder. */
  readonly aside: string;
  /** What the repair said of the new store. */
  readonly ok: boolean;
}

export interface Replaced {
  /** Where the old files are now. */
  readonly aside: string;
  readonly ok: boolean;
}

/** For tests of faults. */
export interface ReplaceOptions {
  readonly renameFile?: typeof rename;
}

const stepNames = [markerName, witnessName, logFolderName] as const;

/**
 * Whether the files of a store at `from` could be put into `folder`, by moving one.
 *
 * @throws HeddleError `HEDDLE_CONFIG_INVALID`; nothing was changed.
 */
export async function assertReplaceable(folder: string, from: string): Promise<void> {
  const probe = `heddle-probe-${process.pid}`;
  await assertNoMountPoint(folder);
  try {
    await writeFile(join(from, probe), "");
    await rename(join(from, probe), join(folder, probe));
    await unlink(join(folder, probe));
  } catch (cause) {
    await rm(join(from, probe), { force: true });
    if ((cause as NodeJS.ErrnoException).code !== "EXDEV") {
      throw storageError(cause, `no file could be moved to ${folder}`);
    }
    throw elsewhere(`${from} is on another file system than ${folder}`);
  }
}

/**
 * Puts the store in `from` in the place of that in `folder`, both of which nobody else has open.
 *
 * @throws HeddleError when the disk refuses. Then, and after a crash, {@link resumeReplacement} goes on.
 */
export async function replaceStore(
  folder: string,
  from: string,
  { atMs, ok }: { readonly atMs: number; readonly ok: boolean },
  options: ReplaceOptions = {},
): Promise<Replaced> {
  const aside = `${quarantineFolderName}/${new Date(atMs).toISOString().replaceAll(":", "-")}`;
  await put(folder, { step: "aside", from, aside, ok });
  return await proceed(folder, { step: "aside", from, aside, ok }, options);
}

/** Ends what {@link replaceStore} began; `undefined` when there is nothing to end. */
export async function resumeReplacement(folder: string): Promise<Replaced | undefined> {
  const begun = await readReplacement(folder);
  return begun && (await proceed(folder, begun, {}));
}

/** Whether a replacement was begun and not ended. */
export function isHalfReplaced(folder: string): Promise<boolean> {
  return exists(join(folder, replaceName));
}

/** @throws HeddleError `HEDDLE_STORAGE_CORRUPT` when it was begun and not ended. */
export async function assertNotHalfReplaced(folder: string): Promise<void> {
  if (!(await isHalfReplaced(folder))) return;
  throw corrupt("heddle repair --replace was interrupted: run it again, and it will be ended");
}

async function proceed(
  folder: string,
  begun: Replacement,
  { renameFile = rename }: ReplaceOptions,
): Promise<Replaced> {
  const { from, ok } = begun;
  const aside = join(folder, begun.aside);
  try {
    if (begun.step === "aside") {
      await mkdir(aside, { recursive: true, mode: 0o700 });
      await syncFolder(join(folder, quarantineFolderName));
      await syncFolder(folder);
      for (const name of stepNames) await move(join(folder, name), join(aside, name), renameFile);
      await syncFolder(aside);
      await syncFolder(folder);
      await put(folder, { ...begun, step: "in" });
    }
    // What is not there any more has been moved.
    for (const name of stepNames) await move(join(from, name), join(folder, name), renameFile);
    await syncFolder(folder);
    for (const name of stepNames) {
      if (!(await exists(join(folder, name)))) throw corrupt(`${name} of the new store is gone`);
    }
    await unlink(join(folder, replaceName));
    await syncFolder(folder);
    await rm(from, { recursive: true, force: true });
    return { aside, ok };
  } catch (cause) {
    throw storageError(cause, "the repaired store could not be put in its place");
  }
}

async function move(from: string, to: string, renameFile: typeof rename): Promise<void> {
  try {
    await renameFile(from, to);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

async function put(folder: string, replacement: Replacement): Promise<void> {
  try {
    const json = JSON.stringify({ format: 1, ...replacement }, undefined, 2);
    await replaceFile(join(folder, replaceName), `${json}\n`);
  } catch (cause) {
    throw storageError(cause, `${replaceName} could not be written`);
  }
}

async function readReplacement(folder: string): Promise<Replacement | undefined> {
  let json: string;
  try {
    json = await readFile(join(folder, replaceName), "utf8");
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw storageError(cause, `${replaceName} could not be read`);
  }
  const { format, step, from, aside, ok } = parsed(json);
  const isStep = step === "aside" || step === "in";
  const isAside = typeof aside === "string" && /^quarantine\/[\w.-]+$/.test(aside);
  if (format !== 1 || !isStep || !isAside || typeof from !== "string" || typeof ok !== "boolean") {
    throw corrupt(
      `${replaceName} is damaged: the store is in two parts, one in ${quarantineFolderName}/`,
    );
  }
  return { step, from, aside, ok };
}

function parsed(json: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(json)) as Record<string, unknown>;
  } catch {
    return {};
  }
}

/** A log on a disk of its own cannot be moved into the quarantine. */
async function assertNoMountPoint(folder: string): Promise<void> {
  try {
    const { dev } = await stat(join(folder, logFolderName));
    if (dev === (await stat(folder)).dev) return;
  } catch (cause) {
    if (isMissing(cause)) return;
    throw storageError(cause, `${folder} could not be looked at`);
  }
  throw elsewhere(`${logFolderName} is on another file system than ${folder}`);
}

function elsewhere(what: string): HeddleError {
  return new HeddleError(
    HeddleErrorCode.configInvalid,
    `${what}: leave out --replace, and move the folders yourself`,
  );
}

function corrupt(what: string): HeddleError {
  return new HeddleError(HeddleErrorCode.storageCorrupt, what);
}
