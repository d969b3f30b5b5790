import { lstat, readFile } from "node:fs/promises";
import { join } from "node:path";

import { isMissing } from "./files.ts";
import { storageError } from "./level-errors.ts";
import { replaceFile } from "./replace-file.ts";
import {
  encodeWitness,
  parseWitness,
  type FoundWitness,
  type Witness,
  type WitnessPlace,
} from "./witness-record.ts";

export { parseWitness, type FoundWitness, type Witness } from "./witness-record.ts";

export const witnessName = "heddle-witness.json";
const fileBytesMax = 64 * 1024;

/** @throws HeddleError `HEDDLE_STORAGE_IO` when the disk refuses to read it. */
export async function readWitness(folder: string): Promise<FoundWitness> {
  const path = join(folder, witnessName);
  try {
    const stats = await lstat(path, { bigint: true });
    if (stats.size > fileBytesMax) return { found: "damaged", why: "it is too long" };
    const parsed = parseWitness(await readFile(path, "utf8"));
    if (typeof parsed === "string") return { found: "damaged", why: parsed };
    const { file, witness } = parsed;
    return { found: "whole", witness, isOriginal: file === identityOf(stats) };
  } catch (cause) {
    if (isMissing(cause)) return { found: "none" };
    throw storageError(cause, "the witness could not be read");
  }
}

/**
 * @param isOriginal false for a folder that was copied, and still has to say so.
 * @throws HeddleError `HEDDLE_STORAGE_FULL` or `HEDDLE_STORAGE_IO`.
 */
export async function writeWitness(
  folder: string,
  witness: Witness,
  isOriginal = true,
): Promise<void> {
  try {
    await replaceFile(join(folder, witnessName), async (file) => {
      const identity = isOriginal ? identityOf(await file.stat({ bigint: true })) : "another file";
      return encodeWitness(witness, identity);
    });
  } catch (cause) {
    throw storageError(cause, "the witness could not be written");
  }
}

/** The witness of the store in `folder`. */
export function witnessIn(folder: string): WitnessPlace {
  return {
    isKept: true,
    read: () => readWitness(folder),
    write: (witness) => writeWitness(folder, witness),
  };
}

/**
 * A file that was copied is another file: a witness that came with a backup, an image or a copied
 * folder does not name itself. Moving within a file system keeps both numbers.
 */
function identityOf({ ino, birthtimeNs }: { ino: bigint; birthtimeNs: bigint }): string {
  return `${ino}:${birthtimeNs}`;
}
