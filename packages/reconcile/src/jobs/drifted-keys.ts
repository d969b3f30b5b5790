import type { TotalChange } from "../key-totals.ts";
import type { Projected } from "../project-document.ts";
import type { RowValue } from "../row-value.ts";
import type { DriftedKey } from "./job-report.ts";

/** What differs in a document: its rows, or else the totals that they give to. */
export function keysOfDocument({ rows, totals }: Projected): DriftedKey[] {
  if (rows.length === 0) return totals.map(keyOfTotal);
  return rows.map(({ key, before, after, isDamaged }) => keyOf(key, { before, after, isDamaged }));
}

export function keyOfTotal({ key, before, after }: TotalChange): DriftedKey {
  const isDamaged = before === "damaged";
  return keyOf(key, {
    before: isDamaged ? undefined : before?.value,
    after: after?.value,
    isDamaged,
  });
}

interface Sides {
  readonly before: RowValue | undefined;
  readonly after: RowValue | undefined;
  readonly isDamaged: boolean;
}

function keyOf(key: string, { before, after, isDamaged }: Sides): DriftedKey {
  return {
    key,
    ...(before !== undefined && { before }),
    ...(isDamaged && { isDamaged }),
    ...(after !== undefined && { after }),
  };
}

/** The largest difference of numbers; 1 where the values are no numbers. */
export function largestOf(keys: readonly DriftedKey[]): {
  readonly key: string;
  readonly size: number;
} {
  let largest = { key: keys[0]?.key ?? "", size: keys.length > 0 ? 1 : 0 };
  for (const { key, before = 0, after = 0 } of keys) {
    if (typeof before !== "number" || typeof after !== "number") continue;
    const size = Math.abs(after - before);
    if (size > largest.size) largest = { key, size };
  }
  return largest;
}
