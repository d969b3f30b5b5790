import type { DocumentId } from "@heddle/core";

import { FairShares } from "./fair-shares.ts";
import type { UpdateSource } from "./pending-updates.ts";

/** An update that is to be tried. */
export interface QueuedTrial {
  readonly document: DocumentId;
  readonly source: UpdateSource;
  /** What is held in memory for it until it ends. */
  readonly bytes: number;
  /** Expected to take long, or known to: it runs beside the small ones, not before them. */
  isLarge(): boolean;
  /** What it would hold besides while it runs: the document to try it on. */
  baseBytes(): number;
  /** Never rejects. "again" puts it back, to be run once more. */
  run(): Promise<"done" | "again">;
}

interface Entry {
  readonly trial: QueuedTrial;
  readonly key: unknown;
  readonly bytes: number;
  readonly isLarge: boolean;
}

interface Slot {
  readonly takesLarge: boolean;
  isRunning: boolean;
}

/** Every case costs its bookkeeping too, so that the bound on bytes bounds their number. */
const bytesPerTrial = 4 * 1024;
/** The part of the budget that one address may hold, and the part that large cases may. */
const sourceShareMax = 1 / 2;
const largeShareMax = 7 / 8;

/**
 * Who is tried next, of all documents of a replica. Two run at a time: one slot is for small cases, the
 * other one takes large cases first. In each, the address that has been given least time goes first,
 * however much the others have waiting. Of one document a single case runs at a time: two that are
 * harmless by themselves may not slip through side by side.
 *
 * What waits and runs stays within one budget of bytes for the process, and a document more.
 */
export class TrialQueue {
  readonly #bytesMax: number;
  readonly #nowMs: () => number;
  readonly #shares = new FairShares<Entry>();
  readonly #slots: readonly Slot[] = [
    { takesLarge: false, isRunning: false },
    { takesLarge: true, isRunning: false },
  ];
  readonly #busy = new Set<DocumentId>();
  #caseBytes = 0;
  #largeBytes = 0;
  #baseBytes = 0;

  constructor(bytesMax: number, nowMs: () => number) {
    this.#bytesMax = bytesMax;
    this.#nowMs = nowMs;
  }

  /** Held at present, with the documents that trials run on. */
  get bytes(): number {
    return this.#caseBytes + this.#baseBytes;
  }

  /** False when there is no room: its sender keeps it, and comes back. */
  add(trial: QueuedTrial): boolean {
    const entry = entryOf(trial);
    if (!this.#hasRoom(entry)) return false;
    this.#hold(entry);
    this.#fill();
    return true;
  }

  /** Lets go of what waits; what runs goes on. Returns how many were let go. */
  withdraw(isGone: (trial: QueuedTrial) => boolean): number {
    const gone = this.#shares.remove(({ trial }) => isGone(trial));
    for (const entry of gone) this.#letGo(entry);
    if (gone.length > 0) this.#fill();
    return gone.length;
  }

  #hasRoom({ key, bytes, isLarge }: Entry): boolean {
    const max = this.#bytesMax;
    return (
      this.#caseBytes + bytes <= max &&
      this.#shares.heldBy(key) + bytes <= max * sourceShareMax &&
      (!isLarge || this.#largeBytes + bytes <= max * largeShareMax)
    );
  }

  #fill(): void {
    for (const slot of this.#slots) {
      if (!slot.isRunning) void this.#run(slot);
    }
  }

  async #run(slot: Slot): Promise<void> {
    const entry = this.#next(slot);
    if (entry === undefined) return;
    const { trial, key } = entry;
    slot.isRunning = true;
    this.#busy.add(trial.document);
    const baseBytes = trial.baseBytes();
    this.#baseBytes += baseBytes;
    const startMs = this.#nowMs();
    const outcome = await trial.run();
    slot.isRunning = false;
    this.#busy.delete(trial.document);
    this.#baseBytes -= baseBytes;
    this.#shares.charge(key, this.#nowMs() - startMs);
    this.#letGo(entry);
    if (outcome === "again") this.#hold(entryOf(trial));
    this.#fill();
  }

  #next({ takesLarge }: Slot): Entry | undefined {
    const large = takesLarge
      ? this.#shares.take((entry) => entry.isLarge && this.#mayRun(entry))
      : undefined;
    return large ?? this.#shares.take((entry) => !entry.isLarge && this.#mayRun(entry));
  }

  #mayRun({ trial }: Entry): boolean {
    if (this.#busy.has(trial.document)) return false;
    // With nothing else under way it may run whatever it takes: a document has a bound of its own.
    return this.#busy.size === 0 || this.bytes + trial.baseBytes() <= this.#bytesMax;
  }

  #hold(entry: Entry): void {
    this.#caseBytes += entry.bytes;
    if (entry.isLarge) this.#largeBytes += entry.bytes;
    this.#shares.add(entry.key, entry, entry.bytes);
  }

  #letGo({ key, bytes, isLarge }: Entry): void {
    this.#caseBytes -= bytes;
    if (isLarge) this.#largeBytes -= bytes;
    this.#shares.release(key, bytes);
  }
}

function entryOf(trial: QueuedTrial): Entry {
  const { source, bytes } = trial;
  const key = source.address ?? source;
  return { trial, key, bytes: bytes + bytesPerTrial, isLarge: trial.isLarge() };
}
