import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";

import { HeddleError, HeddleErrorCode } from "@heddle/core";

export const pageTokenFile = "page-token";
const tokenBytes = 24;

/**
 * What pages have to know to come in: made on first use and kept beside the device key, for its owner's eyes.
 *
 * @throws HeddleError `HEDDLE_STORAGE_IO` when it can be neither read nor made, `HEDDLE_STORAGE_CORRUPT`
 * when the file holds none.
 */
export async function openPageToken(directory: string): Promise<string> {
  const file = path.join(directory, pageTokenFile);
  try {
    await mkdir(directory, { recursive: true });
    const token = randomBytes(tokenBytes).toString("base64url");
    // Never over one that is there: pages know that one.
    await writeFile(file, `${token}\n`, { flag: "wx", mode: 0o600 });
    return token;
  } catch (cause) {
    const isThere = (cause as NodeJS.ErrnoException).code === "EEXIST";
    if (!isThere) throw unusable(file, cause);
  }
  const kept = await readKept(file);
  if (/^[\w-]{16,256}$/.test(kept)) return kept;
  const message = `${file} holds no token: remove it, and another one is made`;
  throw new HeddleError(HeddleErrorCode.storageCorrupt, message);
}

async function readKept(file: string): Promise<string> {
  try {
    return (await readFile(file, "utf8")).trim();
  } catch (cause) {
    throw unusable(file, cause);
  }
}

function unusable(file: string, cause: unknown): HeddleError {
  const message = `the token of pages cannot be kept in ${file}`;
  return new HeddleError(HeddleErrorCode.storageIo, message, { cause });
}
