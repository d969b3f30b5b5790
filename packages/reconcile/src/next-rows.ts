import { HeddleErrorCode, isHeddleError, type LaneId } from "@heddle/core";

import type { FoldDefinition, Projection } from "./define-projection.ts";
import { assertRows, collectRows } from "./document-rows.ts";
import {
  comparePlaces,
  type ChangePlace,
  type Marker,
  type StoredRow,
} from "./projection-records.ts";
import type {
  Absent,
  AcceptedDoubts,
  ProjectionSource,
  SourceChange,
  SourceDocument,
  Undetermined,
} from "./projection-source.ts";
import type { RowValue } from "./row-value.ts";

/** What a document comes to now. */
export interface NextRows {
  readonly outcome: "whole";
  /** Digest L in hex. */
  readonly log: string;
  readonly rows: ReadonlyMap<string, StoredRow>;
  /** Of folds. */
  readonly vector?: ReadonlyMap<LaneId, number> | undefined;
  /** Clock readings of the changes that were not folded before, in milliseconds. */
  readonly folded: readonly number[];
}

/** What is folded in already, when it can be believed. */
export interface FoldBase {
  readonly marker: Marker;
  readonly rows: ReadonlyMap<string, StoredRow>;
}

/**
 * Reads a document, or what has changed in it since `base`, and asks the definition for its rows.
 *
 * @throws HeddleError `HEDDLE_PROJECTION_INVALID` for what it may not give, and whatever its functions throw.
 */
export async function nextRows<Content>(
  projection: Projection<Content>,
  source: ProjectionSource<Content>,
  document: SourceDocument,
  {
    base,
    accept,
  }: { readonly base?: FoldBase | undefined; readonly accept?: AcceptedDoubts | undefined },
): Promise<NextRows | Undetermined | Absent> {
  if (projection.kind === "fold") {
    try {
      return await foldedRows(projection, source, document, { base, accept });
    } catch (error) {
      // Of the log, which is read while it is folded; a reading that is not in pieces has an outcome for it.
      if (!isHeddleError(error, HeddleErrorCode.storageCorrupt)) throw error;
      return { outcome: "undetermined", reason: "damaged" };
    }
  }
  const reading = await source.read(document.id, accept);
  if (reading.outcome !== "whole") return reading;
  const given = collectRows(projection.name, projection.derive(reading.content, document));
  const rows = new Map([...given].map(([key, value]) => [key, { value }]));
  return { outcome: "whole", log: reading.log, rows, folded: [] };
}

type Fold = FoldDefinition & { readonly order: "any" | "canonical" };

async function foldedRows(
  fold: Fold,
  source: ProjectionSource,
  document: SourceDocument,
  {
    base,
    accept,
  }: { readonly base?: FoldBase | undefined; readonly accept?: AcceptedDoubts | undefined },
): Promise<NextRows | Undetermined | Absent> {
  const above = base?.marker.vector ?? new Map<LaneId, number>();
  const reading = await source.readChanges(document.id, above, accept);
  if (reading.outcome !== "whole") return reading;
  const { log, vector } = reading;
  const folding = new Folding(fold, base?.rows ?? new Map());
  for await (const chunk of reading.changes) for (const change of chunk) folding.add(change);
  const reopened = folding.finish();
  if (reopened.size > 0) {
    const whole = await source.readChanges(document.id, new Map(), accept);
    // Something came in between, or went: the next look begins with it.
    if (whole.outcome !== "whole") return whole;
    const again = new Folding(fold, new Map());
    for await (const chunk of whole.changes) {
      for (const change of chunk) {
        if (change.seq <= (vector.get(change.lane) ?? 0)) again.add(change);
      }
    }
    again.finish();
    for (const key of reopened) folding.replace(key, again.rows.get(key));
  }
  const { rows, folded } = folding;
  assertRows(fold.name, new Map([...rows].map(([key, { value }]) => [key, value])));
  return { outcome: "whole", log, rows, vector, folded };
}

/** Changes of one document on their way into its rows. */
class Folding {
  readonly rows: Map<string, StoredRow>;
  readonly folded: number[] = [];
  readonly #fold: Fold;
  readonly #steps: { place: ChangePlace; key: string; value: RowValue }[] = [];

  constructor(fold: Fold, rows: ReadonlyMap<string, StoredRow>) {
    this.#fold = fold;
    this.rows = new Map(rows);
  }

  add(change: SourceChange): void {
    const { combine, order, name } = this.#fold;
    const { hlc, lane, seq } = change;
    this.folded.push(hlc.wallMs);
    const place = { wallMs: hlc.wallMs, counter: hlc.counter, lane, seq };
    for (const [key, value] of collectRows(name, this.#fold.fold(change), combine)) {
      if (order === "canonical") this.#steps.push({ place, key, value });
      else this.#combine(key, { value });
    }
  }

  /** Takes in what had to be put in order first. Returns keys that a change came too late for. */
  finish(): ReadonlySet<string> {
    const reopened = new Set<string>();
    for (const { place, key, value } of this.#steps.toSorted((a, b) =>
      comparePlaces(a.place, b.place),
    )) {
      const last = this.rows.get(key)?.place;
      if (last && comparePlaces(place, last) < 0) reopened.add(key);
      this.#combine(key, { value, place });
    }
    return reopened;
  }

  replace(key: string, row: StoredRow | undefined): void {
    if (row) this.rows.set(key, row);
    else this.rows.delete(key);
  }

  #combine(key: string, { value, place }: StoredRow): void {
    const before = this.rows.get(key);
    const combined = before ? this.#fold.combine(before.value, value) : value;
    this.rows.set(key, place ? { value: combined, place } : { value: combined });
  }
}
