import { equalBytes, toHex, type Environment, type RepairRequest } from "@heddle/core";

import type { Finding } from "./finding.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { GuardedReads } from "./guarded-reads.ts";
import {
  putDevice,
  putJournalEntry,
  readDevice,
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
    const known = await this.#reads.once(({ database }) => readDevice(database));
    if (known && equalBytes(known, publicKey)) return false;
    const operations = [putDevice(publicKey)];
    if (known) {
      const [before, now] = [toHex(known), toHex(publicKey)];
      this.#environment.logger.error("store.device_changed", { before, now });
      const detail = `the device key was ${before}, and is ${now}`;
      const atMs = this.#environment.clock.nowMs();
      operations.push(this.#put({ event: "device-changed", atMs, detail }));
    }
    await this.#write(operations);
    return known !== undefined;
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
