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
  /** First and last internal key of each live table. */
  readonly bounds: ReadonlyMap<number, TableBounds>;
  /** Of the last write that is in a table, or higher. */
  readonly lastSequence: number;
}

export interface TableBounds {
  readonly smallest: Uint8Array;
  readonly largest: Uint8Array;
}

type Writable<Value> = { -readonly [Key in keyof Value]: Value[Key] };

interface ManifestBeingRead extends Writable<LevelManifest> {
  readonly tables: Map<number, number>;
  readonly bounds: Map<number, TableBounds>;
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
  const manifest: ManifestBeingRead = {
    tables: new Map(),
    bounds: new Map(),
    logNumber: 0,
    prevLogNumber: 0,
    lastSequence: 0,
  };
  for (const record of records) applyEdit(manifest, decoding.createDecoder(record));
  return manifest;
}

function applyEdit(manifest: ManifestBeingRead, decoder: decoding.Decoder): void {
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
      case Tag.lastSequence:
        manifest.lastSequence = number();
        break;
      case Tag.nextFileNumber:
        number();
        break;
      case Tag.compactPointer:
        number();
        bytes();
        break;
      case Tag.deletedFile: {
        number();
        const table = number();
        manifest.tables.delete(table);
        manifest.bounds.delete(table);
        break;
      }
      case Tag.newFile: {
        number();
        const table = number();
        manifest.tables.set(table, number());
        manifest.bounds.set(table, { smallest: bytes().slice(), largest: bytes().slice() });
        break;
      }
      default:
        throw new Error(`an entry has the unknown tag ${tag}`);
    }
  }
}
