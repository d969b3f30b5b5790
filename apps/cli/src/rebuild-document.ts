import {
  compareHlc,
  isHeddleError,
  limits,
  PayloadCodec,
  type Envelope,
  type Environment,
  type LaneDescriptor,
  type LaneId,
  type LogBatch,
} from "@heddle/core";
import { admitUpdate, DocumentKnowledge, parseStored } from "@heddle/document";
import {
  comparePlaces,
  type LevelLogStore,
  type SalvagedDocument,
  type SalvagedLane,
  type SalvagedRef,
  type SalvagedStore,
} from "@heddle/storage-level";

import type { EnvelopeRange, RepairedDocument } from "./repair-report.ts";
import type { RescueLane } from "./rescue-lane.ts";

/** A batch is closed at either. */
const batchEnvelopesMax = 512;
const batchBytesMax = 4 * 1024 * 1024;

export interface RebuildTools {
  readonly salvage: SalvagedStore;
  readonly store: LevelLogStore;
  readonly environment: Pick<Environment, "compression">;
  readonly rescue: RescueLane;
  /** Lanes that the new store knows. */
  readonly opened: Set<LaneId>;
}

/**
 * Writes what can be saved of a document to the new store: all that proves itself and lacks nothing it
 * depends on, on top of the checkpoint where the log begins above one or has holes below it.
 */
export async function rebuildDocument(
  tools: RebuildTools,
  salvaged: SalvagedDocument,
  hasRecalls: boolean,
): Promise<RepairedDocument> {
  const writer = new DocumentWriter(tools, salvaged, hasRecalls);
  await writer.write();
  return writer.report();
}

class DocumentWriter {
  readonly #tools: RebuildTools;
  readonly #salvaged: SalvagedDocument;
  readonly #lanes: ReadonlyMap<LaneId, SalvagedLane>;
  /** What depends on recalled parts is held aside when the document is loaded, not refused here. */
  readonly #hasRecalls: boolean;
  /** A checkpoint cannot be kept as one when the record of a lane in it is lost. */
  readonly #isBaseResealed: boolean;
  /** Up to where each lane is saved, and what is saved of it above a gap, ascending. */
  readonly #savedTo = new Map<LaneId, number>();
  /** Up to where it is written under its own lane. */
  readonly #writtenTo = new Map<LaneId, number>();
  readonly #loose = new Map<LaneId, number[]>();
  readonly #knowledge = new DocumentKnowledge();
  #envelopes = 0;
  #resealed = 0;
  #batch: Envelope[] = [];
  #batchBytes = 0;

