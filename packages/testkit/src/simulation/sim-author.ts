import {
  documentIdOf,
  EnvelopeKind,
  HybridClock,
  LaneWriter,
  openLane,
  openSpaceId,
  parseDocumentName,
  PayloadCodec,
  signRun,
  type DocumentEntry,
  type DocumentId,
  type Envelope,
  type LaneDescriptor,
  type LaneId,
  type LanePosition,
  type Signer,
} from "@heddle/core";
import type { Replication } from "@heddle/sync";

import { testHash } from "../test-environment.ts";
import type { SimEngine } from "./sim-engine.ts";
import type { SimRandom } from "./sim-random.ts";
import type { SimStore } from "./sim-store.ts";
import type { SimClock } from "./sim-time.ts";

/** The writer of a running process: what a copy of its memory would go on with. */
export interface SimWriter {
  readonly lane: LaneDescriptor;
  readonly positions: ReadonlyMap<DocumentId, LanePosition>;
}

/** What an author needs of its process. */
export interface SimAuthorProcess {
  readonly store: SimStore;
  readonly replication: Replication;
  readonly engine: SimEngine;
  readonly signer: Signer;
  readonly clock: SimClock;
  readonly random: SimRandom;
  readonly isOver: boolean;
  readonly nowMs: number;
  onSealed(envelope: Envelope): void;
  onSaved(envelope: Envelope): void;
  /** Effects may wait. */
  drain(): void;
  failed(): void;
}

/** Writes local changes of one process: one lane, from its first change to its end. */
export class SimAuthor {
  readonly #process: SimAuthorProcess;
  readonly #clock: HybridClock;
  #lane: LaneDescriptor | undefined;
  #writer: LaneWriter | undefined;
  #isLaneStored: boolean;
  readonly #positions: Map<DocumentId, LanePosition>;
  /** Own envelopes on their way to disk, by lane. */
  readonly #inFlight = new Map<LaneId, number>();

  #sealing = 0;

  /** `clone` makes it go on as the copy of a process does. */
  constructor(process: SimAuthorProcess, clone: SimWriter | undefined) {
    this.#process = process;
    this.#clock = new HybridClock(process.clock);
    this.#lane = clone?.lane;
    this.#writer = clone && new LaneWriter(clone.lane, testHash, this.#clock);
    this.#isLaneStored = clone !== undefined;
    this.#positions = new Map(clone?.positions);
    process.replication.writes(clone?.lane.id);
  }

  get lane(): LaneId | undefined {
    return this.#lane?.id;
  }

  /** `undefined` before its first write. */
  get writer(): SimWriter | undefined {
    const lane = this.#lane;
    if (!lane || !this.#isLaneStored) return undefined;
    const positions = new Map<DocumentId, LanePosition>();
    for (const [id, { vector }] of this.#process.store.documents) {
      const position = vector.get(lane.id);
      if (position) positions.set(id, position);
    }
    return { lane, positions };
  }

  /** Whether something of the lane is on its way to disk. */
  isBusyWith(lane: LaneId): boolean {
    return (this.#inFlight.get(lane) ?? 0) > 0;
  }

  /** The document shows what is on its way to disk. */
  get isBusy(): boolean {
    return [...this.#inFlight.values()].some((count) => count > 0) || this.#sealing > 0;
  }

  /** A local change, on its way to disk. */
  async edit(name: string): Promise<void> {
    const { replication, engine, signer } = this.#process;
    const entry = this.#entryOf(name);
    replication.want(entry, this.#process.nowMs);
    const { writer, lane } = await this.#openWriter();
    if (this.#process.isOver || this.#lane !== lane) return;
    this.#sealing++;
    const draft = {
      kind: EnvelopeKind.update,
      flags: 0,
      document: entry.id,
      epoch: 0,
      schema: 0,
      codec: PayloadCodec.yjsV1,
      payload: engine.edit(entry.id, lane.id),
    };
    const sealed = writer.seal(this.#positions.get(entry.id), draft);
    this.#positions.set(entry.id, { seq: sealed.seq, head: sealed.id });
    engine.sealed(sealed);
    this.#process.onSealed(sealed);
    const [envelope] = await signRun([sealed], signer);
    this.#sealing--;
    if (!this.#process.isOver) this.#append(lane, entry, envelope!);
  }

  /** Our writer has a twin. It ends, and the next change begins a lane of its own. */
  end(): void {
    this.#process.replication.writes(undefined);
    this.#lane = undefined;
    this.#writer = undefined;
    this.#isLaneStored = false;
    this.#positions.clear();
  }

  #append(lane: LaneDescriptor, entry: DocumentEntry, envelope: Envelope): void {
    const { store, replication } = this.#process;
    const isStored = this.#isLaneStored && this.#lane === lane;
    const batch = {
      lanes: isStored ? [] : [lane],
      documents: [entry],
      envelopes: [envelope],
    };
    this.#inFlight.set(lane.id, (this.#inFlight.get(lane.id) ?? 0) + 1);
    store.append(batch, (isGood, arrival) => {
      if (this.#process.isOver) return;
      this.#inFlight.set(lane.id, this.#inFlight.get(lane.id)! - 1);
      if (!isGood) return this.#process.failed();
      if (this.#lane === lane) this.#isLaneStored = true;
      this.#process.onSaved(envelope);
      replication.storedHere(entry, [envelope], lane, arrival, this.#process.nowMs);
      this.#process.drain();
    });
  }

  async #openWriter(): Promise<{ writer: LaneWriter; lane: LaneDescriptor }> {
    if (!this.#writer || !this.#lane) {
      const lane = await openLane({
        space: openSpaceId(testHash),
        signer: this.#process.signer,
        hash: testHash,
        random: this.#process.random,
        clock: this.#clock,
        engine: "simulated",
      });
      this.#lane = lane;
      this.#writer = new LaneWriter(lane, testHash, this.#clock);
      this.#process.replication.writes(lane.id);
    }
    return { writer: this.#writer, lane: this.#lane };
  }

  #entryOf(text: string): DocumentEntry {
    const name = parseDocumentName(text);
    const id = documentIdOf(testHash, openSpaceId(testHash), name);
    return { id, name, createdAt: { wallMs: this.#process.clock.nowMs(), counter: 0 } };
  }
}
