import {
  HeddleError,
  HeddleErrorCode,
  isHeddleError,
  type Environment,
  type Hlc,
  type LogBatch,
  type LogStore,
  Turns,
} from "@heddle/core";
import { decodeAuditEntry, encodeAuditEntry, type AuditEntry } from "@heddle/reconcile";

/** An entry of the journal of a store. */
export interface JournaledEntry {
  readonly number: number;
  /** Missing where the entry was written by a later heddle, or is not what was written, or is damaged. */
  readonly entry?: AuditEntry | undefined;
  /** Why it is missing. */
  readonly failure?: HeddleError | undefined;
}

/**
 * Reads the audit journal of a replica, oldest first. An entry that cannot be read hides no other.
 *
 * @param after the number of an entry that is known already.
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function* readAuditJournal(
  store: Pick<LogStore, "readAudit">,
  after = 0,
): AsyncIterable<JournaledEntry> {
  for await (const chunk of store.readAudit(after)) {
    for (const { number, bytes } of chunk) yield journaled(number, bytes);
  }
}

function journaled(number: number, bytes: Uint8Array | undefined): JournaledEntry {
  if (bytes === undefined) {
    const message = `entry ${number} of the audit journal is damaged`;
    return { number, failure: new HeddleError(HeddleErrorCode.storageCorrupt, message) };
  }
  try {
    return { number, entry: decodeAuditEntry(bytes) };
  } catch (error) {
    if (!isHeddleError(error)) throw error;
    return { number, failure: error };
  }
}

/** What an entry says beside who writes it, and when. */
export type AuditNote = Omit<AuditEntry, "id" | "atMs" | "hlc" | "by">;

export interface AuditWriting {
  readonly store: LogStore;
  readonly environment: Environment;
  /** Public key of the device, in hex. */
  readonly by: string;
  readonly tick: () => Hlc;
}

/**
 * Writes the audit journal of a replica. What corrects something goes into one batch with its entry; an
 * entry that stands alone and could not be written waits for the next one, and is counted meanwhile.
 */
export class AuditJournal {
  readonly #writing: AuditWriting;
  #unwritten: Uint8Array[] = [];
  /** One batch after the other: two at once would both bring what waits. */
  readonly #turns = new Turns();
  #dropped = 0;

  constructor(writing: AuditWriting) {
    this.#writing = writing;
  }

  /** Entries that are not on the disk, and those that there was no room to keep. */
  get unwritten(): number {
    return this.#unwritten.length + this.#dropped;
  }

  /** An entry as it goes into a batch beside what it speaks of. */
  encode(note: AuditNote): Uint8Array {
    const { environment, by, tick } = this.#writing;
    const { random, clock } = environment;
    return encodeAuditEntry({
      ...note,
      id: random.bytes(16),
      atMs: clock.nowMs(),
      hlc: tick(),
      by,
    });
  }

  /** Makes a correction durable together with what is written down of it. */
  async correct(batch: LogBatch, note: AuditNote): Promise<number> {
    return this.#writing.store.append({ ...batch, audit: [this.encode(note)] });
  }

  /** Never rejects: what was found must be acted on although it cannot be written down now. */
  async write(note: AuditNote): Promise<void> {
    const entry = this.encode(note);
    await this.#turns.run(() => this.#write(entry));
  }

  async #write(entry: Uint8Array): Promise<void> {
    const audit = [...this.#unwritten, entry];
    try {
      await this.#writing.store.append({ audit });
      this.#unwritten = [];
    } catch (error) {
      if (!isHeddleError(error)) throw error;
      this.#unwritten.push(entry);
      if (this.#unwritten.length > unwrittenMax) {
        this.#unwritten.shift();
        this.#dropped++;
      }
      const { code } = error;
      this.#writing.environment.logger.error("audit.unwritten", { code, waiting: this.unwritten });
    }
  }
}

const unwrittenMax = 256;

/** Whether reading failed as something is damaged, and not as the disk or the store is at fault. */
export function isDamage(error: unknown): error is HeddleError {
  return isHeddleError(error, HeddleErrorCode.storageCorrupt);
}
