import type { ParkedEntry } from "./parked-entry.ts";
import type { ParkingBounds } from "./parking-bounds.ts";

/** What is to be parked, and what it would replace. */
export interface Newcomer {
  readonly party: string | undefined;
  readonly bytes: number;
  readonly replaces: ReadonlySet<ParkedEntry>;
}

export type ParkingBound = "updatesMax" | "bytesMax";

/** Updates that have to go for the newcomer, or the bound that keeps it out. */
export type Room = { readonly evicts: readonly ParkedEntry[] } | { readonly full: ParkingBound };

interface Share {
  count: number;
  bytes: number;
  /** Oldest last. */
  readonly entries: ParkedEntry[];
}

/**
 * Makes room by fairness between parties: while there is not enough, the oldest update of whoever takes
 * most goes, as long as the newcomer's party takes no more than that one. So nobody can take a place from
 * those who have less, and nobody who comes first can keep it all. A source that is not told apart from
 * others takes nothing from anybody.
 */
export function makeRoom(
  newcomer: Newcomer,
  entries: Iterable<ParkedEntry>,
  bounds: Pick<ParkingBounds, ParkingBound>,
): Room {
  const { shares, total } = sharesOf(entries, newcomer);
  total.count++;
  total.bytes += newcomer.bytes;
  const broken = (): ParkingBound | undefined => {
    if (total.count > bounds.updatesMax) return "updatesMax";
    return total.bytes > bounds.bytesMax ? "bytesMax" : undefined;
  };
  const fullness = ({ count, bytes }: Pick<Share, "count" | "bytes">): number => {
    return Math.max(count / bounds.updatesMax, bytes / bounds.bytesMax);
  };
  const { count = 0, bytes = 0 } = shares.get(newcomer.party) ?? {};
  const wanted = fullness({ count: count + 1, bytes: bytes + newcomer.bytes });
  const evicts: ParkedEntry[] = [];
  for (let full = broken(); full !== undefined; full = broken()) {
    const biggest = [...shares]
      .filter(([party, share]) => party !== newcomer.party && share.entries.length > 0)
      .map(([, share]) => share)
      .reduce<Share | undefined>((a, b) => (a && fullness(a) >= fullness(b) ? a : b), undefined);
    const mayEvict = newcomer.party !== undefined && biggest && wanted <= fullness(biggest);
    if (!mayEvict) return { full };
    const oldest = biggest.entries.pop()!;
    evicts.push(oldest);
    for (const sum of [biggest, total]) {
      sum.count--;
      sum.bytes -= oldest.weight;
    }
  }
  return { evicts };
}

function sharesOf(entries: Iterable<ParkedEntry>, { replaces }: Newcomer) {
  const shares = new Map<string | undefined, Share>();
  const total = { count: 0, bytes: 0 };
  const newestFirst = [...entries]
    .filter((entry) => !replaces.has(entry))
    .toSorted((a, b) => a.record.parkedAtMs - b.record.parkedAtMs)
    .toReversed();
  for (const entry of newestFirst) {
    let share = shares.get(entry.party);
    if (!share) shares.set(entry.party, (share = { count: 0, bytes: 0, entries: [] }));
    // What is being tried may be in the log in a moment: it counts, and is not thrown out.
    if (!entry.isTried) share.entries.push(entry);
    for (const sum of [share, total]) {
      sum.count++;
      sum.bytes += entry.weight;
    }
  }
  return { shares, total };
}
