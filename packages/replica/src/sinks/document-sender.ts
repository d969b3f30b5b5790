import {
  HeddleErrorCode,
  isHeddleError,
  toHex,
  type DocumentId,
  type Environment,
  type LaneId,
} from "@heddle/core";
import {
  decodeSent,
  encodeSent,
  encodeStalled,
  isNamed,
  readOr,
  sinkSentPath,
  sinkStalledPath,
  type DeadChange,
  type ListedDocument,
  type ProjectionStore,
  type RecordBytes,
  type RecordPath,
  type Sink,
  type SinkSource,
  type SourceChange,
  type SourceDocument,
  type StopSignal,
} from "@heddle/reconcile";

import { DeadChanges } from "./dead-changes.ts";
import { attemptDelivery, SinkBreaker } from "./sink-attempts.ts";

/** What a sink is run with. */
export interface SinkParts {
  readonly sink: Sink;
  readonly store: ProjectionStore;
  /** Of this sink alone: a source remembers where the listing of its documents stands. */
  readonly source: SinkSource;
  readonly environment: Environment;
  /** Ends the attempt that is under way, and all that would follow. */
  readonly signal?: StopSignal;
}

/** What a sink did, since it was opened. */
export interface SinkCounters {
  delivered: number;
  /** Attempts that failed and are made again. */
  failed: number;
  /** Changes that were given up, and kept as dead. */
  dead: number;
  /** Looks at documents whose changes could not be read; they are looked at again. */
  undetermined: number;
  /** Records of this sink that could not be read: it sends again what it may have sent. */
  damagedRecords: number;
}

/** The outside has to be waited for, or nobody waits for it any more. */
export class Interrupted extends Error {}

/** Changes that are handed over before where that stands is written: a crash repeats so many at most. */
const unwrittenMax = 32;
const accept = ["pending", "quarantine", "degraded"] as const;
const never: StopSignal = {
  aborted: false,
  addEventListener: () => undefined,
  removeEventListener: () => undefined,
};

/**
 * Hands over what the log of one document holds above what was sent of it, one change after the other. What was sent
 * is written behind, so that a crash repeats changes under their keys and loses none.
 */
export class DocumentSender {
  readonly counters: SinkCounters = {
    delivered: 0,
    failed: 0,
    dead: 0,
    undetermined: 0,
    damagedRecords: 0,
  };
  readonly dead: DeadChanges;
  readonly breaker: SinkBreaker;
  readonly #parts: SinkParts;
  readonly #signal: StopSignal;
  #trying: { readonly id: string; attempts: number } | undefined;

  constructor(parts: SinkParts) {
    const { sink, store, environment, signal = never } = parts;
    this.#parts = parts;
    this.#signal = signal;
    this.dead = new DeadChanges({ sink: sink.name, store, environment, bounds: sink.keepsDead });
    this.breaker = new SinkBreaker(sink, environment);
  }

