import { ByteCursor } from "./byte-cursor.ts";
import type { ParsedUpdate, StructRun } from "./parsed-update.ts";
import { noClient, StructReader } from "./struct-reader.ts";

/** How far the walk has come with the structs of one client. */
export interface Frontier {
  readonly client: number;
  /** Runs to walk, in ascending clocks: `[runIndex, runEnd)` of the update. */
  runIndex: number;
  readonly runEnd: number;
  /** The next struct: where it lies and its clock. */
  offset: number;
  structClock: number;
  /** Everything of this client below is reached. */
  clock: number;
  /** Clock behind the last run: nothing from there on can be reached in this walk. */
  readonly endClock: number;
  structsPassed: number;
  /** The walk pauses when `clock` is above; used while another client waits for this one. */
  goal: number;
  isWaitedFor: boolean;
  /** The next struct needs something that this walk cannot reach. */
  isStuck: boolean;
}

/** Places a frontier in front of the first struct of run `runIndex`. */
export function frontierAt(update: ParsedUpdate, runIndex: number, runEnd: number): Frontier {
  const run = update.runs[runIndex]!;
  return {
    client: run.client,
    runIndex,
    runEnd,
    offset: run.start,
    structClock: run.clock,
    clock: run.clock,
    endClock: update.runs[runEnd - 1]!.endClock,
    structsPassed: 0,
    goal: Number.POSITIVE_INFINITY,
    isWaitedFor: false,
    isStuck: false,
  };
}

/**
 * Visits structs so that each comes after everything it refers to, as Yjs integrates them. What
 * refers to something out of reach is left, and so is a cycle between clients. Linear: a struct is
 * read once, and once more for each of its at most three references that had to be fetched first.
 */
export class CausalWalk {
  readonly frontiers = new Map<number, Frontier>();
  readonly #runs: readonly StructRun[];
  readonly #reader: StructReader;
  readonly #isReached: (client: number, clock: number) => boolean;
  #missingClient = noClient;
  #missingClock = 0;

  /** @param isReached whether an id that no frontier is going to pass is there already. */
  constructor(update: ParsedUpdate, isReached: (client: number, clock: number) => boolean) {
    this.#runs = update.runs;
    this.#reader = new StructReader(new ByteCursor(update.bytes));
    this.#isReached = isReached;
  }

  run(visit?: (struct: StructReader) => void): void {
    for (const frontier of this.frontiers.values()) {
      if (!frontier.isStuck) this.#finish(frontier, visit);
    }
  }

  /** Walks `first` to its end and, on the way, other clients as far as somebody waits for them. */
  #finish(first: Frontier, visit: ((struct: StructReader) => void) | undefined): void {
    const stack = [first];
    first.goal = Number.POSITIVE_INFINITY;
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      top.isWaitedFor = true;
      if (this.#pass(top, visit)) {
        top.isWaitedFor = false;
        stack.pop();
        continue;
      }
      const next = this.frontiers.get(this.#missingClient);
      if (
        next === undefined ||
        next.isStuck ||
        next.isWaitedFor ||
        this.#missingClock >= next.endClock
      ) {
        // Each on the stack waits for the one above it, so none of them can go on.
        for (const frontier of stack) frontier.isStuck = true;
        return;
      }
      next.goal = this.#missingClock;
      stack.push(next);
    }
  }

  /** Passes structs up to the goal or the end. False when one needs the missing id noted. */
  #pass(frontier: Frontier, visit: ((struct: StructReader) => void) | undefined): boolean {
    const reader = this.#reader;
    reader.seek(frontier.client, frontier.structClock, frontier.offset);
    while (frontier.clock <= frontier.goal && frontier.runIndex < frontier.runEnd) {
      reader.next();
      if (
        this.#isMissing(reader.originClient, reader.originClock) ||
        this.#isMissing(reader.rightClient, reader.rightClock) ||
        this.#isMissing(reader.parentClient, reader.parentClock)
      ) {
        return false;
      }
      visit?.(reader);
      this.#step(frontier);
    }
    return true;
  }

  #step(frontier: Frontier): void {
    const reader = this.#reader;
    frontier.structsPassed++;
    frontier.offset = reader.end;
    frontier.structClock = reader.endClock;
    frontier.clock = reader.endClock;
    if (frontier.offset < this.#runs[frontier.runIndex]!.end) return;
    frontier.runIndex++;
    if (frontier.runIndex === frontier.runEnd) return;
    const run = this.#runs[frontier.runIndex]!;
    frontier.offset = run.start;
    frontier.structClock = run.clock;
    frontier.clock = run.clock;
    reader.seek(frontier.client, run.clock, run.start);
  }

  #isMissing(client: number, clock: number): boolean {
    // The reader has checked that references to the own client point below the own clock.
    if (client === noClient || client === this.#reader.client) return false;
    const frontier = this.frontiers.get(client);
    if (frontier !== undefined && clock < frontier.clock) return false;
    if (this.#isReached(client, clock)) return false;
    this.#missingClient = client;
    this.#missingClock = clock;
    return true;
  }
}

/**
 * A walk through all structs of an update, wherever they stand: what the update does not hold itself
 * counts as reached. Only cycles are left out.
 */
export function walkWithin(update: ParsedUpdate): CausalWalk {
  const { runs } = update;
  const walk = new CausalWalk(update, (client, clock) => {
    const frontier = walk.frontiers.get(client);
    return frontier === undefined || clock >= frontier.endClock;
  });
  for (let first = 0; first < runs.length;) {
    const { client } = runs[first]!;
    let end = first + 1;
    while (end < runs.length && runs[end]!.client === client) end++;
    walk.frontiers.set(client, frontierAt(update, first, end));
    first = end;
  }
  return walk;
}
