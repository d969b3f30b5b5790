import { mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { HeddleError, HeddleErrorCode, parseStoreId, type StoreId } from "@heddle/core";

import { encodeChecked, parseChecked } from "./checked-json.ts";
import { isMissing } from "./files.ts";
import { storageError } from "./level-errors.ts";
import { replaceFile, syncFolder } from "./replace-file.ts";
import { storeFormat } from "./store-format.ts";

export { storeFormat } from "./store-format.ts";

/**
 * `heddle-store.json`, beside the LevelDB folder and not in it: LevelDB that finds no CURRENT file
 * would otherwise delete the tables and start an empty store.
 *
 *   no file ──► creating ──► ready
 *
 * Nothing is acknowledged before `ready`, so a crash while creating leaves nothing worth keeping; from
 * then on the log is never created again (STO-6).
 */
export interface StoreMarker {
  /** As it was found; it is written as {@link storeFormat}. */
  readonly format: number;
  readonly storeId: StoreId;
  readonly createdAtMs: number;
  readonly state: "creating" | "ready";
}

const oldestFormat = 1;
/** Left for older ones, which cannot know it. */
const storeNeeds = "heddle 0.1 or later";

export const markerName = "heddle-store.json";

/** @throws HeddleError `HEDDLE_STORAGE_CORRUPT` or `HEDDLE_STORAGE_VERSION`. */
export async function readMarker(folder: string): Promise<StoreMarker | undefined> {
  try {
    return parseMarker(await readFile(join(folder, markerName), "utf8"));
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw storageError(cause, "the store marker could not be read");
  }
}

/** Replaces the marker so that a crash leaves either the old or the new one, both whole. */
export async function writeMarker(folder: string, marker: StoreMarker): Promise<void> {
  const { storeId, createdAtMs, state } = marker;
  const createdAt = new Date(createdAtMs).toISOString();
  const fields = { format: storeFormat, needs: storeNeeds, storeId, createdAt, state };
  try {
    await replaceFile(join(folder, markerName), encodeChecked(fields));
  } catch (cause) {
    throw storageError(cause, "the store marker could not be written");
  }
}

/** Makes `folder` and what is missing above it, and puts each new entry on disk. */
export async function makeFolder(folder: string): Promise<void> {
  try {
    const first = await mkdir(folder, { recursive: true, mode: 0o700 });
    if (first === undefined) return;
    for (let made = folder; made.length >= first.length; made = dirname(made)) {
      await syncFolder(dirname(made));
    }
  } catch (cause) {
    throw storageError(cause, "the data folder could not be made");
  }
}

function parseMarker(json: string): StoreMarker {
  const parsed = parseChecked(json);
  if (!parsed || parsed.check === "wrong") throw markerDamaged();
  const { format, needs, storeId, createdAt, state, ...others } = parsed.fields;
  if (typeof format === "number" && format > storeFormat) {
    // A later heddle may leave word of the release that can read its store.
    const release = typeof needs === "string" ? ` (${needs.slice(0, 64)})` : "";
    throw new HeddleError(
      HeddleErrorCode.storageVersion,
      `the store needs a heddle that reads storage format ${format}${release}; this one reads ${storeFormat}`,
    );
  }
  const id = typeof storeId === "string" ? parseStoreId(storeId) : undefined;
  const createdAtMs = typeof createdAt === "string" ? Date.parse(createdAt) : Number.NaN;
  const isState = state === "creating" || state === "ready";
  const isFormat = typeof format === "number" && format >= oldestFormat;
  const isKnown =
    Object.keys(others).length === 0 && ["undefined", "string"].includes(typeof needs);
  if (!isFormat || !Number.isInteger(format) || !id || Number.isNaN(createdAtMs) || !isState)
    throw markerDamaged();
  // Markers of before there was a checksum: a field by another name is one whose name was hit.
  if (!isKnown) throw markerDamaged();
  return { format, storeId: id, createdAtMs, state };
}

function markerDamaged(): HeddleError {
  return new HeddleError(HeddleErrorCode.storageCorrupt, `${markerName} is damaged`);
}