  /**
   * Sends what was not sent of a document.
   *
   * @throws Interrupted when the outside has to be waited for; HeddleError `HEDDLE_STORAGE_*`.
   */
  async send(document: ListedDocument): Promise<void> {
    const { sink, store, source } = this.#parts;
    const { id } = document;
    const [stored, stalled] = await store.get([sinkSentPath(sink.name, id), this.#stalledPath(id)]);
    if (!isNamed(document)) return await this.#passOver(document, "damaged", stalled);
    if (!sink.accepts(document)) return;
    const sent = this.readable("sent", stored, decodeSent) ?? new Map<LaneId, number>();
    let reading = await source.readChanges(id, sent, accept);
    if (reading.outcome === "undetermined" && reading.reason === "pruned") {
      await this.#skipPruned(document, sent);
      reading = await source.readChanges(id, sent, accept);
    }
    if (reading.outcome === "undetermined") {
      return await this.#passOver(document, reading.reason, stalled);
    }
    try {
      if (reading.outcome === "whole") await this.#sendChanges(id, sent, reading);
    } catch (error) {
      // Met in the middle of its log, which is read while it is sent: what is before it has gone out.
      if (!isHeddleError(error, HeddleErrorCode.storageCorrupt)) throw error;
      return await this.#passOver(document, "damaged", stalled);
    }
    if (stalled !== undefined) await store.apply({ remove: [this.#stalledPath(id)] });
  }

  /** Takes all that there is of a document for old. */
  async note(document: ListedDocument): Promise<void> {
    const { sink, store, source } = this.#parts;
    if (!isNamed(document) || !sink.accepts(document)) return;
    const extent = await source.readExtent(document.id, accept);
    // What cannot be read now is not known to be old, and goes out once it can be.
    if (extent.outcome !== "whole") return;
    const value = encodeSent(extent.vector);
    await store.apply({ put: [{ path: sinkSentPath(sink.name, document.id), value }] });
  }

  /** What was noted as sent above these seqs is new after all. */
  async renew(document: DocumentId, seqs: ReadonlyMap<LaneId, number>): Promise<void> {
    const { sink, store } = this.#parts;
    const path = sinkSentPath(sink.name, document);
    const [stored] = await store.get([path]);
    const sent = this.readable("sent", stored, decodeSent);
    // Of one that was not noted everything is new.
    if (sent === undefined) return;
    for (const [lane, seq] of seqs) sent.set(lane, Math.min(seq, sent.get(lane) ?? seq));
    await store.apply({ put: [{ path, value: encodeSent(sent) }] });
  }

  /** One that cannot be read is as if there were none: what it would tell is found by comparing, or sent again. */
  readable<Value>(
    record: string,
    stored: RecordBytes | undefined,
    decode: (bytes: Uint8Array) => Value,
  ): Value | undefined {
    const value = readOr(stored, decode);
    if (stored === undefined || value !== undefined) return value;
    this.counters.damagedRecords++;
    const { sink, environment } = this.#parts;
    environment.logger.error("sink.record_damaged", { sink: sink.name, record });
    return undefined;
  }

  async #sendChanges(
    id: DocumentId,
    sent: Map<LaneId, number>,
    { changes, vector, uncounted }: WholeChanges,
  ): Promise<void> {
    const { sink, store } = this.#parts;
    const path = sinkSentPath(sink.name, id);
    let unwritten = 0;
    const keep = async (): Promise<void> => {
      if (unwritten > 0) await store.apply({ put: [{ path, value: encodeSent(sent) }] });
      unwritten = 0;
    };
    try {
      for await (const chunk of changes) {
        for (const change of chunk) {
          const dead = await this.#deliver(change);
          sent.set(change.lane, change.seq);
          unwritten++;
          // The entry and the place behind it are one batch: a change is on its way, handed over, or dead.
          if (dead) await this.#bury(dead, { path, value: encodeSent(sent) });
          if (dead) unwritten = 0;
          if (unwritten >= unwrittenMax) await keep();
        }
      }
      // What the log holds beside changes, and what was recalled, is behind us as well; what may count yet is not.
      for (const [lane, last] of vector) {
        const seq = Math.min(last, (uncounted?.get(lane) ?? Infinity) - 1);
        if ((sent.get(lane) ?? 0) >= seq) continue;
        sent.set(lane, seq);
        unwritten++;
      }
    } finally {
      await keep();
    }
  }

  /** @returns what is to be kept as dead, when it was given up. */
  async #deliver(change: SourceChange): Promise<DeadChange | undefined> {
    const { sink, environment } = this.#parts;
    const id = toHex(change.id);
    if (this.#trying?.id !== id) this.#trying = { id, attempts: 0 };
    this.breaker.note("attempt");
    const attempt = await attemptDelivery(sink, change, environment, this.#signal);
    if (attempt.outcome === "stopped") throw new Interrupted();
    const attempts = ++this.#trying.attempts;
    // Who refuses this one was there, and answered.
    this.breaker.note(attempt.outcome === "failed" ? "failed" : "succeeded");
    if (attempt.outcome === "delivered") {
      this.counters.delivered++;
      return undefined;
    }
    if (attempt.outcome === "failed") {
      this.counters.failed++;
      if (attempts < sink.attemptsMax) throw new Interrupted();
    }
    const { lane, seq, document } = change;
    const { reason } = attempt;
    const atMs = Math.floor(environment.clock.nowMs());
    return { id, document: document.id, lane, seq, reason, attempts, atMs };
  }

  /** What a checkpoint has taken the place of is listed as dead, all of it as one; what is above it goes out. */
  async #skipPruned({ id }: SourceDocument, sent: Map<LaneId, number>): Promise<void> {
    const { sink, source, environment } = this.#parts;
    const extent = await source.readExtent(id, accept);
    if (extent.outcome !== "whole") return;
    for (const [lane, floor] of extent.floors) {
      sent.set(lane, Math.max(floor, sent.get(lane) ?? 0));
    }
    const atMs = Math.floor(environment.clock.nowMs());
    const none = { lane: "" as LaneId, seq: 0, attempts: 0 };
    const dead = { id, document: id, ...none, reason: "pruned", atMs };
    await this.#bury(dead, { path: sinkSentPath(sink.name, id), value: encodeSent(sent) });
  }

  async #bury(
    dead: DeadChange,
    sent: { readonly path: RecordPath; readonly value: Uint8Array },
  ): Promise<void> {
    await this.dead.keep(dead, { put: [sent] });
    this.counters.dead++;
    const { sink, environment } = this.#parts;
    const { id, reason } = dead;
    environment.logger.error("sink.change_dead", { sink: sink.name, id, reason });
  }

  /** Until it can be read: it is looked at again now and then, and when it changes. */
  async #passOver(
    { id, name }: ListedDocument,
    reason: string,
    stalled: RecordBytes | undefined,
  ): Promise<void> {
    this.counters.undetermined++;
    if (stalled !== undefined) return;
    const { sink, store, environment } = this.#parts;
    environment.logger.warn("sink.document_passed_over", { sink: sink.name, document: id, reason });
    const value = encodeStalled({ name: (name ?? "") as SourceDocument["name"], reason });
    await store.apply({ put: [{ path: this.#stalledPath(id), value }] });
  }

  #stalledPath(id: DocumentId): RecordPath {
    return [...sinkStalledPath(this.#parts.sink.name), id];
  }
}

interface WholeChanges {
  readonly changes: AsyncIterable<readonly SourceChange[]>;
  readonly vector: ReadonlyMap<LaneId, number>;
  readonly uncounted?: ReadonlyMap<LaneId, number>;
}
