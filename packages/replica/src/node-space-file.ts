import { readFile } from "node:fs/promises";
import path from "node:path";

import { HeddleError, HeddleErrorCode, limits } from "@heddle/core";

import { replaceFile } from "./node-replace-file.ts";

/** Beside the device key: which space this folder is of. */
const spaceFileName = "space.genesis";
/** In base64url, with a line end. */
const textLengthMax = Math.ceil((limits.membershipRecordBytesMax * 4) / 3) + 2;

/**
 * The genesis that a data folder was given; `undefined` where it is of the open space.
 *
 * @throws HeddleError `HEDDLE_STORAGE_CORRUPT` when the file is there and holds none.
 */
export async function readSpaceFile(directory: string): Promise<Uint8Array | undefined> {
  const file = path.join(path.resolve(directory), spaceFileName);
  let text: string;
  try {
    text = (await readFile(file, "utf8")).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    const message = `${file} cannot be read`;
    throw new HeddleError(HeddleErrorCode.storageIo, message, { cause: error });
  }
  const isText = /^[\w-]+$/.test(text) && text.length <= textLengthMax;
  if (isText) return new Uint8Array(Buffer.from(text, "base64url"));
  throw new HeddleError(HeddleErrorCode.storageCorrupt, `${file} holds no genesis`);
}

/** From now on the folder is of that space, and of no other. */
export function writeSpaceFile(directory: string, genesis: Uint8Array): Promise<void> {
  const file = path.join(path.resolve(directory), spaceFileName);
  return replaceFile(file, `${Buffer.from(genesis).toString("base64url")}\n`);
}
