/** Kept of partitions in which something was found, and of those that cost most. */
const foundMax = 100;
const dearestMax = 10;

/** What looking at one partition took. */
export interface PartitionLoad {
  readonly partition: string;
  readonly documents: number;
  /** Records and documents. */
  readonly reads: number;
  /** Without pauses; waiting for the disk included. */
  readonly workedMs: number;
}

/** What was found in one partition, and what became of it. */
export interface PartitionFinding {
  readonly partition: string;
  drifts: number;
  corrections: number;
  emitted: number;
  failures: number;
  undetermined: number;
  postponed: number;
  largest?: { readonly key: string; readonly size: number };
}

/** Partitions of one call of a run. The counts of the report are of all, these lists are bounded. */
export interface PartitionLists {
  /** The first ones in which anything was found. */
  readonly found: readonly PartitionFinding[];
  /** Dearest first. */
  readonly dearest: readonly PartitionLoad[];
}

type Count = Exclude<keyof PartitionFinding, "partition" | "largest">;

/** Names partitions, which metrics must not: they may be content, and have no bound. */
export class PartitionTable {
  readonly #found = new Map<string, PartitionFinding>();
  readonly #dearest: PartitionLoad[] = [];

  get lists(): PartitionLists {
    return { found: [...this.#found.values()], dearest: [...this.#dearest] };
  }

  count(partition: string, ...counts: readonly Count[]): void {
    const finding = this.#findingOf(partition);
    if (finding !== undefined) for (const count of counts) finding[count]++;
  }

  /** A difference, for the largest of the partition. */
  sized(partition: string, key: string, size: number): void {
    const finding = this.#findingOf(partition);
    if (finding && size > (finding.largest?.size ?? 0)) finding.largest = { key, size };
  }

  looked(load: PartitionLoad): void {
    const last = this.#dearest.at(-1);
    if (this.#dearest.length >= dearestMax && load.workedMs <= last!.workedMs) return;
    const at = this.#dearest.findIndex(({ workedMs }) => workedMs < load.workedMs);
    this.#dearest.splice(at < 0 ? this.#dearest.length : at, 0, load);
    this.#dearest.length = Math.min(this.#dearest.length, dearestMax);
  }

  #findingOf(partition: string): PartitionFinding | undefined {
    const known = this.#found.get(partition);
    if (known || this.#found.size >= foundMax) return known;
    const none = { drifts: 0, corrections: 0, emitted: 0, failures: 0 };
    const finding = { partition, ...none, undetermined: 0, postponed: 0 };
    this.#found.set(partition, finding);
    return finding;
  }
}
