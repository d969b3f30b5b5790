import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { HeddleError, HeddleErrorCode } from "@heddle/core";

import { storageError } from "./level-errors.ts";
import { holdsFiles } from "./new-folder.ts";
import {
  backupListName,
  deviceKeyName,
  logFolderName,
  quarantineFolderName,
} from "./store-layout.ts";
import { markerName } from "./store-marker.ts";
import { witnessName } from "./witness.ts";

/** What is only made once there is a store, and in a backup of one. */
const traces = [witnessName, deviceKeyName, quarantineFolderName, backupListName];

/**
 * A folder without a marker gets a new store, unless it had one: that would look like a store in which
 * everything was deleted.
 *
 * @throws HeddleError `HEDDLE_STORAGE_CORRUPT` (STO-6).
 */
export async function assertNeverAStore(folder: string): Promise<void> {
  if (await holdsFiles(join(folder, logFolderName))) throw lost("there is a log");
  let names: readonly string[];
  try {
    names = await readdir(folder);
  } catch (cause) {
    throw storageError(cause, "the data folder could not be read");
  }
  const trace = traces.find((name) => names.includes(name));
  if (trace !== undefined) throw lost(`there is ${trace}`);
}

function lost(what: string): HeddleError {
  const message = `${what}, but no ${markerName}: a store was here, and no new one is made in its place`;
  return new HeddleError(HeddleErrorCode.storageCorrupt, message);
}
