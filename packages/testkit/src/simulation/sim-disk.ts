import { concatBytes } from "@heddle/core";

import { checksum } from "./sim-trace.ts";
import type { SimRandom } from "./sim-random.ts";
import type { SimTime } from "./sim-time.ts";

export interface DiskFaults {
  /** Of a sync to fail, with any part of its bytes on disk. */
  readonly failedWriteRatio: number;
  readonly syncMsMax: number;
}

/** What reading a disk after a start finds. */
export type DiskReading =
  | { readonly records: readonly Uint8Array[] }
  /** A record before the end of what was synced is not what was written. */
  | { readonly damagedAt: number };

const headerBytes = 8;

/**
 * One file of records, each behind its length and checksum. Appends wait for a sync; a crash keeps what
 * was synced and any beginning of the rest, cut anywhere.
 */
export class SimDisk {
  readonly #time: SimTime;
  readonly #random: SimRandom;
  faults: DiskFaults;
  /** Grows by doubling: most of a simulation is appends. */
  #file: Uint8Array;
  #length: number;
  /** How far everything was synced, as a store knows from its marks: damage below is no torn write. */
  #markBytes: number;
  #waiting: { readonly bytes: Uint8Array; readonly done: (isGood: boolean) => void }[] = [];
  #syncing: Uint8Array | undefined;
  #generation = 0;

  constructor(time: SimTime, random: SimRandom, faults: DiskFaults, content: Uint8Array) {
    this.#time = time;
    this.#random = random;
    this.faults = faults;
    this.#file = content.slice();
    this.#length = content.length;
    this.#markBytes = content.length;
  }

  get syncedBytes(): number {
    return this.#length;
  }

  /** Appends a record; `done` is called when it is on disk, or nobody knows. */
  append(record: Uint8Array, done: (isGood: boolean) => void): void {
    const header = new DataView(new ArrayBuffer(headerBytes));
    header.setUint32(0, record.length);
    header.setUint32(4, checksum(record));
    this.#waiting.push({ bytes: concatBytes([new Uint8Array(header.buffer), record]), done });
    if (this.#syncing === undefined) this.#sync();
  }

  /** Power loss: what was not synced is torn. Nothing that waits is ever answered. */
  crash(): void {
    this.#generation++;
    const unsynced = concatBytes([this.#syncing ?? new Uint8Array(), ...this.#waitingBytes()]);
    this.#write(this.#torn(unsynced));
    this.#syncing = undefined;
    this.#waiting = [];
  }

  /** Reads all records; what was cut at the end is dropped, as no record was ever answered there. */
  read(): DiskReading {
    const records: Uint8Array[] = [];
    let at = 0;
    while (at < this.#length) {
      const record = this.#recordAt(at);
      if (record === undefined) {
        if (at < this.#markBytes) return { damagedAt: at };
        this.#length = at;
        break;
      }
      records.push(record);
      at += headerBytes + record.length;
    }
    return { records };
  }

  snapshot(): Uint8Array {
    return this.#file.slice(0, this.#length);
  }

  /** Somebody restores a backup. The process is down. */
  restore(content: Uint8Array): void {
    this.#file = content.slice();
    this.#length = content.length;
    this.#markBytes = content.length;
  }

  /** A bit of what is on disk turns. */
  flipBit(): boolean {
    if (this.#length === 0) return false;
    const at = this.#random.between(0, this.#length - 1);
    this.#file[at] = this.#file[at]! ^ (1 << this.#random.between(0, 7));
    return true;
  }

  #sync(): void {
    const group = this.#waiting.splice(0);
    if (group.length === 0) return;
    const generation = this.#generation;
    const bytes = concatBytes(group.map((each) => each.bytes));
    this.#syncing = bytes;
    this.#time.after(this.#random.between(1, this.faults.syncMsMax), () => {
      if (generation !== this.#generation) return;
      this.#syncing = undefined;
      const isGood = !this.#random.chance(this.faults.failedWriteRatio);
      this.#write(isGood ? bytes : this.#torn(bytes));
      if (isGood) this.#markBytes = this.#length;
      // As a store behind its fence: after a failed write nothing that waits is written (STO-4).
      else group.push(...this.#waiting.splice(0));
      for (const { done } of group) done(isGood);
      if (generation === this.#generation && this.#syncing === undefined) this.#sync();
    });
  }

  #write(bytes: Uint8Array): void {
    const end = this.#length + bytes.length;
    if (end > this.#file.length) {
      const larger = new Uint8Array(Math.max(end, this.#file.length * 2, 4096));
      larger.set(this.#file.subarray(0, this.#length));
      this.#file = larger;
    }
    this.#file.set(bytes, this.#length);
    this.#length = end;
  }

  #torn(bytes: Uint8Array): Uint8Array {
    return bytes.slice(0, this.#random.between(0, bytes.length));
  }

  #waitingBytes(): Uint8Array[] {
    return this.#waiting.map(({ bytes }) => bytes);
  }

  #recordAt(at: number): Uint8Array | undefined {
    if (at + headerBytes > this.#length) return undefined;
    const header = new DataView(this.#file.buffer, this.#file.byteOffset + at, headerBytes);
    const end = at + headerBytes + header.getUint32(0);
    if (end > this.#length) return undefined;
    const record = this.#file.slice(at + headerBytes, end);
    return checksum(record) === header.getUint32(4) ? record : undefined;
  }
}
