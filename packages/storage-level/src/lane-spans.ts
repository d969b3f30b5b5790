import type { DocumentId, LaneId, VersionVector } from "@heddle/core";

import type { Arrived } from "./arrival-record.ts";
import type { ArrivalPlace } from "./envelope-record.ts";
import { laneOfKey } from "./kept-vectors.ts";
import { readPositions } from "./log-reader.ts";
import type { OpenLog } from "./open-log.ts";
import { readFloors } from "./read-checkpoints.ts";
import { envelopeKeysBefore } from "./key-ranges.ts";
import { laneIxOfKey, numberOfKey } from "./parts-of-key.ts";

/** One lane of a document, as far as its log goes. */
export interface LaneSpan {
  readonly lane: LaneId;
  /** Envelopes up to this seq were dropped. */
  readonly floor: number;
  /** The last seq that is there, or was dropped. */
  end: number;
  /** The seq that the kept vector names: one that ends below it has lost envelopes. */
  readonly kept: number;
  /** Where a reading found an envelope, and stopped before it: the next one often starts there. */
  seen?: { readonly seq: number; readonly place: ArrivalPlace };
}

/** By alias. */
export type DocumentSpans = Map<number, LaneSpan>;

const lanesKeptMax = 100_000;
/** Documents of hundreds of lanes are read in many pieces. Most have a few, which are soon found again. */
const lanesKeptMin = 16;
/** Documents whose kept vector was just read, and whose log is most often read next. */
const justReadMax = 64;

/**
 * Where the lanes of documents begin and end. To find it out costs one look at the disk for each lane;
 * whoever reads a document of thousands of lanes piece by piece must not pay that for each piece.
 */
export class LaneSpans {
  /** Least recently used first. */
  readonly #known = new Map<DocumentId, DocumentSpans>();
  readonly #building = new Map<DocumentId, Building>();
  /** Kept vectors of clean documents, as they are on disk. */
  readonly #justRead = new Map<DocumentId, VersionVector>();
  #changes = 0;
  readonly #lanesMax: number;
  #lanes = 0;

  constructor(lanesMax = lanesKeptMax) {
    this.#lanesMax = lanesMax;
  }

  /** Includes everything that was on disk at the call. @throws HeddleError `HEDDLE_STORAGE_CORRUPT`. */
  async of(log: OpenLog, document: DocumentId): Promise<ReadonlyMap<number, LaneSpan>> {
    const known = this.#known.get(document);
    if (known) {
      this.#known.delete(document);
      this.#known.set(document, known);
      return known;
    }
    const underWay = this.#building.get(document);
    if (underWay && !underWay.isStale) return underWay.spans;
    const vector = this.#justRead.get(document);
    this.#justRead.delete(document);
    const building: Building = { isStale: false, spans: readSpans(log, document, vector) };
    this.#building.set(document, building);
    try {
      const spans = await building.spans;
      if (!building.isStale && spans.size >= lanesKeptMin) this.#keep(document, spans);
      return spans;
    } finally {
      if (this.#building.get(document) === building) this.#building.delete(document);
    }
  }

  /** How often anything has changed; for {@link wasRead}. */
  get changes(): number {
    return this.#changes;
  }

  /**
   * Spares who reads the log next another look at its kept vector.
   *
   * @param vector of a document that was clean.
   * @param before {@link changes} before it was read.
   */
  wasRead(document: DocumentId, vector: VersionVector, before: number): void {
    if (before !== this.#changes || vector.size >= lanesKeptMin) return;
    this.#justRead.set(document, vector);
    if (this.#justRead.size <= justReadMax) return;
    const [oldest] = this.#justRead.keys();
    this.#justRead.delete(oldest!);
  }

  /** What is on disk from now on. */
  added(arrived: readonly Arrived[]): void {
    this.#changes++;
    for (const { document, lane, laneIx, seq } of arrived) {
      this.#justRead.delete(document);
      const building = this.#building.get(document);
      if (building) building.isStale = true;
      const spans = this.#known.get(document);
      if (!spans) continue;
      const span = spans.get(laneIx);
      if (span) span.end = seq;
      else if (seq > 1) this.changed(document);
      else {
        spans.set(laneIx, { lane, floor: 0, end: seq, kept: 0 });
        this.#lanes++;
      }
    }
  }

  /** Its floors are others now. */
  changed(document: DocumentId): void {
    this.#changes++;
    this.#justRead.delete(document);
    const building = this.#building.get(document);
    if (building) building.isStale = true;
    this.#lanes -= this.#known.get(document)?.size ?? 0;
    this.#known.delete(document);
  }

  #keep(document: DocumentId, spans: DocumentSpans): void {
    this.changed(document);
    this.#known.set(document, spans);
    this.#lanes += spans.size;
    for (const oldest of this.#known.keys()) {
      if (this.#lanes <= this.#lanesMax || oldest === document) break;
      this.changed(oldest);
    }
  }
}

interface Building {
  /** The document was written to since. */
  isStale: boolean;
  readonly spans: Promise<DocumentSpans>;
}

async function readSpans(
  log: OpenLog,
  document: DocumentId,
  vector: VersionVector | undefined,
): Promise<DocumentSpans> {
  const { database, lanes } = log;
  const positions = vector ? { vector, dirty: false } : await readPositions(log, document);
  const kept: VersionVector = positions?.vector ?? new Map();
  const floors = await readFloors(log, document);
  const spans: DocumentSpans = new Map();
  const isClean = positions?.dirty === false;
  for (const lane of new Set([...kept.keys(), ...floors.keys()])) {
    const floor = floors.get(lane) ?? 0;
    const keptSeq = kept.get(lane)?.seq ?? 0;
    const end = isClean ? Math.max(floor, keptSeq) : floor;
    spans.set(lanes.ixOf(lane)!, { lane, floor, end, kept: keptSeq });
  }
  // The vector of a clean document names all that its log holds.
  if (isClean) return spans;
  // From the last lane down: its last key is what comes before the first one of the lane above it.
  let before = 2 ** 32 - 1;
  for (;;) {
    const key = await database.lastKey(envelopeKeysBefore(document, before));
    if (!key) return spans;
    before = laneIxOfKey(key);
    const lane = laneOfKey(log, key);
    const { floor = 0, kept: keptSeq = 0 } = spans.get(before) ?? {};
    spans.set(before, { lane, floor, end: Math.max(floor, numberOfKey(key)), kept: keptSeq });
  }
}
