import { readFile } from "node:fs/promises";
import { hostname } from "node:os";

import { HeddleError, HeddleErrorCode } from "@heddle/core";
import { replaceFile } from "@heddle/replica/node";

import { isName, nameFrom } from "./device-name.ts";

/**
 * What a device calls itself: as it was last told, by whichever program, and until then as the computer does.
 *
 * @param given from now on, if there is one.
 * @throws HeddleError `HEDDLE_STORAGE_IO` when a new name could not be kept.
 */
export async function keptName(file: string, given: string | undefined): Promise<string> {
  const kept = await readName(file);
  if (given === undefined) return kept ?? hostname();
  const name = nameFrom(given);
  if (name === kept) return name;
  try {
    await replaceFile(file, `${name}\n`);
  } catch (cause) {
    throw new HeddleError(HeddleErrorCode.storageIo, `${file} could not be written`, { cause });
  }
  return name;
}

/** Undefined for what is missing or damaged: it is only a name. */
async function readName(file: string): Promise<string | undefined> {
  try {
    const name = (await readFile(file, "utf8")).trimEnd();
    return isName(name) ? name : undefined;
  } catch {
    return undefined;
  }
}
