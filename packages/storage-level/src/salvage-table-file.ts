import { crc32cByte, maskedCrc32c } from "./crc32c.ts";
import type { ReportFault } from "./level-entries.ts";
import {
  blockAt,
  dataHandlesOf,
  faultIn,
  footerBytes,
  trailerBytes,
  type Handle,
} from "./level-table-format.ts";
import { readVarint32 } from "./level-varint.ts";
import { looksLikeEntry } from "./salvage-block.ts";
import { unpackSnappyPart } from "./snappy.ts";
import { viewOf } from "./uint32.ts";

/** What a block of a table holds, unpacked, or what is left of it. */
export interface SalvagedBlock {
  readonly content: Uint8Array;
  /** It passed LevelDB's checksum, and the index of its table names it. */
  readonly isWhole: boolean;
}

/** More than the largest record takes. */
const contentBytesMax = 64 * 1024 * 1024;
/** A block without large records has 4 KiB. */
const usualBytesMax = 64 * 1024;
/** Bytes that a search may put through a checksum, for each byte of the file. */
const searchFactor = 64;

/**
 * All blocks with records of a table, those included that do not pass their checksum. Without an index
 * they are looked for: a block is where the bytes from its beginning on are followed by their checksum.
 */
export function* blocksOfTable(file: Uint8Array, report: ReportFault): Iterable<SalvagedBlock> {
  let handles: Handle[];
  try {
    handles = dataHandlesOf(file);
  } catch (error) {
    report(Math.max(0, file.length - footerBytes), error instanceof Error ? error.message : "");
    yield* new BlockSearch(file, report).blocks();
    return;
  }
  for (const handle of handles) yield* blockOrRest(file, handle, report);
}

function* blockOrRest(
  file: Uint8Array,
  handle: Handle,
  report: ReportFault,
): Iterable<SalvagedBlock> {
  const { offset, size } = handle;
  const [fault] = faultIn(file, handle);
  try {
    if (fault === undefined) {
      return yield { content: blockAt(file, handle, "block"), isWhole: true };
    }
    report(offset, fault);
  } catch (error) {
    report(offset, error instanceof Error ? error.message : "");
  }
  yield* restOf(file.subarray(offset, offset + size), file[offset + size]);
}

/** A checksum that differs says nothing about where: most of the block is what it was. */
function* restOf(stored: Uint8Array, type: number | undefined): Iterable<SalvagedBlock> {
  if (type !== 1) yield { content: stored, isWhole: false };
  if (type !== 0) {
    yield { content: unpackSnappyPart(stored, contentBytesMax).bytes, isWhole: false };
  }
}

class BlockSearch {
  readonly #file: Uint8Array;
  readonly #view: DataView;
  readonly #report: ReportFault;
  #searchBytes: number;

  constructor(file: Uint8Array, report: ReportFault) {
    this.#file = file;
    this.#view = viewOf(file);
    this.#report = report;
    this.#searchBytes = file.length * searchFactor;
  }

  *blocks(): Iterable<SalvagedBlock> {
    const file = this.#file;
    let restFrom = 0;
    for (let at = 0; at < file.length;) {
      const size = this.#sizeAt(at);
      if (size === undefined) {
        at = this.#nextStart(at + 1);
        continue;
      }
      yield* this.#rest(restFrom, at);
      const type = file[at + size];
      const stored = file.subarray(at, at + size);
      // The filter and the index look like blocks, too: nothing in them is a record.
      if (type === 0) yield { content: stored, isWhole: false };
      else yield { content: unpackSnappyPart(stored, contentBytesMax).bytes, isWhole: false };
      at += size + trailerBytes;
      restFrom = at;
    }
    yield* this.#rest(restFrom, file.length);
  }

  *#rest(from: number, to: number): Iterable<SalvagedBlock> {
    if (to - from <= trailerBytes) return;
    const stored = this.#file.subarray(from, to - trailerBytes);
    yield { content: stored, isWhole: false };
    yield { content: unpackSnappyPart(stored, contentBytesMax).bytes, isWhole: false };
  }

  /** How much of what follows `at` is followed by its own checksum. */
  #sizeAt(at: number): number | undefined {
    const file = this.#file;
    const end = Math.min(at + usualBytesMax + this.#largestAt(at), file.length - 4);
    let crc = -1;
    for (let index = at; index < end; index++) {
      const byte = file[index]!;
      crc = crc32cByte(crc, byte);
      if (byte > 1 || index === at) continue;
      if (maskedCrc32c(~crc >>> 0) === this.#view.getUint32(index + 1, true)) return index - at;
    }
    this.#searchBytes -= Math.max(0, end - at);
    return undefined;
  }

  /** How long the first entry says it is, or the whole block once it is unpacked. */
  #largestAt(at: number): number {
    const isEntry = looksLikeEntry(this.#file, at);
    const [length = 0] = readVarint32(this.#file, isEntry ? at + 2 : at) ?? [];
    return length <= contentBytesMax ? length : 0;
  }

  /** The next place where a block may begin, as it is or packed. */
  #nextStart(from: number): number {
    const file = this.#file;
    if (this.#searchBytes < 0) {
      this.#report(from, "the search for what is whole was given up");
      return file.length;
    }
    for (let at = from; at < file.length; at++) {
      if (looksLikeEntry(file, at) || this.#isPackedEntry(at)) return at;
    }
    return file.length;
  }

  /** Packed it begins with its length, and with the first entry as it is. */
  #isPackedEntry(at: number): boolean {
    const [, tagAt] = readVarint32(this.#file, at) ?? [];
    if (tagAt === undefined || tagAt - at > 4) return false;
    const tag = this.#file[tagAt] ?? 1;
    if ((tag & 3) !== 0) return false;
    const lengthBytes = Math.max(0, (tag >> 2) - 59);
    return looksLikeEntry(this.#file, tagAt + 1 + lengthBytes);
  }
}
