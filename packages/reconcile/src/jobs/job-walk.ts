import type { DocumentId } from "@heddle/core";

import { partitionIn } from "../define-projection.ts";
import { projectionLimits } from "../projection-limits.ts";
import { markerPath } from "../projection-layout.ts";
import type { ListedDocument } from "../projection-source.ts";
import { feedStanding } from "./feed-standing.ts";
import type { JobGround } from "./job-ground.ts";
import type { JobOptions } from "./job-options.ts";
import type { JobProgress } from "./job-progress.ts";
import type { JobOutcome } from "./job-report.ts";
import { compareNames, isInRange, isSampled } from "./job-scope.ts";
import type { JobWriter } from "./job-writer.ts";
import type { MovedPlaces } from "./look-memory.ts";
import { PartitionScan } from "./partition-scan.ts";
import type { Settlement } from "./settle.ts";

export interface JobWalkParts {
  readonly ground: JobGround;
  readonly options: JobOptions;
  readonly progress: JobProgress;
  readonly settlement: Settlement;
  readonly writer: JobWriter | undefined;
}

/** Goes through what a run looks at; each step answers with the end of the run, or nothing. */
export class JobWalk {
  readonly #parts: JobWalkParts;
  #checkpointedMs: number;

  constructor(parts: JobWalkParts) {
    this.#parts = parts;
    this.#checkpointedMs = parts.ground.environment.clock.monotonicMs();
  }

  async toTheEnd(): Promise<JobOutcome | undefined> {
    const { progress } = this.#parts;
    try {
      return await this.#walk();
    } finally {
      // However it ended: nobody but this run knows of them.
      for (const place of progress.postponed.splice(0)) progress.leaveToTheNext(place);
    }
  }

  async #walk(): Promise<JobOutcome | undefined> {
    const { ground, progress } = this.#parts;
    if ((await feedStanding({ ...ground.target, store: ground.store })) === "ahead")
      return "source-behind";
    if (ground.scope.documents !== undefined) return await this.#documents(ground.scope.documents);
    if (ground.moved !== undefined) return await this.#moved(ground.moved);
    let ended: JobOutcome | undefined;
    if (progress.phase === "store") {
      ended = await this.#partitions();
      if (ended !== undefined) return ended;
      progress.phase = "source";
      progress.after = undefined;
    }
    return (await this.#sourceDocuments()) ?? (await this.#postponed());
  }

  /** What the projection holds: rows against markers, markers against the source, totals against rows. */
  async #partitions(): Promise<JobOutcome | undefined> {
    const { ground, progress } = this.#parts;
    const { environment, scope } = ground;
    const scan = new PartitionScan(ground, { after: progress.after });
    for (;;) {
      const partition = await scan.nextPartition();
      if (partition === undefined) return undefined;
      if (!isSampled(environment.hash, partition, scope.sample)) {
        await scan.skip(partition);
        progress.counts.partitionsSkipped++;
        continue;
      }
      const ended = await this.#partition(scan, partition);
      if (ended !== undefined) return ended;
      progress.after = partition;
      if ((await this.#checkpoint()) === "fenced") return "fenced";
    }
  }

  async #partition(scan: PartitionScan, partition: string): Promise<JobOutcome | undefined> {
    const { ground, progress } = this.#parts;
    const before = { ...ground.pace.figures, documents: progress.counts.documents };
    const ended = await this.#lookAt(scan, partition);
    const { reads, workedMs } = ground.pace.figures;
    progress.partitions.looked({
      partition,
      documents: progress.counts.documents - before.documents,
      reads: reads - before.reads,
      workedMs: workedMs - before.workedMs,
    });
    return ended;
  }

