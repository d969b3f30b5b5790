import { stat } from "node:fs/promises";

import { storageError } from "./level-errors.ts";

/** @throws HeddleError `HEDDLE_STORAGE_IO` when nobody may look. */
export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (cause) {
    if (isMissing(cause)) return false;
    throw storageError(cause, `${path} could not be looked at`);
  }
}

/** Whether the system says that there is no such file. */
export function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOENT";
}
