import { isHeddleError } from "@heddle/core";

import { recountTotals, totalIn, type TotalChange } from "../key-totals.ts";
import { isAsExpected } from "../projection-batch.ts";
import { totalPath } from "../projection-layout.ts";
import { encodeTotal, type Total } from "../projection-records.ts";
import type { RecordDraft } from "../record-draft.ts";
import { draftOn, type JobGround } from "./job-ground.ts";

export type ConfirmedTotal =
  | { readonly outcome: "agrees" }
  /** With a draft that makes it right, of which nothing is written yet. */
  | { readonly outcome: "differs"; readonly draft: RecordDraft; readonly change: TotalChange }
  /** The definition fails on what the rows hold: one of them is of a document that could not be told. */
  | { readonly outcome: "undetermined" }
  | { readonly outcome: "switched" };

/** Those of the keys whose total is not what the rows come to; looks at all rows of the partition once. */
export async function findWrongTotals(
  ground: JobGround,
  partition: string,
  keys: readonly string[],
): Promise<readonly string[] | "switched"> {
  if (keys.length === 0) return [];
  const compared = await compareTotals(ground, partition, keys);
  // Which of them cannot be added up is found one by one.
  if (compared === "undetermined") return keys;
  return compared === "switched" ? compared : compared.changes.map(({ key }) => key);
}

/**
 * Adds up the rows of one key and compares. The total is read before the rows: a document that comes to the
 * key later changes it, and the draft is not written then.
 */
export async function confirmTotal(
  ground: JobGround,
  partition: string,
  key: string,
): Promise<ConfirmedTotal> {
  const compared = await compareTotals(ground, partition, [key]);
  if (compared === "switched" || compared === "undetermined") return { outcome: compared };
  const [change] = compared.changes;
  if (change === undefined) return { outcome: "agrees" };
  const { draft } = compared;
  const path = totalPath(ground.target.generation, partition, key);
  if (change.after) draft.put(path, encodeTotal(change.after));
  else draft.remove(path);
  return { outcome: "differs", draft, change };
}

interface ComparedTotals {
  readonly draft: RecordDraft;
  readonly changes: readonly TotalChange[];
}

async function compareTotals(
  ground: JobGround,
  partition: string,
  keys: readonly string[],
): Promise<ComparedTotals | "switched" | "undetermined"> {
  const { projection, generation } = ground.target;
  const draft = await draftOn(ground, partition);
  if (draft === undefined) return "switched";
  const stored = await draft.get(keys.map((key) => totalPath(generation, partition, key)));
  let counted: ReadonlyMap<string, Total>;
  try {
    counted = await recountTotals(draft, { projection, generation, partition }, keys);
  } catch (error) {
    if (isHeddleError(error)) throw error;
    return "undetermined"; // Thrown by `combine` of the definition.
  }
  const changes = keys.flatMap((key, index): TotalChange[] => {
    const after = counted.get(key);
    const found = stored[index];
    if (isAsExpected(found, after && encodeTotal(after))) return [];
    return [{ key, before: totalIn(found), after }];
  });
  return { draft, changes };
}
