import type { DocumentId } from "@heddle/core";

import { encodeAuditEntry, type AuditEntry } from "../audit-entry.ts";
import { documentRowsPath } from "../projection-layout.ts";
import { readRecords, RecordDraft } from "../record-draft.ts";
import { confirmDocument, type ConfirmedDocument } from "./confirm-document.ts";
import { confirmTotal, findWrongTotals } from "./confirm-total.ts";
import { causeOfTotal, type RowDriftCause } from "./drift-cause.ts";
import type { AuditedDrift, DriftJournal, DriftPlace } from "./drift-journal.ts";
import { keysOfDocument, keyOfTotal, largestOf } from "./drifted-keys.ts";
import type { JobGround } from "./job-ground.ts";
import type { JobOptions } from "./job-options.ts";
import type { JobProgress } from "./job-progress.ts";
import {
  keysKeptMax,
  type DriftAction,
  type DriftedKey,
  type JobCounts,
  type JobOutcome,
} from "./job-report.ts";
import { PartitionScan } from "./partition-scan.ts";
import { isInRange } from "./job-scope.ts";
import type { JobWriter } from "./job-writer.ts";

export interface SettlementParts {
  readonly ground: JobGround;
  readonly options: JobOptions;
  readonly progress: JobProgress;
  readonly journal: DriftJournal;
  /** Missing in a dry run. */
  readonly writer: JobWriter | undefined;
}

/** What is to be done about one difference. */
interface Decided {
  readonly place: DriftPlace;
  readonly cause: RowDriftCause;
  readonly keys: readonly DriftedKey[];
  readonly draft: RecordDraft;
  /** Of a document: digest L of what the draft was made from. */
  readonly log?: string | undefined;
}

type DriftCount = Pick<JobCounts, "drifts" | "recurring">;

/** One batch about a difference. */
interface Settled {
  readonly draft: RecordDraft;
  readonly entry: AuditEntry;
  /** What is counted once it is written. */
  readonly counts: Partial<JobCounts>;
}

/** What became of a document; the run goes on. */
export interface SettledDocument {
  /** False when it could not be told, or moved each time. */
  readonly isSettled: boolean;
  /** Keys whose totals are to be compared with rows once all rows are. */
  readonly keys: readonly string[];
}

/** `done`, the end of the run, or that it has to be looked at again. */
type Carried = "done" | "moved" | JobOutcome;

/** What moves, or finds that something moved, is looked at so often, and then put off. */
const attemptsMax = 5;

/**
 * Looks at one suspicious document or total for certain, and does about it what its projection says.
 * An answer is the end of the run; without one it goes on.
 */
export class Settlement {
  readonly #parts: SettlementParts;

  constructor(parts: SettlementParts) {
    this.#parts = parts;
  }

