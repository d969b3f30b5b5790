import { readFileSync, statSync } from "node:fs";
import path from "node:path";

import type { Logger } from "@heddle/core";
import { replaceFile } from "@heddle/replica/node";

import { isFingerprint, type Fingerprint } from "./device-identity.ts";
import { lanLimits } from "./lan-limits.ts";

const fileBytesMax = 64 * 1024;

export interface DeviceNotesOptions<Value> {
  readonly file: string;
  /** Of the file; a reader takes no other. */
  readonly format: string;
  /** What the file calls the notes. */
  readonly field: string;
  /** Undefined for what is no note of this kind: it is skipped. */
  readonly parse: (value: unknown) => Value | undefined;
  readonly logger: Pick<Logger, "warn">;
}

/**
 * A note about each device in one small file of which one program is the only writer, that of the replica.
 * Nobody's trust depends on it: a file that is missing or damaged is an empty one. That it is damaged, or could
 * not be written, is said.
 */
export class DeviceNotes<Value> {
  readonly #options: DeviceNotesOptions<Value>;
  #writing: Promise<void> = Promise.resolve();
  /** Said once, until it works again. */
  #hasFailed = false;

  constructor(options: DeviceNotesOptions<Value>) {
    this.#options = options;
  }

  read(): readonly (readonly [Fingerprint, Value])[] {
    const { parse } = this.#options;
    const all = Object.entries(this.#readFields() ?? {}).slice(0, lanLimits.pairedMax);
    const notes = all.flatMap(([device, given]) => {
      const value = parse(given);
      return isFingerprint(device) && value !== undefined ? [[device, value] as const] : [];
    });
    const lost = all.length - notes.length;
    if (lost > 0) this.#warn("lan.notes_damaged", `notes that cannot be read: ${lost}`);
    return notes;
  }

  /** @param notes as the file has them, the oldest first: of too many the newest are kept. */
  write(notes: Iterable<readonly [Fingerprint, unknown]>): void {
    const { file, format, field } = this.#options;
    const kept = Object.fromEntries([...notes].slice(-lanLimits.pairedMax));
    const text = `${JSON.stringify({ format, [field]: kept }, undefined, 2)}\n`;
    this.#writing = this.#writing
      .then(() => replaceFile(file, text))
      .then(
        () => void (this.#hasFailed = false),
        (error: unknown) => {
          if (!this.#hasFailed) this.#warn("lan.notes_unwritten", error);
          this.#hasFailed = true;
        },
      );
  }

  /** Resolves when what was written is on disk, or was given up. */
  flush(): Promise<void> {
    return this.#writing;
  }

  /** `undefined` as if nobody had been met. */
  #readFields(): object | undefined {
    const { file, format, field } = this.#options;
    try {
      if (statSync(file).size > fileBytesMax) throw new Error("it is too long");
      const { format: given, [field]: notes } = JSON.parse(readFileSync(file, "utf8"));
      if (given !== format || typeof notes !== "object" || notes === null) {
        throw new Error(`it is no ${format}`);
      }
      return notes;
    } catch (error) {
      const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
      if (!isMissing) this.#warn("lan.notes_damaged", error);
      return undefined;
    }
  }

  #warn(event: string, error: unknown): void {
    const { file, logger } = this.#options;
    logger.warn(event, { file: path.basename(file), error: String(error) });
  }
}