  constructor(tools: RebuildTools, salvaged: SalvagedDocument, hasRecalls: boolean) {
    this.#tools = tools;
    this.#salvaged = salvaged;
    this.#hasRecalls = hasRecalls;
    this.#lanes = new Map(salvaged.lanes.map((lane) => [lane.id, lane]));
    this.#isBaseResealed = [...(salvaged.base?.vector.keys() ?? [])].some((lane) => {
      return !this.#lanes.get(lane)?.descriptor;
    });
  }

  async write(): Promise<void> {
    const { entry, base, lanes } = this.#salvaged;
    await this.#append({ documents: [entry], lanes: this.#lanesToOpen() });
    if (base) await this.#writeBase();
    const all = lanes.flatMap(({ envelopes, loose }) => envelopes.concat(loose));
    for (const ref of all.toSorted(byArrival)) {
      const envelope = await this.#tools.salvage.envelope(ref);
      if (this.#isComplete(envelope)) await this.#put(envelope);
    }
    await this.#flush();
  }

  report(): RepairedDocument {
    const { entry, isNameLost, unknownLanes, lanes } = this.#salvaged;
    const missing: EnvelopeRange[] = [];
    const historyLost: EnvelopeRange[] = [];
    for (const { id: lane, floor, floorBefore, lastSeq } of lanes) {
      const saved = this.#savedTo.get(lane) ?? 0;
      if (floor > floorBefore && saved >= floor) {
        historyLost.push({ lane, fromSeq: floorBefore + 1, toSeq: floor });
      }
      let before = saved;
      for (const seq of [...(this.#loose.get(lane) ?? []), lastSeq + 1]) {
        if (seq > before + 1) missing.push({ lane, fromSeq: before + 1, toSeq: seq - 1 });
        before = Math.max(before, seq);
      }
    }
    const counts = { envelopes: this.#envelopes, resealed: this.#resealed, unknownLanes };
    return { id: entry.id, name: entry.name, isNameLost, ...counts, missing, historyLost };
  }

  #lanesToOpen(): LaneDescriptor[] {
    const { opened } = this.#tools;
    return this.#salvaged.lanes.flatMap(({ id, descriptor }) => {
      if (!descriptor || opened.has(id)) return [];
      opened.add(id);
      return [descriptor];
    });
  }

  /** What the document stands on, in the order in which the store checks it. */
  async #writeBase(): Promise<void> {
    const { entry, base, lanes } = this.#salvaged;
    const { checkpoint, header, vector, attributions } = base!;
    const { compression } = this.#tools.environment;
    const state = await compression.inflateRaw(checkpoint.state, header.stateBytes);
    // Too long for an envelope: then nothing above it is complete, and all of it is missing.
    if (this.#isBaseResealed && state.length > limits.updateBytesMax) return;
    this.#knowledge.learn(parseStored(state));
    for (const [lane, { seq }] of vector) this.#savedTo.set(lane, seq);
    if (this.#isBaseResealed) {
      return this.#reseal({ document: entry.id, payload: state });
    }
    const floors = new Map<LaneId, number>();
    for (const { id, floor } of lanes) if (floor > 0) floors.set(id, floor);
    await this.#append({ checkpoints: [checkpoint] });
    await this.#append({ prune: [{ document: entry.id, floors, attributions }] });
  }

  /**
   * Whether it lacks nothing: a log holds only complete updates, and what a damage took may be what
   * others stand on. In the order of arrival nothing precedes what it depends on.
   */
  #isComplete({ lane, seq, codec, payload }: Envelope): boolean {
    if (this.#hasRecalls || codec !== PayloadCodec.yjsV1) return true;
    // The state of the checkpoint holds it already.
    if (seq <= (this.#salvaged.base?.vector.get(lane)?.seq ?? 0)) return true;
    try {
      const { admitted, parked } = admitUpdate(this.#knowledge, parseStored(payload));
      if (parked) return false;
      if (admitted) this.#knowledge.learn(admitted);
      return true;
    } catch (error) {
      // No update at all: the document would not load with it.
      if (isHeddleError(error)) return false;
      throw error;
    }
  }

  async #put(envelope: Envelope): Promise<void> {
    const { lane, seq } = envelope;
    const { descriptor, floor } = this.#lanes.get(lane)!;
    const isFlat = !descriptor || (this.#isBaseResealed && floor > 0);
    const next = Math.max(this.#writtenTo.get(lane) ?? 0, floor) + 1;
    const covered = this.#savedTo.get(lane) ?? 0;
    this.#envelopes++;
    if (seq === covered + 1) this.#savedTo.set(lane, seq);
    else if (seq > covered) this.#addLoose(lane, seq);
    if (isFlat || seq !== next) return this.#reseal(envelope);
    this.#writtenTo.set(lane, seq);
    await this.#add(envelope);
  }

  #addLoose(lane: LaneId, seq: number): void {
    const seqs = this.#loose.get(lane);
    if (seqs) seqs.push(seq);
    else this.#loose.set(lane, [seq]);
  }

  async #reseal(
    content: Pick<Envelope, "document" | "payload"> & Partial<Envelope>,
  ): Promise<void> {
    this.#resealed++;
    await this.#flush();
    const { lane, isNew, envelope } = await this.#tools.rescue.seal(content);
    if (isNew) await this.#append({ lanes: [lane] });
    await this.#add(envelope);
  }

  async #add(envelope: Envelope): Promise<void> {
    this.#batch.push(envelope);
    this.#batchBytes += envelope.bytes.length;
    const isFull = this.#batch.length >= batchEnvelopesMax || this.#batchBytes >= batchBytesMax;
    if (isFull) await this.#flush();
  }

  async #flush(): Promise<void> {
    const envelopes = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    if (envelopes.length > 0) await this.#append({ envelopes });
  }

  async #append(batch: LogBatch): Promise<void> {
    await this.#tools.store.append(batch);
  }
}

/** Those of older stores do not say when they arrived; their clock readings come close. */
function byArrival(a: SalvagedRef, b: SalvagedRef): number {
  return comparePlaces(a.place, b.place) || compareHlc(a.hlc, b.hlc) || a.seq - b.seq;
}
