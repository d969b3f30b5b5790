import { readFileSync } from "node:fs";

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
}

/**
 * A note about each device in one small file of which one program is the only writer, that of the replica.
 * Nobody's trust depends on it: a file that is missing or damaged is an empty one.
 */
export class DeviceNotes<Value> {
  readonly #options: DeviceNotesOptions<Value>;
  #writing: Promise<void> = Promise.resolve();
  #failures = 0;

  constructor(options: DeviceNotesOptions<Value>) {
    this.#options = options;
  }

  /** How often they could not be written down. */
  get failures(): number {
    return this.#failures;
  }

  read(): readonly (readonly [Fingerprint, Value])[] {
    const { file, format, field, parse } = this.#options;
    try {
      const text = readFileSync(file, "utf8");
      if (text.length > fileBytesMax) return [];
      const { format: given, [field]: notes } = JSON.parse(text) as Record<string, unknown>;
      if (given !== format || typeof notes !== "object" || notes === null) return [];
      const all = Object.entries(notes).slice(0, lanLimits.pairedMax);
      return all.flatMap(([device, given]) => {
        const value = parse(given);
        return isFingerprint(device) && value !== undefined ? [[device, value] as const] : [];
      });
    } catch {
      return []; // Missing, or not JSON: as if nobody had been met.
    }
  }

  /** @param notes as the file has them, the oldest first: of too many the newest are kept. */
  write(notes: Iterable<readonly [Fingerprint, unknown]>): void {
    const { file, format, field } = this.#options;
    const kept = Object.fromEntries([...notes].slice(-lanLimits.pairedMax));
    const text = `${JSON.stringify({ format, [field]: kept }, undefined, 2)}\n`;
    this.#writing = this.#writing
      .then(() => replaceFile(file, text))
      .catch(() => {
        this.#failures++;
      });
  }

  /** Resolves when what was written is on disk, or was given up. */
  flush(): Promise<void> {
    return this.#writing;
  }
}
