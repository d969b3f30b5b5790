import { isHeddleError } from "@heddle/core";

import type { AuditCause } from "../audit-entry.ts";
import type { Projection, Row } from "../define-projection.ts";
import { collectRows } from "../document-rows.ts";
import type { TotalChange } from "../key-totals.ts";
import type { Projected, ProjectionTarget, RowChange } from "../project-document.ts";
import type { SourceDocument } from "../projection-source.ts";
import { equalRowValues, type RowValue } from "../row-value.ts";

/** Causes of drift between rows and their source. */
export type RowDriftCause = Extract<
  AuditCause,
  "missed" | "duplicated" | "logic-version" | "tampered" | "unexplained"
>;

export interface DriftEvidence {
  readonly target: ProjectionTarget;
  /** `undefined` when the source has no such document, or it belongs to another partition. */
  readonly document: SourceDocument | undefined;
  readonly projected: Projected;
  /** Digest L in hex of what the source has. */
  readonly log: string | undefined;
}

/**
 * Why rows differ from their source, by what the marker says of their making. The feed has passed by
 * then, or a document that was just changed would count as missed.
 *
 * - tampered: the rows are not those that the marker was written with, or nobody wrote a marker.
 * - logic-version: another definition made them.
 * - missed: they are of an earlier state of the document.
 * - duplicated: they are of this state, and some change is in them twice.
 * - unexplained: they are of this state and are wrong. The definition gives other rows than it gave, with no
 *   other version; or what wrote them was broken.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function causeOfDrift(evidence: DriftEvidence): Promise<RowDriftCause> {
  const { target, document, projected, log } = evidence;
  const { marker, wereRowsAsMarked, rows } = projected;
  if (marker === undefined && wereRowsAsMarked) return "missed";
  if (marker === undefined || marker === "damaged" || !wereRowsAsMarked) return "tampered";
  if (document === undefined) return "tampered";
  if (marker.definition !== target.definition) return "logic-version";
  if (marker.log !== log) return "missed";
  // The rows are right: only a hand parts them from shares and totals.
  if (rows.length === 0) return "tampered";
  try {
    return (await isDoubled(target, document, rows)) ? "duplicated" : "unexplained";
  } catch (error) {
    if (isHeddleError(error)) throw error;
    return "unexplained"; // The definition fails on what is there.
  }
}

/** Why a total is not what its rows come to, while each row is what its source says. */
export function causeOfTotal({ before, after }: TotalChange): RowDriftCause {
  if (before === undefined || before === "damaged" || after === undefined) return "tampered";
  if (before.documents === after.documents + 1) return "duplicated";
  return before.documents === after.documents - 1 ? "missed" : "tampered";
}

/** Whether the difference is what one change of a fold gives, or all of them, combined once more. */
async function isDoubled(
  { projection, source }: ProjectionTarget,
  document: SourceDocument,
  rows: readonly RowChange[],
): Promise<boolean> {
  if (projection.kind !== "fold") return false;
  const explains = (extra: (key: string) => RowValue | undefined): boolean => {
    return rows.every(({ key, before, after }) => {
      const again = extra(key);
      if (before === undefined) return false;
      if (after === undefined || again === undefined) return false;
      return equalRowValues(projection.combine(after, again), before);
    });
  };
  const right = new Map(rows.map(({ key, after }) => [key, after]));
  if (explains((key) => right.get(key))) return true;
  const reading = await source.readChanges(document.id, new Map());
  if (reading.outcome !== "whole") return false;
  for await (const chunk of reading.changes) {
    for (const change of chunk) {
      const given = rowsOf(projection, projection.fold(change));
      if (explains((key) => given.get(key))) return true;
    }
  }
  return false;
}

function rowsOf({ name, combine }: Projection, rows: Iterable<Row>): ReadonlyMap<string, RowValue> {
  return collectRows(name, rows, combine);
}
