import { CausalWalk, type Frontier, frontierAt } from "./causal-walk.ts";
import type { KnownClocks } from "./known-clocks.ts";
import type { ParsedUpdate } from "./parsed-update.ts";
import { comparePieces } from "./update-writer.ts";
import { cutBefore, pieceOf, type StructPiece } from "./struct-piece.ts";

/** Both lists are in the order of `encodeUpdate`. */
export interface StructAdmission {
  readonly admitted: readonly StructPiece[];
  readonly parked: readonly StructPiece[];
  /** Client → clock behind what was admitted; left empty when the update deletes nothing. */
  readonly clocks: ReadonlyMap<number, number>;
  /** Every struct of the update was admitted untouched. The lists are left empty then. */
  readonly isWhole: boolean;
}

const noPieces: readonly StructPiece[] = [];
const noClocks: ReadonlyMap<number, number> = new Map();

export function admitStructs(knowledge: KnownClocks, update: ParsedUpdate): StructAdmission {
  const isFree = dependsOnKnownOnly(knowledge, update);
  const whole = isFree ? contiguousClocks(knowledge, update) : undefined;
  if (whole !== undefined) {
    return { admitted: noPieces, parked: noPieces, clocks: whole, isWhole: true };
  }
  const { live, parked } = splitRuns(knowledge, update);
  const admitted = isFree ? Array.from(live.values()) : walk(knowledge, update, live, parked);
  const clocks = new Map<number, number>();
  for (const piece of admitted) clocks.set(piece.client, piece.endClock);
  return {
    admitted: admitted.toSorted(comparePieces),
    parked: parked.toSorted(comparePieces),
    clocks,
    isWhole: false,
  };
}

function dependsOnKnownOnly(knowledge: KnownClocks, update: ParsedUpdate): boolean {
  for (const [client, clock] of update.requires) {
    if (clock >= knowledge.clockOf(client)) return false;
  }
  return true;
}

/** The clocks behind the update when each run begins exactly where the knowledge ends. */
function contiguousClocks(
  knowledge: KnownClocks,
  update: ParsedUpdate,
): ReadonlyMap<number, number> | undefined {
  for (const run of update.runs) {
    if (run.clock !== knowledge.clockOf(run.client)) return undefined;
  }
  // Asked for by deletes only.
  if (update.deletes.length === 0) return noClocks;
  return new Map(update.runs.map((run) => [run.client, run.endClock]));
}

/**
 * Sorts runs by what is known of their client: below it (dropped), across its end (the one run that
 * can go on from there, kept in `live`), or behind a gap (parked).
 */
function splitRuns(knowledge: KnownClocks, update: ParsedUpdate) {
  const live = new Map<number, StructPiece>();
  const parked: StructPiece[] = [];
  for (const run of update.runs) {
    const clock = knowledge.clockOf(run.client);
    if (run.endClock <= clock) continue;
    const piece = pieceOf(update, run);
    if (run.clock > clock) parked.push(piece);
    else live.set(run.client, cutBefore(piece, clock)!);
  }
  return { live, parked };
}

/** Admits what can be reached in causal order; adds the rest of each live run to `parked`. */
function walk(
  knowledge: KnownClocks,
  update: ParsedUpdate,
  live: ReadonlyMap<number, StructPiece>,
  parked: StructPiece[],
): StructPiece[] {
  if (live.size === 0) return [];
  const walk = new CausalWalk(update, (client, clock) => clock < knowledge.clockOf(client));
  update.runs.forEach((run, index) => {
    const piece = live.get(run.client);
    if (piece === undefined || piece.endClock !== run.endClock) return;
    const frontier = frontierAt(update, index, index + 1);
    frontier.offset = piece.start;
    frontier.structClock = piece.clock - piece.trim;
    frontier.clock = piece.clock;
    walk.frontiers.set(run.client, frontier);
  });
  walk.run();
  const admitted: StructPiece[] = [];
  for (const frontier of walk.frontiers.values()) {
    split(live.get(frontier.client)!, frontier, admitted, parked);
  }
  return admitted;
}

/** Divides a live piece where the walk stopped. */
function split(
  piece: StructPiece,
  frontier: Frontier,
  admitted: StructPiece[],
  parked: StructPiece[],
): void {
  const { clock, offset, structsPassed } = frontier;
  if (structsPassed === 0) parked.push(piece);
  else if (structsPassed === piece.structCount) admitted.push(piece);
  else {
    admitted.push({ ...piece, endClock: clock, end: offset, structCount: structsPassed });
    const structCount = piece.structCount - structsPassed;
    parked.push({ ...piece, clock, start: offset, structCount, trim: 0 });
  }
}
