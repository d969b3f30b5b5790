import { isHeddleError, type Hash } from "@heddle/core";

import type { Pace } from "./check-level-folder.ts";
import type { DeviceFile } from "./device-file.ts";
import type { Report } from "./finding.ts";
import type { LogDatabase } from "./level-database.ts";
import { hasDocument } from "./key-kinds.ts";
import { documentOfKey } from "./parts-of-key.ts";

/** What one verification of a store shares between its parts. */
export interface RecordVerification {
  readonly database: LogDatabase;
  readonly hash: Hash;
  readonly report: Report;
  /** Compared with the device on record, where somebody looked for it. */
  readonly deviceFile?: DeviceFile | undefined;
  /** Counts a record, and waits as long as reading it may take. */
  readonly pace: Pace;
}

/** Reads a record; what is wrong with it is reported, and the result is `undefined`. */
export function checked<Value>(
  report: Report,
  key: Uint8Array,
  read: () => Value,
): Value | undefined {
  try {
    return read();
  } catch (error) {
    if (!isHeddleError(error)) throw error;
    const document = hasDocument(key) ? { document: documentOfKey(key) } : {};
    report({ severity: "damage", part: "record", what: error.message, ...document });
    return undefined;
  }
}
