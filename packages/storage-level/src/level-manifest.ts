import * as decoding from "lib0/decoding";

import { readLevelLog } from "./level-log-format.ts";

/**
 * What a manifest of LevelDB says: which tables make up the database, and from which log on records
 * are not in tables yet. Read without LevelDB, which would delete, create and truncate files.
 */
export interface LevelManifest {
  /** Size in bytes of each live table, by its number. */
  readonly tables: ReadonlyMap<number, number>;
  /** Logs from this number on are read at open; `prevLogNumber` too, when it is not 0. */
  readonly logNumber: number;
  readonly prevLogNumber: number;
}

const Tag = {
  comparator: 1,
  logNumber: 2,
  nextFileNumber: 3,
  lastSequence: 4,
  compactPointer: 5,
  deletedFile: 6,
  newFile: 7,
  prevLogNumber: 9,
} as const;

/** @throws Error that says what is wrong; the manifest is then useless to LevelDB too. */
export function readManifest(file: Uint8Array): LevelManifest {
  const { records, faults } = readLevelLog(file);
  // LevelDB passes over an edit that was not finished: whoever wrote it had not been told it was there.
  const fault = faults.find(({ isAtEnd, isCut }) => !isAtEnd || !isCut);
  if (fault) throw new Error(`${fault.why} at ${fault.offset}`);
  if (records.length === 0) throw new Error("it is empty");
  const manifest = { tables: new Map<number, number>(), logNumber: 0, prevLogNumber: 0 };
  for (const record of records) applyEdit(manifest, decoding.createDecoder(record));
  return manifest;
}

function applyEdit(
  manifest: { tables: Map<number, number>; logNumber: number; prevLogNumber: number },
  decoder: decoding.Decoder,
): void {
  const number = (): number => decoding.readVarUint(decoder);
  const bytes = (): Uint8Array => decoding.readVarUint8Array(decoder);
  while (decoding.hasContent(decoder)) {
    const tag = number();
    switch (tag) {
      case Tag.comparator:
        bytes();
        break;
      case Tag.logNumber:
        manifest.logNumber = number();
        break;
      case Tag.prevLogNumber:
        manifest.prevLogNumber = number();
        break;
      case Tag.nextFileNumber:
      case Tag.lastSequence:
        number();
        break;
      case Tag.compactPointer:
        number();
        bytes();
        break;
      case Tag.deletedFile:
        number();
        manifest.tables.delete(number());
        break;
      case Tag.newFile: {
        number();
        const table = number();
        manifest.tables.set(table, number());
        bytes();
        bytes();
        break;
      }
      default:
        throw new Error(`an entry has the unknown tag ${tag}`);
    }
  }
}
