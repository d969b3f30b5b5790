import { concatBytes } from "@heddle/core";

import { crc32c, maskedCrc32c } from "./crc32c.ts";

/**
 * The format of LevelDB's own logs and manifests, read without LevelDB: blocks of 32 KiB with records
 *
 *   masked CRC-32C uint32 • length uint16 • type uint8 • payload      (little-endian)
 *
 * LevelDB drops what it cannot read up to the end of the block and says so to nobody who calls it.
 */
export const blockBytes = 32 * 1024;
export const headerBytes = 7;
/** The least that a disk writes at once. */
const sectorBytes = 512;
const sectorZerosMin = 16;
export const RecordType = { zero: 0, full: 1, first: 2, middle: 3, last: 4 } as const;

export interface LevelLogReading {
  /** Payloads of the whole records, in their order. */
  readonly records: readonly Uint8Array[];
  /** Where bytes were dropped that should be a record. */
  readonly faults: readonly LevelLogFault[];
}

export interface LevelLogFault {
  readonly offset: number;
  readonly why: string;
  /** Nothing whole follows: it may be what a crash left of a write that nobody waited for. */
  readonly isAtEnd: boolean;
  /** Bytes are missing, none is wrong: so looks a file that somebody is writing, or died writing. */
  readonly isCut: boolean;
}

export interface LevelLogOptions {
  /** Also reads what follows a damaged place in its block, which LevelDB does not. */
  readonly isThorough?: boolean;
}

/** Without options what LevelDB would read; its own reader is asked by a test. */
export function readLevelLog(
  file: Uint8Array,
  { isThorough = false }: LevelLogOptions = {},
): LevelLogReading {
  const reader = new LevelLogReader(file, isThorough);
  reader.read();
  return reader;
}

class LevelLogReader implements LevelLogReading {
  readonly records: Uint8Array[] = [];
  readonly #file: Uint8Array;
  readonly #view: DataView;
  readonly #isThorough: boolean;
  readonly #found: (Omit<LevelLogFault, "isAtEnd"> & { readonly recordsBefore: number })[] = [];
  #parts: Uint8Array[] = [];
  #partsFrom = 0;

  constructor(file: Uint8Array, isThorough: boolean) {
    this.#file = file;
    this.#isThorough = isThorough;
    this.#view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  }

  get faults(): LevelLogFault[] {
    return this.#found.map(({ recordsBefore, ...fault }) => {
      return { ...fault, isAtEnd: recordsBefore === this.records.length };
    });
  }

  read(): void {
    for (let start = 0; start < this.#file.length; start += blockBytes) {
      this.#readBlock(start, Math.min(start + blockBytes, this.#file.length));
    }
    if (this.#parts.length > 0) this.#fault(this.#partsFrom, "a record has no end");
  }

  #readBlock(start: number, end: number): void {
    let offset: number | undefined = start;
    while (offset !== undefined && offset < end) {
      const next = this.#readRecord(offset, end);
      offset = next ?? (this.#isThorough ? this.#wholeBehind(offset, end) : undefined);
    }
  }

  /** Where the next record begins; `undefined` where LevelDB gives up the rest of the block. */
  #readRecord(offset: number, end: number): number | undefined {
    if (end - offset < headerBytes) {
      // The writer fills a block that has no room for a header with zeros.
      if (!isZero(this.#file.subarray(offset, end))) this.#fault(offset, "a header is cut");
      return undefined;
    }
    const length = this.#view.getUint16(offset + 4, true);
    const type = this.#view.getUint8(offset + 6);
    if (type === RecordType.zero && length === 0 && isZero(this.#file.subarray(offset, end))) {
      // Room that was set aside and never written, or a block that a power cut left without content.
      this.#fault(offset, "a stretch of zeros");
      return undefined;
    }
    const next = offset + headerBytes + length;
    if (next > end) {
      this.#fault(offset, "a record is cut");
      return undefined;
    }
    if (!this.#isWhole(offset, next)) {
      // A sector that never reached the disk is empty: it is missing, and not another one.
      this.#fault(offset, "the checksum of a record differs", this.#lacksSector(offset, next));
      return undefined;
    }
    this.#add(type, offset, this.#file.subarray(offset + headerBytes, next));
    return next;
  }

  #isWhole(offset: number, next: number): boolean {
    const crc = maskedCrc32c(crc32c(this.#file.subarray(offset + 6, next)));
    return crc === this.#view.getUint32(offset, true);
  }

  #wholeBehind(damaged: number, end: number): number | undefined {
    for (let offset = damaged + 1; offset + headerBytes <= end; offset++) {
      const type = this.#view.getUint8(offset + 6);
      if (type < RecordType.full || type > RecordType.last) continue;
      const next = offset + headerBytes + this.#view.getUint16(offset + 4, true);
      if (next <= end && this.#isWhole(offset, next)) return offset;
    }
    return undefined;
  }

  /** Whether a sector, or the last part of one, that holds only bytes of this record is all zeros. */
  #lacksSector(offset: number, next: number): boolean {
    const first = Math.ceil(offset / sectorBytes) * sectorBytes;
    for (let start = first; start < next; start += sectorBytes) {
      const end = Math.min(start + sectorBytes, next);
      // A few zeros at the end of a record are somebody's.
      if (end - start >= sectorZerosMin && isZero(this.#file.subarray(start, end))) return true;
    }
    return false;
  }

  #add(type: number, offset: number, payload: Uint8Array): void {
    const begins = type === RecordType.full || type === RecordType.first;
    if (begins && this.#parts.length > 0) this.#fault(this.#partsFrom, "a record has no end");
    if (!begins && this.#parts.length === 0) {
      return this.#fault(offset, "a record has no beginning", false);
    }
    if (begins) this.#partsFrom = offset;
    this.#parts.push(payload);
    if (type !== RecordType.full && type !== RecordType.last) return;
    this.records.push(concatBytes(this.#parts));
    this.#parts = [];
  }

  #fault(offset: number, why: string, isCut = true): void {
    this.#parts = [];
    this.#found.push({ offset, why, isCut, recordsBefore: this.records.length });
  }
}

export function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}
