import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { HeddleError, HeddleErrorCode } from "@heddle/core";

import { storageError } from "./level-errors.ts";
import type { LevelFolder } from "./level-folder.ts";
import { readLevelLog } from "./level-log-format.ts";
import { writesOfBatch, type LevelWrite } from "./level-writes.ts";
import { isArrivalKey, numberOfKey } from "./parts-of-key.ts";

/** What LevelDB's logs hold that is in no table yet, read before LevelDB does. */
export interface LiveLogs {
  /** Sequence of the last write that tables and logs know. */
  readonly lastSequence: bigint;
  /** Number of the last commit group in the logs, past what is damaged in them; 0 for none. */
  readonly lastGroup: number;
  readonly damaged: readonly DamagedLog[];
}

export interface DamagedLog {
  readonly name: string;
  readonly why: string;
}

/**
 * Reads the logs that LevelDB would read, and compares them with each other and with the manifest.
 * Writes are numbered without gaps, and so are commit groups: a gap between logs, or one behind which
 * LevelDB would read on, means that a part is missing.
 *
 * @throws HeddleError `HEDDLE_STORAGE_CORRUPT` for such a gap; nothing has been changed then.
 */
export async function readLiveLogs(
  folder: string,
  { manifest, manifestName, logs }: LevelFolder,
): Promise<LiveLogs> {
  const walk = new LogWalk(BigInt(manifest.lastSequence), manifestName);
  for (const name of logs) walk.visit(name, await bytesOf(join(folder, name), name));
  return walk;
}

async function bytesOf(path: string, name: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw storageError(cause, `${name} of the log could not be read`);
  }
}

class LogWalk implements LiveLogs {
  lastSequence: bigint;
  lastGroup = 0;
  readonly damaged: DamagedLog[] = [];
  readonly #manifestName: string;

  constructor(lastSequence: bigint, manifestName: string) {
    this.lastSequence = lastSequence;
    this.#manifestName = manifestName;
  }

  visit(name: string, bytes: Uint8Array): void {
    const { records, faults } = readLevelLog(bytes);
    // What a crash leaves of a write that nobody waited for is no damage.
    const fault = faults.find(({ isAtEnd, isCut }) => !isAtEnd || !isCut);
    if (fault) this.damaged.push({ name, why: `${fault.why} at ${fault.offset}` });
    for (const batch of records) this.#take(name, batch);
    if (!fault) return;
    // LevelDB gives up the rest of a block: what stands there shows how much is lost.
    for (const batch of readLevelLog(bytes, { isThorough: true }).records) {
      for (const write of writesOfBatch(batch)) {
        const { sequence } = write;
        if (sequence > this.lastSequence) this.lastSequence = sequence;
        this.lastGroup = Math.max(this.lastGroup, groupOf(write) ?? 0);
      }
    }
  }

  #take(name: string, batch: Uint8Array): void {
    for (const write of writesOfBatch(batch)) {
      const { sequence } = write;
      // Behind damage a gap says nothing that is not known.
      if (sequence > this.lastSequence + 1n && this.damaged.length === 0) {
        throw corrupt(
          `${name} of the log begins at write ${sequence}, and ${this.#manifestName} and what is before ` +
            `it end at ${this.lastSequence}: files are missing, or of another time`,
        );
      }
      if (sequence > this.lastSequence) this.lastSequence = sequence;
      const group = groupOf(write);
      if (group === undefined) continue;
      if (this.lastGroup > 0 && group > this.lastGroup + 1) {
        const lost = `commit groups ${this.lastGroup + 1} to ${group - 1}`;
        throw corrupt(`${lost} are missing from ${name} of the log, and later ones are there`);
      }
      this.lastGroup = Math.max(this.lastGroup, group);
    }
  }
}

/** Number of the commit group whose arrival was written with `write`. */
function groupOf({ key, isDeletion }: LevelWrite): number | undefined {
  return !isDeletion && isArrivalKey(key) ? numberOfKey(key) : undefined;
}

function corrupt(what: string): HeddleError {
  return new HeddleError(HeddleErrorCode.storageCorrupt, what);
}
