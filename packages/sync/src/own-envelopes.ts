import type { DocumentId, Envelope, LaneId } from "@heddle/core";

/** Some of this replica's envelopes that follow each other in one lane. */
export interface OwnRun {
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly bytes: number;
  /** Wall clock of the first, milliseconds. */
  readonly writtenMs: number;
}

export type OwnTops = ReadonlyMap<DocumentId, ReadonlyMap<LaneId, number>>;

/** How much waits. */
export interface OutboxSize {
  readonly count: number;
  /** Encoded. Of many old envelopes a share of their sum. */
  readonly bytes: number;
  /** When the oldest was written, wall clock; 0 when there is none. */
  readonly oldestMs: number;
}

export const emptyOutbox: OutboxSize = { count: 0, bytes: 0, oldestMs: 0 };

/** Above this neighbours are put together: counts stay exact, bytes become shares. */
const runsPerLaneMax = 1_024;

/** Envelopes that this replica wrote, in all its lanes: sizes and ages, not content. */
export class OwnEnvelopes {
  readonly #documents = new Map<DocumentId, Map<LaneId, OwnRun[]>>();
  readonly #lanes = new Set<LaneId>();

  /** Some process of this replica wrote the lane. */
  isOwn(lane: LaneId): boolean {
    return this.#lanes.has(lane);
  }

  get documents(): Iterable<DocumentId> {
    return this.#documents.keys();
  }

  lanesOf(document: DocumentId): Iterable<LaneId> {
    return this.#documents.get(document)?.keys() ?? [];
  }

  written(envelopes: readonly Envelope[]): void {
    for (const { document, lane, seq, bytes, hlc } of envelopes) {
      const run = { fromSeq: seq, toSeq: seq, bytes: bytes.length, writtenMs: hlc.wallMs };
      this.add(document, lane, run);
    }
  }

  add(document: DocumentId, lane: LaneId, run: OwnRun): void {
    this.#lanes.add(lane);
    const lanes = this.#documents.get(document) ?? new Map<LaneId, OwnRun[]>();
    this.#documents.set(document, lanes);
    const runs = lanes.get(lane) ?? [];
    if (run.fromSeq <= (runs.at(-1)?.toSeq ?? 0)) return;
    runs.push(run);
    lanes.set(lane, runs.length > runsPerLaneMax ? halved(runs) : runs);
  }

  /** The last seq of every lane of every document, as of now. */
  get tops(): OwnTops {
    return new Map([...this.#documents.keys()].map((id) => [id, this.topsOf(id)]));
  }

  /** The last seq of every lane of a document, as of now. */
  topsOf(document: DocumentId): ReadonlyMap<LaneId, number> {
    const lanes = this.#documents.get(document) ?? new Map<LaneId, OwnRun[]>();
    return new Map([...lanes].map(([lane, runs]) => [lane, runs.at(-1)!.toSeq]));
  }

  sizeAbove(document: DocumentId, lane: LaneId, seq: number): OutboxSize {
    const runs = this.#documents.get(document)?.get(lane) ?? [];
    let size = emptyOutbox;
    for (let index = runs.length - 1; index >= 0 && runs[index]!.toSeq > seq; index--) {
      const { fromSeq, toSeq, bytes, writtenMs } = runs[index]!;
      const count = toSeq - Math.max(fromSeq - 1, seq);
      const share = Math.round((bytes * count) / (toSeq - fromSeq + 1));
      size = { count: size.count + count, bytes: size.bytes + share, oldestMs: writtenMs };
    }
    return size;
  }
}

function halved(runs: readonly OwnRun[]): OwnRun[] {
  const merged: OwnRun[] = [];
  for (let index = 0; index < runs.length; index += 2) {
    const [first, second] = [runs[index]!, runs[index + 1]];
    const bytes = first.bytes + (second?.bytes ?? 0);
    merged.push({ ...first, bytes, toSeq: second?.toSeq ?? first.toSeq });
  }
  return merged;
}
