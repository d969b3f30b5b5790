import { ByteCursor } from "./byte-cursor.ts";
import type { StructRun } from "./parsed-update.ts";
import { noClient, StructKind, StructReader } from "./struct-reader.ts";
import type { Waiter } from "./wait-index.ts";
import type { WaitingPart } from "./waiting-part.ts";

/** What is missing for the next step: the known clock of `client` must reach `clock`. */
export interface Need {
  readonly client: number;
  readonly clock: number;
}

/** What a step of a waiter came to; "later" when the budget was used up before. */
export type Step = Need | "done" | "later";

/**
 * The waiting structs of one client in one update. They are freed from the front, and nothing that was
 * passed is looked at again: a struct is read once, and once more for each of its at most three
 * references and the gap before it that had to be waited for.
 */
export class WaitingStructs<Owner> implements Waiter {
  awaited = noClient;
  clock = 0;
  place = -1;
  readonly owner: Owner;
  readonly client: number;
  readonly #bytes: Uint8Array;
  /** Where the structs end in the bytes. Between runs of a client there stands a Skip. */
  readonly #end: number;
  /** The next struct: where it lies and its clock. */
  #offset: number;
  #structClock: number;

  constructor(owner: Owner, bytes: Uint8Array, first: StructRun, last: StructRun) {
    this.owner = owner;
    this.client = first.client;
    this.#bytes = bytes;
    this.#offset = first.start;
    this.#structClock = first.clock;
    this.#end = last.end;
  }

  /** Adds to `part` what is free now. */
  step(part: WaitingPart): Step {
    const { client } = this;
    const reader = new StructReader(new ByteCursor(this.#bytes));
    reader.seek(client, this.#structClock, this.#offset);
    const clock = part.clockOf(client);
    let step: Step = "done";
    let known = clock;
    let structCount = 0;
    let start = 0;
    let end = 0;
    let trim = 0;
    while (this.#offset < this.#end) {
      reader.next();
      part.budget.spend(1);
      part.budget.spendBytes(reader.end - reader.start);
      if (reader.kind !== StructKind.skip && reader.endClock > known) {
        const need = needOf(reader, known, part);
        if (need !== undefined) {
          step = need;
          break;
        }
        if (structCount === 0) {
          start = reader.start;
          trim = known - reader.clock;
        }
        structCount++;
        known = reader.endClock;
        end = reader.end;
      }
      this.#offset = reader.end;
      this.#structClock = reader.endClock;
      // One at least was passed, so that every call gets on.
      if (part.budget.isSpent && this.#offset < this.#end) {
        step = "later";
        break;
      }
    }
    if (structCount > 0) {
      const bytes = this.#bytes;
      part.addPiece({ client, clock, endClock: known, structCount, bytes, start, end, trim });
    }
    return step;
  }

  /** Returns what puts it back to where it is now. */
  save(): () => void {
    const offset = this.#offset;
    const structClock = this.#structClock;
    return () => {
      this.#offset = offset;
      this.#structClock = structClock;
    };
  }
}

/** The first thing that the current struct lacks. */
function needOf(reader: StructReader, known: number, part: WaitingPart): Need | undefined {
  if (reader.clock > known) return { client: reader.client, clock: reader.clock };
  return (
    missing(reader, part, reader.originClient, reader.originClock) ??
    missing(reader, part, reader.rightClient, reader.rightClock) ??
    missing(reader, part, reader.parentClient, reader.parentClock)
  );
}

function missing(
  reader: StructReader,
  part: WaitingPart,
  client: number,
  clock: number,
): Need | undefined {
  // The validator has checked that references to the own client point below the own clock.
  if (client === noClient || client === reader.client) return undefined;
  return clock < part.clockOf(client) ? undefined : { client, clock: clock + 1 };
}
