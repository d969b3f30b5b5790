import type { DocumentId, Envelope, LaneDescriptor, LaneId } from "@heddle/core";

/** A run that came before what it follows on. */
export interface EarlyRun<Origin> {
  readonly origin: Origin;
  readonly document: DocumentId;
  readonly lane: LaneDescriptor;
  readonly run: readonly Envelope[];
}

export interface ReorderBounds {
  readonly reorderEnvelopesMax: number;
  readonly reorderBytesMax: number;
}

/**
 * Runs that wait for earlier ones. A cache and no promise: nothing here is acknowledged, and what is
 * dropped is asked for again. Of a lane that is full, what lies farthest ahead goes first.
 */
export class ReorderBuffer<Origin> {
  readonly #bounds: ReorderBounds;
  readonly #lanes = new Map<string, EarlyRun<Origin>[]>();
  #heldBytes = 0;
  #dropped = 0;

  constructor(bounds: ReorderBounds) {
    this.#bounds = bounds;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Runs that found no room. */
  get dropped(): number {
    return this.#dropped;
  }

  add(early: EarlyRun<Origin>): void {
    const key = keyOf(early.document, early.lane.id);
    const runs = this.#lanes.get(key) ?? [];
    if (runs.some(({ run }) => firstSeqOf(run) === firstSeqOf(early.run))) return;
    runs.push(early);
    runs.sort((a, b) => firstSeqOf(a.run) - firstSeqOf(b.run));
    this.#lanes.set(key, runs);
    this.#heldBytes += bytesOf(early);
    while (runs.length > 0 && this.#isOver(runs)) this.#drop(key, runs);
  }

  /** The run that begins at or before `seq` and ends after it is what comes next, if it is here. */
  take(document: DocumentId, lane: LaneId, seq: number): EarlyRun<Origin> | undefined {
    const key = keyOf(document, lane);
    const runs = this.#lanes.get(key);
    const next = runs?.[0];
    if (!runs || !next || firstSeqOf(next.run) > seq) return undefined;
    runs.shift();
    if (runs.length === 0) this.#lanes.delete(key);
    this.#heldBytes -= bytesOf(next);
    return next;
  }

  /** Lets go of all that `isGone` says. */
  forget(isGone: (early: EarlyRun<Origin>) => boolean): void {
    for (const [key, runs] of this.#lanes) {
      const kept = runs.filter((early) => !isGone(early));
      for (const early of runs) if (isGone(early)) this.#heldBytes -= bytesOf(early);
      if (kept.length > 0) this.#lanes.set(key, kept);
      else this.#lanes.delete(key);
    }
  }

  #isOver(runs: readonly EarlyRun<Origin>[]): boolean {
    const { reorderEnvelopesMax, reorderBytesMax } = this.#bounds;
    const envelopes = runs.reduce((sum, { run }) => sum + run.length, 0);
    return envelopes > reorderEnvelopesMax || this.#heldBytes > reorderBytesMax;
  }

  #drop(key: string, runs: EarlyRun<Origin>[]): void {
    const last = runs.pop();
    if (last) this.#heldBytes -= bytesOf(last);
    if (runs.length === 0) this.#lanes.delete(key);
    this.#dropped++;
  }
}

function keyOf(document: DocumentId, lane: LaneId): string {
  return document + lane;
}

function firstSeqOf(run: readonly Envelope[]): number {
  return run[0]?.seq ?? 0;
}

function bytesOf({ run }: { readonly run: readonly Envelope[] }): number {
  return run.reduce((sum, { bytes }) => sum + bytes.length, 0);
}
