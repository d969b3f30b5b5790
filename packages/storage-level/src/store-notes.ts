import { equalBytes, toHex, type Environment, type RepairRequest } from "@heddle/core";

import type { Finding } from "./finding.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { GuardedReads } from "./guarded-reads.ts";
import {
  putDevice,
  putJournalEntry,
  readJournal,
  readRepairRequests,
  type JournalEntry,
  type NumberedJournalEntry,
} from "./history-records.ts";
import type { Operation } from "./level-database.ts";
import {
  notesOfDamages,
  notesOfNewDamages,
  type DamageChange,
  type DamageNotes,
} from "./note-damages.ts";
import { prepareNotes, type PreparedAppend } from "./prepare-append.ts";
import { deviceKey } from "./record-keys.ts";
import { recordedDevice } from "./recorded-device.ts";

const deviceRecordName = "record of the device key";

/** What a store writes about itself: its journal, what of it is damaged, whose device writes it. */
export class StoreNotes {
  readonly #environment: Environment;
  readonly #reads: GuardedReads;
  readonly #commits: GroupCommit<PreparedAppend>;
  /** Of the last entry that was given a number. */
  #journalNumber: number;
  /** Of the last entry that is on disk for certain. */
  #writtenNumber: number;

  constructor(
    environment: Environment,
    reads: GuardedReads,
    commits: GroupCommit<PreparedAppend>,
    journalNumber: number,
  ) {
    this.#environment = environment;
    this.#reads = reads;
    this.#commits = commits;
    this.#journalNumber = journalNumber;
    this.#writtenNumber = journalNumber;
  }

  /** Oldest first. */
  async journal(): Promise<readonly NumberedJournalEntry[]> {
    return this.#reads.once(({ database }) => readJournal(database));
  }

  /** Adds to the journal; resolves when it is on disk. */
  async add(entry: JournalEntry): Promise<void> {
    await this.#write([this.#put(entry)]);
  }

  async damages(findings: readonly Finding[]): Promise<DamageChange> {
    const { hash, clock } = this.#environment;
    const notes = notesOfDamages(hash, findings, await this.#known(), clock.nowMs());
    await this.#writeDamages(notes);
    return notes;
  }

  async newDamages(findings: readonly Finding[]): Promise<void> {
    const { hash, clock } = this.#environment;
    const known = await this.#known();
    await this.#writeDamages(notesOfNewDamages(hash, findings, known, clock.nowMs()));
  }

  async device(publicKey: Uint8Array): Promise<boolean> {
    const record = await this.#reads.once(({ database }) => database.get(deviceKey));
    const known = record && recordedDevice(record, publicKey);
    const isSame = known?.publicKey !== undefined && equalBytes(known.publicKey, publicKey);
    if (isSame && known.isWhole) return false;
    const { clock, logger } = this.#environment;
    const atMs = clock.nowMs();
    const operations = [putDevice(publicKey)];
    if (isSame) {
      logger.error("store.record_mended", { record: deviceRecordName });
      const detail = `one bit of the ${deviceRecordName} was flipped, and is turned back`;
      operations.push(this.#put({ event: "record-mended", atMs, detail }));
    } else if (known) {
      // One that cannot be read is not to be told from another one.
      const before = known.publicKey ? toHex(known.publicKey) : "one whose record is damaged";
      const now = toHex(publicKey);
      logger.error("store.device_changed", { before, now });
      const detail = `the device key was ${before}, and is ${now}`;
      operations.push(this.#put({ event: "device-changed", atMs, detail }));
    }
    await this.#write(operations);
    return known !== undefined && !isSame;
  }

  #known(): Promise<readonly RepairRequest[]> {
    return this.#reads.once(({ database }) => readRepairRequests(database));
  }

  #put(entry: JournalEntry): Operation {
    return putJournalEntry({ ...entry, number: ++this.#journalNumber });
  }

  async #writeDamages({ journal, operations }: DamageNotes): Promise<void> {
    const all = [...operations, ...journal.map((entry) => this.#put(entry))];
    if (all.length > 0) await this.#write(all);
  }

  async #write(operations: readonly Operation[]): Promise<void> {
    const number = this.#journalNumber;
    try {
      await this.#commits.add(prepareNotes(operations));
      this.#writtenNumber = number;
    } catch (error) {
      // All that waited failed with it. A gap in the journal would look like an entry that was lost.
      this.#journalNumber = this.#writtenNumber;
      throw error;
    }
  }
}
