import { concatBytes } from "@heddle/core";

import { crc32c, maskedCrc32c } from "./crc32c.ts";
import type { ReportFault } from "./level-entries.ts";
import { blockBytes, headerBytes, isZero, RecordType } from "./level-log-format.ts";

/** What one write to a log was, or what is left of it. */
export interface LogPiece {
  readonly bytes: Uint8Array;
  /** Every byte passed LevelDB's checksum, from its beginning to its end. */
  readonly isWhole: boolean;
  readonly hasBeginning: boolean;
}

/** Bytes that a search may put through a checksum, for each byte of the file. */
const searchFactor = 64;

/**
 * All that a log of LevelDB holds, what does not pass its checksum included. Where a record is damaged
 * the next one is looked for at once, in the same block: LevelDB itself gives up the rest of it.
 */
export function piecesOfLog(file: Uint8Array, report: ReportFault): Iterable<LogPiece> {
  return new LogScan(file, report).pieces();
}

class LogScan {
  readonly #file: Uint8Array;
  readonly #view: DataView;
  readonly #report: ReportFault;
  #searchBytes: number;
  #parts: Uint8Array[] = [];
  #isSound = true;
  #hasBeginning = false;

  constructor(file: Uint8Array, report: ReportFault) {
    this.#file = file;
    this.#view = new DataView(file.buffer, file.byteOffset, file.byteLength);
    this.#report = report;
    this.#searchBytes = file.length * searchFactor;
  }

  *pieces(): Iterable<LogPiece> {
    for (let start = 0; start < this.#file.length; start += blockBytes) {
      yield* this.#block(start, Math.min(start + blockBytes, this.#file.length));
    }
    if (this.#parts.length === 0) return;
    this.#report(this.#file.length, "a record has no end");
    yield this.#give(false);
  }

  *#block(start: number, end: number): Iterable<LogPiece> {
    let offset = start;
    while (end - offset >= headerBytes) {
      const next = this.#wholeUntil(offset, end);
      if (next !== undefined) {
        yield* this.#take(offset, next, true);
        offset = next;
        continue;
      }
      if (isZero(this.#file.subarray(offset, end)))
        return this.#report(offset, "a stretch of zeros");
      this.#report(offset, "a record is cut, or its checksum differs");
      const after = this.#search(offset, end);
      yield* this.#take(offset, after, false);
      offset = after;
    }
    // The writer fills a block that has no room for a header with zeros.
    if (!isZero(this.#file.subarray(offset, end))) this.#report(offset, "a header is cut");
  }

  /** The end of the record at `offset`, if it is whole. */
  #wholeUntil(offset: number, end: number): number | undefined {
    if (end - offset < headerBytes) return undefined;
    const type = this.#file[offset + 6]!;
    const next = offset + headerBytes + this.#view.getUint16(offset + 4, true);
    if (next > end || type < RecordType.full || type > RecordType.last) return undefined;
    const crc = maskedCrc32c(crc32c(this.#file.subarray(offset + 6, next)));
    return crc === this.#view.getUint32(offset, true) ? next : undefined;
  }

  /** Where something whole begins again: where the damaged record says it ends, or anywhere. */
  #search(offset: number, end: number): number {
    const next = offset + headerBytes + this.#view.getUint16(offset + 4, true);
    if (next <= end && this.#continuesAt(next, end)) return next;
    for (let at = offset + headerBytes; end - at >= headerBytes; at++) {
      const type = this.#file[at + 6]!;
      const length = this.#view.getUint16(at + 4, true);
      if (type < RecordType.full || type > RecordType.last || at + headerBytes + length > end) {
        continue;
      }
      this.#searchBytes -= length;
      if (this.#searchBytes < 0) break;
      if (this.#wholeUntil(at, end) !== undefined) return at;
    }
    return end;
  }

  #continuesAt(next: number, end: number): boolean {
    return isZero(this.#file.subarray(next, end)) || this.#wholeUntil(next, end) !== undefined;
  }

  *#take(offset: number, next: number, isSound: boolean): Iterable<LogPiece> {
    const stored = this.#file[offset + 6]!;
    const isKnown = stored >= RecordType.full && stored <= RecordType.last;
    // What a damaged header does not say is guessed; nothing is believed for it.
    const guess = this.#parts.length > 0 ? RecordType.middle : RecordType.full;
    const type = isKnown ? stored : guess;
    const begins = type === RecordType.full || type === RecordType.first;
    if (begins && this.#parts.length > 0) {
      this.#report(offset, "the record before has no end");
      yield this.#give(false);
    }
    if (this.#parts.length === 0) {
      this.#hasBeginning = begins;
      if (!begins && isSound) this.#report(offset, "a record has no beginning");
    }
    this.#parts.push(this.#file.subarray(Math.min(offset + headerBytes, next), next));
    this.#isSound &&= isSound;
    if (type === RecordType.full || type === RecordType.last) yield this.#give(true);
  }

  #give(hasEnd: boolean): LogPiece {
    const isWhole = hasEnd && this.#hasBeginning && this.#isSound;
    const bytes = this.#parts.length === 1 ? this.#parts[0]! : concatBytes(this.#parts);
    const piece = { bytes, isWhole, hasBeginning: this.#hasBeginning };
    this.#parts = [];
    this.#isSound = true;
    return piece;
  }
}
