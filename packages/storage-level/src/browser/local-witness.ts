import { storageError } from "../level-errors.ts";
import {
  encodeWitness,
  parseWitness,
  type FoundWitness,
  type WitnessPlace,
} from "../witness-record.ts";

/**
 * The witness of a browser's store: in `localStorage`, which browsers keep apart from IndexedDB. Where
 * there is none, as in a worker, there is no witness, and nobody misses it.
 */
export function localWitness(name: string): WitnessPlace & { forget(): void } {
  const storage = localStorageOrNone();
  const key = `heddle-witness:${name}`;
  return {
    isKept: storage !== undefined,
    read: async () => foundIn(storage?.getItem(key)),
    async write(witness) {
      try {
        // A copy of a profile takes both along, and cannot be told from a page that was opened again.
        storage?.setItem(key, encodeWitness(witness, name));
      } catch (cause) {
        throw storageError(cause, "the witness could not be written");
      }
    },
    forget: () => storage?.removeItem(key),
  };
}

function foundIn(json: string | null | undefined): FoundWitness {
  if (json === null || json === undefined) return { found: "none" };
  const parsed = parseWitness(json);
  if (typeof parsed === "string") return { found: "damaged", why: parsed };
  return { found: "whole", witness: parsed.witness, isOriginal: true };
}

function localStorageOrNone(): Storage | undefined {
  try {
    return globalThis.localStorage;
  } catch {
    return undefined; // A page that may store nothing is told so by throwing.
  }
}