  async #lookAt(scan: PartitionScan, partition: string): Promise<JobOutcome | undefined> {
    const { settlement, progress } = this.#parts;
    const look = await scan.look(partition);
    const { counts } = progress;
    counts.partitions++;
    counts.documents += look.documents;
    counts.rows += look.rows;
    counts.totals += look.totals;
    let areRowsKnown = true;
    const keys = new Set(look.suspectKeys);
    for (const [document, shareKeys] of look.suspectDocuments) {
      const settled = await settlement.document(partition, document, shareKeys);
      if (typeof settled === "string") return settled;
      if (!settled.isSettled) areRowsKnown &&= look.intactDocuments.has(document);
      for (const key of settled.keys) keys.add(key);
    }
    return await this.#totals(partition, [...keys], areRowsKnown);
  }

  /** Not while rows are not as they were written, and could not be made anew: a total would be made wrong with them. */
  async #totals(
    partition: string,
    keys: readonly string[],
    areRowsKnown: boolean,
  ): Promise<JobOutcome | undefined> {
    const { settlement, progress } = this.#parts;
    if (areRowsKnown) return await settlement.totals(partition, keys, true);
    for (const key of keys) progress.leaveToTheNext({ partition, key });
    return undefined;
  }

  /**
   * Only what moved: partitions that were written, and those of documents that were; then documents without a marker.
   * Where it is in between is not kept: what was interrupted is looked at again.
   */
  async #moved({ partitions, documents }: MovedPlaces): Promise<JobOutcome | undefined> {
    const { ground } = this.#parts;
    const { source, projection } = ground.target;
    const listed: ListedDocument[] = [];
    const all = new Set(partitions);
    for (const id of [...documents].toSorted()) {
      await ground.pace.pause(ground.signal);
      const document = await source.describe(id);
      if (document === undefined) continue;
      listed.push(document);
      const { name } = document;
      const place = name === undefined ? undefined : partitionIn(projection, name);
      // Of one that cannot be placed it is said where documents without a marker are looked for.
      if (place === undefined || place === "invalid" || place.partition === undefined) continue;
      all.add(place.partition);
    }
    for (const partition of [...all].toSorted()) {
      const scan = new PartitionScan(ground, { only: partition });
      const ended = await this.#partition(scan, partition);
      if (ended !== undefined) return ended;
      if ((await this.#checkpoint()) === "fenced") return "fenced";
    }
    for (let at = 0; at < listed.length; at += projectionLimits.pageEntriesMax) {
      const ended = await this.#lacking(listed.slice(at, at + projectionLimits.pageEntriesMax));
      if (ended !== undefined) return ended;
    }
    return await this.#postponed();
  }

  /** What the projection lacks: documents of the source without a marker. */
  async #sourceDocuments(): Promise<JobOutcome | undefined> {
    const { ground, progress } = this.#parts;
    const { source } = ground.target;
    for (;;) {
      const after = progress.after as DocumentId | undefined;
      const page = await source.readDocuments(after, projectionLimits.pageEntriesMax);
      if (page.length === 0) return undefined;
      const ended = await this.#lacking(page);
      if (ended !== undefined) return ended;
      progress.after = page.at(-1)!.id;
      if ((await this.#checkpoint()) === "fenced") return "fenced";
    }
  }

  /** Those without a marker, of at most a page. */
  async #lacking(documents: readonly ListedDocument[]): Promise<JobOutcome | undefined> {
    const { ground } = this.#parts;
    const { generation } = ground.target;
    const places = documents.flatMap((document) => this.#placeOf(document));
    const markers = await ground.store.get(
      places.map(({ partition, id }) => markerPath(generation, partition, id)),
    );
    await ground.pace.pause(ground.signal);
    for (const [index, { partition, id }] of places.entries()) {
      if (markers[index] !== undefined) continue;
      const ended = await this.#documentAndTotals(partition, id);
      if (ended !== undefined) return ended;
    }
    return undefined;
  }

  /** By itself, without a look at the others of its partition. */
  async #documentAndTotals(
    partition: string,
    document: DocumentId,
  ): Promise<JobOutcome | undefined> {
    const { settlement } = this.#parts;
    const settled = await settlement.document(partition, document);
    if (typeof settled === "string") return settled;
    return await settlement.totals(partition, settled.keys, false);
  }

  /** Nowhere, when it is not looked at or cannot be read. */
  #placeOf({ id, name }: ListedDocument): { partition: string; id: DocumentId }[] {
    const { target, scope, environment } = this.#parts.ground;
    const place = name === undefined ? "damaged" : partitionIn(target.projection, name);
    if (typeof place === "string") {
      const { progress } = this.#parts;
      // Where it has rows, they were looked at, and said so.
      const isSaid = progress.undetermined.some(({ document }) => document === id);
      if (!isSaid) progress.couldNotTell(id, place);
      return [];
    }
    const { partition } = place;
    if (partition === undefined || !isInRange(partition, scope.partitions)) return [];
    return isSampled(environment.hash, partition, scope.sample) ? [{ partition, id }] : [];
  }

  /** Only these, each for certain; then the totals of their keys. */
  async #documents(documents: readonly DocumentId[]): Promise<JobOutcome | undefined> {
    const { ground, progress, settlement } = this.#parts;
    for (const id of documents.toSorted(compareNames)) {
      const described = await ground.target.source.describe(id);
      const [place] = described === undefined ? [] : this.#placeOf(described);
      if (place === undefined) continue;
      progress.counts.documents++;
      const { partition } = place;
      const settled = await settlement.document(partition, id);
      if (typeof settled === "string") return settled;
      const keys = new Set([...settled.keys, ...(await settlement.keysOf(partition, id))]);
      const ended = settled.isSettled
        ? await settlement.totals(partition, [...keys], false)
        : await this.#totals(partition, [...keys], false);
      if (ended !== undefined) return ended;
    }
    return await this.#postponed();
  }

  /** Once more, after everything else; what moves still is left to the next run. */
  async #postponed(): Promise<JobOutcome | undefined> {
    const { progress, settlement } = this.#parts;
    // What is put off meanwhile joins at the end, and is not looked at a third time.
    for (let rest = progress.postponed.length; rest > 0; rest--) {
      const place = progress.postponed[0]!;
      const ended =
        "document" in place
          ? await this.#documentAndTotals(place.partition, place.document)
          : await settlement.totals(place.partition, [place.key], false);
      if (ended !== undefined) return ended;
      // Not before: what is written until then says that it is not done.
      progress.postponed.shift();
    }
    return undefined;
  }

  async #checkpoint(): Promise<"applied" | "fenced" | undefined> {
    const { ground, options, progress, writer } = this.#parts;
    options.onProgress?.();
    const { clock } = ground.environment;
    const nowMs = clock.monotonicMs();
    if (writer === undefined || nowMs - this.#checkpointedMs < options.checkpointMs)
      return undefined;
    this.#checkpointedMs = nowMs;
    return await writer.checkpoint(progress.recordAs("running"), clock.nowMs());
  }
}
