import { fromHex, toHex, type DocumentId, type Environment, type Hash } from "@heddle/core";

import { decodeAuditEntry, type AuditEntry, type AuditValue } from "../audit-entry.ts";
import { auditLimits } from "../audit-limits.ts";
import { projectionLimits } from "../projection-limits.ts";
import type { ProjectionStore } from "../projection-store.ts";
import { encodeRowValue, type RowValue } from "../row-value.ts";
import type { RowDriftCause } from "./drift-cause.ts";
import type { DriftedKey } from "./job-report.ts";
import { readOr } from "./read-or.ts";

/** So far back it is looked for drift at the same place. */
const entriesLookedAt = 5_000;

/** Where something drifted. */
export interface DriftPlace {
  readonly projection: string;
  readonly partition: string;
  readonly document?: DocumentId | undefined;
  /** Missing when several keys of a document differ. */
  readonly key?: string | undefined;
}

/** What one run writes into the journal of a store, and what it knows from it of earlier drifts. */
export class DriftJournal {
  readonly #parts: DriftJournalParts;
  /** Place and cause → what the last entry says. */
  readonly #known = new Map<string, AuditEntry>();

  private constructor(parts: DriftJournalParts) {
    this.#parts = parts;
  }

  /** Reads the newest entries of the journal. */
  static async open(parts: DriftJournalParts): Promise<DriftJournal> {
    const journal = new DriftJournal(parts);
    const last = await lastAuditNumber(parts.store);
    for (let after = Math.max(0, last - entriesLookedAt); ;) {
      const page = await parts.store.readAudit(after, projectionLimits.pageEntriesMax);
      if (page.length === 0) return journal;
      after = page.at(-1)!.number;
      for (const { value } of page) {
        const entry = readOr(value, decodeAuditEntry);
        if (entry !== undefined) journal.#learn(entry);
      }
    }
  }

  /** Whether the journal has this cause at this place. */
  hasSeen(place: DriftPlace, cause: RowDriftCause): boolean {
    return this.#known.has(nameOf(place, cause));
  }

  /** Whether the last entry of this cause at this place says the same: one for each run would bury all others. */
  isSaid(entry: AuditEntry): boolean {
    const known = this.#known.get(nameOfEntry(entry));
    return known?.action === entry.action && sameValue(known.before, entry.before);
  }

  /** An entry, which is not in the journal before it is written there and {@link noted} here. */
  entryOf(drift: AuditedDrift): AuditEntry {
    const { environment, holder, run } = this.#parts;
    const { place, cause, action, result, keys, detail } = drift;
    const { hash } = environment;
    const before = valueOf(hash, keys, ({ before: value }) => value);
    const after = valueOf(hash, keys, ({ after: value }) => value);
    return {
      id: environment.random.bytes(16),
      atMs: environment.clock.nowMs(),
      by: holder,
      subject: { of: "row", ...place },
      cause,
      action,
      result,
      before,
      ...(action === "corrected" ? { after } : { against: after }),
      correlationId: fromHex(run),
      detail,
    };
  }

  /** It was written. */
  noted(entry: AuditEntry): void {
    this.#learn(entry);
  }

  #learn(entry: AuditEntry): void {
    if (entry.subject.of === "row" && entry.subject.projection === this.#parts.projection) {
      this.#known.set(nameOfEntry(entry), entry);
    }
  }
}

export interface DriftJournalParts {
  readonly store: ProjectionStore;
  readonly environment: Pick<Environment, "clock" | "hash" | "random">;
  readonly projection: string;
  /** Who decides. */
  readonly holder: string;
  /** Of the run, 16 bytes in hex. */
  readonly run: string;
}

export interface AuditedDrift {
  readonly place: DriftPlace;
  readonly cause: RowDriftCause;
  readonly action: "none" | "corrected" | "emitted";
  readonly result: string;
  readonly keys: readonly DriftedKey[];
  readonly detail: string;
}

/** Number of the newest entry of the journal; 0 without any. In as many readings as the number has bits. */
export async function lastAuditNumber(store: ProjectionStore): Promise<number> {
  const isThere = async (number: number): Promise<boolean> => {
    return (await store.readAudit(number - 1, 1)).length > 0;
  };
  if (!(await isThere(1))) return 0;
  let low = 1;
  while (await isThere(low * 2)) low *= 2;
  for (let step = Math.floor(low / 2); step >= 1; step = Math.floor(step / 2)) {
    if (await isThere(low + step)) low += step;
  }
  return low;
}

function nameOfEntry({ subject, cause }: AuditEntry): string {
  if (subject.of !== "row") return "";
  const { partition = "", document, key } = subject;
  return nameOf({ projection: subject.projection, partition, document, key }, cause);
}

function nameOf(
  { partition, document = "" as DocumentId, key = "" }: DriftPlace,
  cause: string,
): string {
  return [partition, document, document === "" ? key : "", cause].join("\0");
}

function sameValue(a: AuditValue | undefined, b: AuditValue | undefined): boolean {
  return (a && toHex(a.digest)) === (b && toHex(b.digest));
}

/** Keys and values of one side as one object in canonical JSON, of which the beginning is kept. */
function valueOf(
  hash: Hash,
  keys: readonly DriftedKey[],
  side: (key: DriftedKey) => RowValue | undefined,
): AuditValue {
  const present = keys.filter((key) => side(key) !== undefined);
  const object = Object.fromEntries(present.map((key) => [key.key, side(key)!]));
  const bytes = encodeRowValue(object, projectionLimits.batchBytesMax);
  const kept = bytes.slice(0, auditLimits.valueBytesMax);
  return { digest: hash.sha256(bytes), size: bytes.length, bytes: kept };
}