  async document(
    partition: string,
    document: DocumentId,
    shareKeys: ReadonlySet<string> = new Set(),
  ): Promise<JobOutcome | SettledDocument> {
    const { ground, options, progress } = this.#parts;
    const { feedWaitMs } = options;
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      await ground.pace.pause(ground.signal);
      if (!(await this.#mayWriteInto(partition))) break;
      const suspect = { partition, document, shareKeys, feedWaitMs };
      const found = await confirmDocument(ground, suspect);
      if (found.outcome === "agrees" || this.#isOutOfScope(found)) return settled([]);
      if (found.outcome === "ahead") return "source-behind";
      if (found.outcome === "switched") return "switched";
      if (found.outcome === "behind") break;
      if (found.outcome === "undetermined") {
        progress.couldNotTell(document, found.reason, partition);
        return unsettled;
      }
      if (found.outcome === "moved") continue;
      const carried = await this.#carryOut(this.#decideDocument(partition, document, found));
      if (carried !== "moved")
        return carried === "done" ? settled(found.projected.keysLeft) : carried;
    }
    progress.postpone({ partition, document });
    return unsettled;
  }

  /**
   * Totals of one partition, each by itself once rows were gone through for all of them.
   *
   * @param areRowsKnown whether all rows are as they were written; otherwise that is found out before any total
   * is made from them.
   */
  async totals(
    partition: string,
    keys: readonly string[],
    areRowsKnown: boolean,
  ): Promise<JobOutcome | undefined> {
    const { ground, progress } = this.#parts;
    const wrong = await findWrongTotals(ground, partition, keys);
    if (wrong === "switched") return wrong;
    const isSure = areRowsKnown && ground.unwritten.isKnown(partition);
    if (wrong.length > 0 && !isSure && !(await this.#areRowsAsWritten(partition))) {
      for (const key of wrong) progress.leaveToTheNext({ partition, key });
      return undefined;
    }
    for (const key of wrong) {
      const ended = await this.#total(partition, key);
      if (ended !== undefined) return ended;
    }
    return undefined;
  }

  /** Keys that a document gives to, as they lie there. */
  async keysOf(partition: string, document: DocumentId): Promise<readonly string[]> {
    const { store, target, scope } = this.#parts.ground;
    const keys: string[] = [];
    const under = documentRowsPath(target.generation, partition, document);
    for await (const { path } of readRecords(store, under)) keys.push(path.at(-1)!);
    return keys.filter((key) => isInRange(key, scope.keys));
  }

  /** But for those of which the run has found what they should be. */
  async #areRowsAsWritten(partition: string): Promise<boolean> {
    const { ground } = this.#parts;
    const { unwritten, target } = ground;
    if (!unwritten.isKnown(partition)) return false;
    const scan = new PartitionScan({ ...ground, isThorough: false }, { only: partition });
    const { suspectDocuments, intactDocuments } = await scan.look(partition);
    return [...suspectDocuments.keys()].every((document) => {
      if (intactDocuments.has(document)) return true;
      return unwritten.has(documentRowsPath(target.generation, partition, document));
    });
  }

  async #total(partition: string, key: string): Promise<JobOutcome | undefined> {
    const { ground, progress } = this.#parts;
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      await ground.pace.pause(ground.signal);
      if (!(await this.#mayWriteInto(partition))) break;
      const found = await confirmTotal(ground, partition, key);
      if (found.outcome === "agrees") return undefined;
      if (found.outcome === "switched") return "switched";
      if (found.outcome === "undetermined") {
        progress.couldNotTellTotal(partition);
        return undefined;
      }
      const { change, draft } = found;
      const place = { projection: ground.target.projection.name, partition, key };
      const decided = { place, cause: causeOfTotal(change), keys: [keyOfTotal(change)], draft };
      const carried = await this.#carryOut(decided);
      if (carried !== "moved") return carried === "done" ? undefined : carried;
    }
    progress.postpone({ partition, key });
    return undefined;
  }

  async #mayWriteInto(partition: string): Promise<boolean> {
    return (await this.#parts.writer?.enter(partition)) ?? true;
  }

  #isOutOfScope(found: ConfirmedDocument): boolean {
    const { keys } = this.#parts.ground.scope;
    if (keys === undefined || found.outcome !== "differs") return false;
    return !keysOfDocument(found.projected).some(({ key }) => isInRange(key, keys));
  }

  #decideDocument(
    partition: string,
    document: DocumentId,
    { projected, cause, draft, log }: Extract<ConfirmedDocument, { outcome: "differs" }>,
  ): Decided {
    const keys = keysOfDocument(projected);
    const key = keys.length === 1 ? keys[0]!.key : undefined;
    const { name: projection } = this.#parts.ground.target.projection;
    return { place: { projection, partition, document, key }, cause, keys, draft, log };
  }

  async #carryOut(decided: Decided): Promise<Carried> {
    const { ground, writer } = this.#parts;
    const { repair } = ground.target.projection;
    if (!(await this.#isSourceStill(decided))) return "moved";
    const carried = await this.#decide(decided);
    const { partition, document } = decided.place;
    const isLeft = writer === undefined || repair !== "overwrite";
    if (carried === "done" && isLeft && document !== undefined)
      ground.unwritten.note(partition, decided.draft);
    return carried;
  }

  async #decide(decided: Decided): Promise<Carried> {
    const { ground, writer } = this.#parts;
    const { repair } = ground.target.projection;
    if (writer === undefined) {
      // Nothing is written that would tell: what was read is looked at once more instead.
      if (!(await decided.draft.holds())) return "moved";
      return this.#reported(decided);
    }
    if (repair === "never") return await this.#report(decided, writer);
    if (this.#isCapReached()) return "capped";
    const decide = repair === "emit" ? this.#emit(decided, writer) : this.#correct(decided, writer);
    return await decide;
  }

  /** The other half of the comparison: what was read of the projection is compared by the batch itself. */
  async #isSourceStill({ place, log }: Decided): Promise<boolean> {
    const { document } = place;
    if (document === undefined || log === undefined) return true;
    const { ground, progress } = this.#parts;
    const look = await ground.target.source.look(document);
    const isStill = look.outcome === "whole" && look.log === log;
    if (!isStill) progress.counts.moved++;
    return isStill;
  }

