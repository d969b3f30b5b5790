import type { DocumentId, StoredEnvelope } from "@heddle/core";

import { comparePlaces, type ArrivalPlace } from "./envelope-record.ts";
import { LaneCursor, type LanePart } from "./lane-cursor.ts";
import type { LogDatabase } from "./level-database.ts";

export interface WantedLane extends LanePart {
  /** Where its first envelope stands at the earliest. */
  readonly place: ArrivalPlace;
  /** Told where the reading of the lane stopped, if not at its end. */
  readonly stopped: (at: { readonly seq: number; readonly place: ArrivalPlace }) => void;
}

export interface MergeInput {
  readonly wanted: readonly WantedLane[];
  /** Envelopes of later groups are left out. */
  readonly lastGroup: number;
}

/** Envelopes that all lanes that are being read may hold back together. */
const heldEnvelopesMax = 4096;

/**
 * Lanes of a document, merged into the order in which their envelopes arrived. A lane is not looked at
 * before its turn can have come: those of a document's history follow each other for the most part, so
 * that a few are read at a time even where there are thousands.
 */
export class ArrivalMerge implements AsyncDisposable {
  readonly #database: LogDatabase;
  readonly #document: DocumentId;
  readonly #lastGroup: number;
  /** The next one to begin at the end. */
  readonly #waiting: WantedLane[];
  /** All that have to be let go of. */
  readonly #cursors = new Map<LaneCursor, WantedLane>();
  /** The one with the earliest envelope at the end. */
  readonly #reading: LaneCursor[] = [];

  constructor(database: LogDatabase, document: DocumentId, { wanted, lastGroup }: MergeInput) {
    this.#database = database;
    this.#document = document;
    this.#lastGroup = lastGroup;
    this.#waiting = wanted.toSorted((a, b) => compare(b, a));
  }

  async next(): Promise<StoredEnvelope | undefined> {
    for (;;) {
      const first = this.#reading.at(-1);
      const opening = this.#waiting.at(-1);
      if (!opening || (first && compare(first, opening) < 0)) break;
      this.#waiting.pop();
      const cursor = this.#open(opening);
      if (await cursor.advance()) this.#insert(cursor);
      else await this.#end(cursor);
    }
    const first = this.#reading.at(-1);
    if (!first) return undefined;
    const envelope = first.envelope;
    const hasMore = first.canStep ? first.step() : await first.advance();
    if (hasMore && this.#isFirst(first)) return envelope;
    this.#reading.pop();
    if (hasMore) this.#insert(first);
    else await this.#end(first);
    return envelope;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const cursor of this.#reading) {
      this.#cursors.get(cursor)!.stopped({ seq: cursor.envelope.seq, place: cursor.place });
    }
    for (const cursor of this.#cursors.keys()) await this.#end(cursor);
  }

  #open(lane: WantedLane): LaneCursor {
    const entriesMax = (): number => {
      return Math.max(8, Math.floor(heldEnvelopesMax / Math.max(1, this.#reading.length)));
    };
    const reading = { ...lane, lastGroup: this.#lastGroup, entriesMax };
    const cursor = new LaneCursor(this.#database, this.#document, reading);
    this.#cursors.set(cursor, lane);
    return cursor;
  }

  async #end(cursor: LaneCursor): Promise<void> {
    this.#cursors.delete(cursor);
    await cursor[Symbol.asyncDispose]();
  }

  /** Whether the cursor that stands first does so still. */
  #isFirst(cursor: LaneCursor): boolean {
    const second = this.#reading.at(-2);
    return !second || compare(cursor, second) < 0;
  }

  #insert(cursor: LaneCursor): void {
    let low = 0;
    let high = this.#reading.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compare(this.#reading[middle]!, cursor) > 0) low = middle + 1;
      else high = middle;
    }
    this.#reading.splice(low, 0, cursor);
  }
}

interface Standing {
  readonly place: ArrivalPlace;
  readonly laneIx: number;
}

/** Envelopes of older heddles have all the same place: they follow each other lane by lane. */
function compare(a: Standing, b: Standing): number {
  return comparePlaces(a.place, b.place) || a.laneIx - b.laneIx;
}
