import type { KnownClocks } from "./known-clocks.ts";
import type { ClientDeletes, ParsedUpdate } from "./parsed-update.ts";

/** Clients descending. */
export interface DeleteAdmission {
  readonly admitted: readonly ClientDeletes[];
  readonly parked: readonly ClientDeletes[];
  /** Every delete of the update is new and has its target. The lists are left empty then. */
  readonly isWhole: boolean;
}

const nothingDeleted: DeleteAdmission = { admitted: [], parked: [], isWhole: true };

/**
 * Splits the deletes of an update: known ones are dropped, those of clocks behind what is known or
 * admitted are parked.
 *
 * @param clocks client → clock behind the structs admitted from the same update.
 */
export function admitDeletes(
  knowledge: KnownClocks,
  update: ParsedUpdate,
  clocks: ReadonlyMap<number, number>,
): DeleteAdmission {
  if (update.deletes.length === 0) return nothingDeleted;
  const admitted: ClientDeletes[] = [];
  const parked: ClientDeletes[] = [];
  let isWhole = true;
  for (const deletes of update.deletes) {
    const { client, ranges } = deletes;
    const endClock = clocks.get(client) ?? knowledge.clockOf(client);
    const parts = splitRanges(knowledge, deletes, endClock);
    if (parts.fresh.length > 0) admitted.push({ client, ranges: parts.fresh });
    if (parts.ahead.length > 0) parked.push({ client, ranges: parts.ahead });
    isWhole &&=
      parts.fresh.length === ranges.length && parts.ahead.length === 0 && parts.isUntouched;
  }
  return { admitted: admitted.toSorted(descending), parked: parked.toSorted(descending), isWhole };
}

function splitRanges(knowledge: KnownClocks, { client, ranges }: ClientDeletes, endClock: number) {
  const known = knowledge.deletes.rangesOf(client);
  const fresh: number[] = [];
  const ahead: number[] = [];
  let units = 0;
  for (let index = 0; index < ranges.length; index += 2) {
    const clock = ranges[index]!;
    const end = ranges[index + 1]!;
    units += end - clock;
    const freshEnd = Math.min(end, endClock);
    if (clock < freshEnd) {
      if (known === undefined) fresh.push(clock, freshEnd);
      else known.missingFrom(clock, freshEnd, fresh);
    }
    if (end > endClock) ahead.push(Math.max(clock, endClock), end);
  }
  for (let index = 0; index < fresh.length; index += 2) units -= fresh[index + 1]! - fresh[index]!;
  return { fresh, ahead, isUntouched: units === 0 };
}

function descending(a: ClientDeletes, b: ClientDeletes): number {
  return b.client - a.client;
}
