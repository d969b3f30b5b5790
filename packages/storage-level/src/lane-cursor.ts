import type { DocumentId, LaneId, StoredEnvelope } from "@heddle/core";

import { comparePlaces, readEnvelope, type ArrivalPlace } from "./envelope-record.ts";
import type { Entry, LogDatabase } from "./level-database.ts";
import { readFloorOf } from "./read-floor.ts";
import { missingEnvelope } from "./read-log-chunks.ts";
import { damaged } from "./record-codec.ts";
import { envelopeKeysAbove, envelopeKeysBetween } from "./key-ranges.ts";
import { numberOfKey } from "./parts-of-key.ts";

/** A part of one lane of a document. */
export interface LanePart {
  readonly lane: LaneId;
  readonly laneIx: number;
  /** The seq behind which it starts. */
  readonly after: number;
  /** The seq with which it ends; `Infinity` for the whole lane. */
  readonly last: number;
  /** The lane reaches at least to this seq. */
  readonly kept: number;
}

export interface LaneReading extends LanePart {
  /** The first envelope of a later group ends the reading. */
  readonly lastGroup: number;
  /** How much to read at once. */
  readonly entriesMax: () => number;
}

const firstEntriesMax = 16;
const laterEntriesMax = 1000;
const chunkBytesMax = 128 * 1024;

/** Reads one lane of a document, of which it holds a few envelopes. */
export class LaneCursor implements AsyncDisposable {
  readonly laneIx: number;
  readonly #database: LogDatabase;
  readonly #document: DocumentId;
  readonly #reading: LaneReading;
  readonly #chunks: AsyncIterator<readonly Entry[]>;
  #chunk: readonly Entry[] = [];
  #index = 0;
  #entriesMax = firstEntriesMax;
  #current: (StoredEnvelope & { readonly place: ArrivalPlace }) | undefined;
  #seq: number;

  constructor(database: LogDatabase, document: DocumentId, reading: LaneReading) {
    this.#database = database;
    this.#document = document;
    this.#reading = reading;
    this.laneIx = reading.laneIx;
    this.#seq = reading.after;
    const { laneIx, after, last } = reading;
    const range = Number.isFinite(last)
      ? envelopeKeysBetween(document, laneIx, after, last)
      : envelopeKeysAbove(document, laneIx, after);
    const limits = { bytesMax: chunkBytesMax, entriesMax: () => this.#nextEntriesMax() };
    this.#chunks = database.entries(range, limits)[Symbol.asyncIterator]();
  }

  get envelope(): StoredEnvelope {
    const { lane, seq, bytes } = this.#current!;
    return { lane, seq, bytes };
  }

  get place(): ArrivalPlace {
    return this.#current!.place;
  }

  /** Whether {@link step} will do instead of {@link advance}. */
  get canStep(): boolean {
    const next = this.#chunk[this.#index];
    return next !== undefined && numberOfKey(next[0]) === this.#seq + 1;
  }

  /** Goes on to the next envelope. False at the end. */
  step(): boolean {
    const [key, record] = this.#chunk[this.#index++]!;
    const { bytes, place } = readEnvelope(key, record);
    const before = this.#current?.place;
    if (before && comparePlaces(before, place) > 0) {
      throw damaged(key, "it is not in the order of its arrival");
    }
    this.#seq = numberOfKey(key);
    this.#current = { lane: this.#reading.lane, seq: this.#seq, bytes, place };
    return place.group <= this.#reading.lastGroup;
  }

  /** As {@link step}, and reads on where nothing is at hand. */
  async advance(): Promise<boolean> {
    if (this.#index >= this.#chunk.length) {
      const { value, done } = await this.#chunks.next();
      if (done) {
        await this.#passDropped(this.#reading.kept);
        return false;
      }
      this.#chunk = value;
      this.#index = 0;
    }
    if (!this.canStep) await this.#passDropped(numberOfKey(this.#chunk[this.#index]![0]) - 1);
    return this.step();
  }

  /** Envelopes that are not there up to `seq` have to lie below the floor: it may have risen. */
  async #passDropped(seq: number): Promise<void> {
    if (seq <= this.#seq) return;
    const { lane, laneIx } = this.#reading;
    const floor = await readFloorOf(this.#database, this.#document, laneIx);
    if (floor < seq) throw missingEnvelope(this.#document, lane, Math.max(floor, this.#seq) + 1);
    this.#seq = seq;
  }

  /** A reading that goes on takes more at a time. */
  #nextEntriesMax(): number {
    const entriesMax = Math.min(this.#entriesMax, this.#reading.entriesMax());
    this.#entriesMax = Math.min(this.#entriesMax * 4, laterEntriesMax);
    return entriesMax;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#chunks.return?.();
  }
}