  #isCapReached(): boolean {
    const { corrections, emitted } = this.#parts.progress.counts;
    return corrections + emitted >= this.#parts.options.correctionsMax;
  }

  async #correct(decided: Decided, writer: JobWriter): Promise<Carried> {
    const { journal } = this.#parts;
    const { cause, draft } = decided;
    const damaged = decided.keys.filter(({ isDamaged }) => isDamaged).length;
    const unread = damaged > 0 ? `; ${damaged} values of it could not be read` : "";
    const detail = `${cause}: the projection was not what its source says${unread}`;
    const entry = this.#entry(decided, { action: "corrected", result: "applied", detail });
    const counts = { ...this.#countOf(decided), corrections: 1 };
    const written = await this.#write({ draft, entry, counts }, writer);
    if (written !== "done") return written;
    journal.noted(entry);
    if (await draft.isWritten()) return this.#found(decided, "corrected", counts);
    const why = "what was written is not what is there";
    return await this.#fail(decided, writer, { why, drift: counts, isCounted: true });
  }

  /** At least once: the application hears of it again when what it did could not be noted. */
  async #emit(decided: Decided, writer: JobWriter): Promise<Carried> {
    const { options, progress, journal, ground } = this.#parts;
    const { place, keys, cause, draft } = decided;
    if (!(await draft.holds())) return "moved";
    const counted = this.#countOf(decided);
    try {
      await options.onCorrection?.({ ...place, cause, keys, run: progress.run });
    } catch (error) {
      const why = `the application: ${String(error)}`;
      return await this.#fail(decided, writer, { why, drift: counted, isCounted: false });
    }
    const detail = "handed to the application";
    const entry = this.#entry(decided, { action: "emitted", result: "reported", detail });
    const counts = { ...counted, emitted: 1 };
    const written = await this.#write({ draft: draft.withoutChanges(), entry, counts }, writer);
    if (written !== "done") return written;
    journal.noted(entry);
    ground.environment.logger.info("reconcile.emitted", this.#fields(decided));
    return this.#found(decided, "emitted", counts);
  }

  /** Of a projection that is never repaired: in every report, and in the journal until it changes. */
  async #report(decided: Decided, writer: JobWriter): Promise<Carried> {
    const { journal } = this.#parts;
    const detail = "reported only: this projection is never repaired";
    const entry = this.#entry(decided, { action: "none", result: "reported", detail });
    if (journal.isSaid(entry)) {
      if (!(await decided.draft.holds())) return "moved";
      return this.#reported(decided);
    }
    const counts = this.#countOf(decided);
    const draft = decided.draft.withoutChanges();
    const written = await this.#write({ draft, entry, counts }, writer);
    if (written !== "done") return written;
    journal.noted(entry);
    return this.#found(decided, "reported", counts);
  }

  /** Found, and nothing is written about it. */
  #reported(decided: Decided): "done" {
    const counts = this.#countOf(decided);
    this.#parts.progress.count(counts);
    return this.#found(decided, "reported", counts);
  }

  #countOf({ place, cause }: Decided): DriftCount {
    return { drifts: 1, recurring: this.#parts.journal.hasSeen(place, cause) ? 1 : 0 };
  }

  #entry(
    { place, cause, keys }: Decided,
    done: Pick<AuditedDrift, "action" | "result" | "detail">,
  ): AuditEntry {
    return this.#parts.journal.entryOf({ place, cause, keys, ...done });
  }

  /** Counts are in the record of the same batch: they, and the cap, hold over a job that is killed, too. */
  async #write({ draft, entry, counts }: Settled, writer: JobWriter): Promise<Carried> {
    const { progress } = this.#parts;
    const audit = [encodeAuditEntry(entry)];
    const outcome = await writer.write(draft, audit, progress.recordAs("running", counts));
    if (outcome === "applied") progress.count(counts);
    if (outcome === "moved") progress.counts.moved++;
    return outcome === "applied" ? "done" : outcome;
  }

  async #fail(
    decided: Decided,
    writer: JobWriter,
    {
      why,
      drift,
      isCounted,
    }: { readonly why: string; readonly drift: DriftCount; readonly isCounted: boolean },
  ): Promise<Carried> {
    const { ground } = this.#parts;
    const entry = this.#entry(decided, { action: "corrected", result: "failed", detail: why });
    ground.environment.logger.error("reconcile.correction_failed", {
      ...this.#fields(decided),
      error: why,
    });
    const counts = { ...(!isCounted && drift), failures: 1 };
    const draft = new RecordDraft(ground.store);
    const written = await this.#write({ draft, entry, counts }, writer);
    if (written !== "done") this.#parts.progress.count(counts);
    this.#found(decided, "failed", drift);
    return written === "fenced" ? written : "done";
  }

  #found(decided: Decided, action: DriftAction, { recurring }: DriftCount): "done" {
    const { progress, ground } = this.#parts;
    const { place, cause, keys } = decided;
    const { key, size } = largestOf(keys);
    const { partition, document } = place;
    const isRecurring = recurring > 0;
    const kept = keys.slice(0, keysKeptMax);
    const drift = { partition, document, keys: kept, keyCount: keys.length, cause, action, size };
    progress.found({ ...drift, isRecurring }, key);
    const { logger } = ground.environment;
    if (isRecurring) logger.error("reconcile.drift_recurs", this.#fields(decided));
    else if (action === "corrected") logger.warn("reconcile.corrected", this.#fields(decided));
    return "done";
  }

  /** No partition and no key: they may be content. `run` is the process, in lines of a log. */
  #fields({ place, cause }: Decided): Readonly<Record<string, string | undefined>> {
    const { projection, document } = place;
    return { projection, document, cause, reconcileRun: this.#parts.progress.run };
  }
}

const unsettled: SettledDocument = { isSettled: false, keys: [] };

function settled(keys: readonly string[]): SettledDocument {
  return { isSettled: true, keys };
}
