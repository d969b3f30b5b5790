import type {
  Clock,
  DocumentEntry,
  DocumentId,
  Envelope,
  LaneDescriptor,
  LaneId,
  LaneWriter,
  LogBatch,
  Logger,
  LogStore,
  ParkedUpdate,
  QuarantinedUpdate,
  RecalledEnvelope,
} from "@heddle/core";

import type { ReplicaCounters } from "./replica-counters.ts";
import type { DocumentRound } from "./document-outbox.ts";
import type { ReplicaDocument } from "./replica-document.ts";
import { traceFieldsOf, visibleReason } from "./edit-trace.ts";
import type { CommitRound, ReplicaTelemetry } from "./telemetry.ts";

export interface CommitterOptions {
  readonly store: LogStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly counters: ReplicaCounters;
  readonly telemetry: ReplicaTelemetry | undefined;
  /** Opens the lane of this process; called once, before the first seal. */
  readonly openLane: () => Promise<LaneWriter>;
  /** Told what is on disk and was shown. */
  readonly observer: () => CommitObserver | undefined;
  /** The store refused a round. Nothing is sealed afterwards. */
  readonly onFailure: (error: unknown) => void;
}

/** What one commit group brought. */
export interface StoredRound {
  /** Number of the group. */
  readonly arrival: number;
  /** The lane of this process: envelopes of other lanes came from other replicas. */
  readonly lane: LaneDescriptor;
  readonly documents: readonly {
    readonly entry: DocumentEntry;
    readonly envelopes: readonly Envelope[];
  }[];
}

export interface CommitObserver {
  onStored(round: StoredRound): void;
}

/**
 * Takes documents through rounds of seal, append, show. While one round is being synced the next one
 * fills up, so a lone writer pays one sync and a crowd shares it.
 *
 *   idle ──request──► sealing ──append──► syncing ──on disk──► shown ──more?──► sealing, else idle
 */
export class Committer {
  readonly #options: CommitterOptions;
  readonly #waiting = new Set<ReplicaDocument>();
  #writer: LaneWriter | undefined;
  #isLaneStored = false;
  #isStopped = false;
  #running: Promise<void> | undefined;

  constructor(options: CommitterOptions) {
    this.#options = options;
  }

  readonly request = (document: ReplicaDocument): void => {
    if (this.#isStopped) return;
    this.#waiting.add(document);
    this.#running ??= this.#run();
  };

  /** Resolves when nothing waits and nothing is in flight. */
  async drained(): Promise<void> {
    await this.#running;
  }

  /** The lane that is written, once something was. */
  get lane(): LaneId | undefined {
    return this.#writer?.descriptor.id;
  }

  /** Nothing more is sealed into `lane`, if it is the one that is written. False if it is not. */
  endLane(lane: LaneId): boolean {
    if (this.#writer?.descriptor.id !== lane) return false;
    this.#writer.end();
    this.#writer = undefined;
    this.#isLaneStored = false;
    return true;
  }

  /** Nothing is sealed from here on; what waits belongs to documents that are given up. */
  stop(): void {
    this.#isStopped = true;
    this.#waiting.clear();
    this.#writer?.end();
  }

  async #run(): Promise<void> {
    try {
      while (this.#waiting.size > 0) {
        this.#writer ??= await this.#options.openLane();
        await this.#round(this.#writer);
      }
    } catch (error) {
      if (!this.#isStopped) this.#options.onFailure(error);
    } finally {
      this.#running = undefined;
    }
  }

  async #round(writer: LaneWriter): Promise<void> {
    const { store, clock, counters, telemetry } = this.#options;
    const documents = [...this.#waiting];
    this.#waiting.clear();
    const rounds = documents.map((document) => document.beginRound(writer));
    const sealedMs = clock.monotonicMs();
    const batch = batchOf(rounds, this.#isLaneStored ? undefined : writer.descriptor);
    const isEmpty = Object.values(batch).every((part) => part.length === 0);
    const arrival = isEmpty ? 0 : await store.append(batch);
    if (this.#isStopped) return;
    const syncedMs = clock.monotonicMs();
    if (this.#writer === writer) this.#isLaneStored = true;
    for (const document of documents) document.endRound(arrival);
    const shownMs = clock.monotonicMs();
    const round = { ...totalsOf(rounds), sealedMs, syncedMs, shownMs };
    counters.rounds++;
    counters.envelopes += round.envelopes;
    telemetry?.onRound(round);
    this.#trace(rounds, writer, round);
    this.#options.observer()?.onStored({
      arrival,
      lane: writer.descriptor,
      documents: rounds.map(({ envelopes }, index) => {
        return { entry: documents[index]!.entry, envelopes };
      }),
    });
  }

  /** Says of each envelope with a correlation id that it is on this disk, wherever it was written. */
  #trace(
    rounds: readonly DocumentRound[],
    { descriptor }: LaneWriter,
    { receivedMs, sealedMs, syncedMs, correlationId: anyId }: CommitRound,
  ): void {
    if (anyId === undefined) return;
    const { clock, logger, telemetry } = this.#options;
    const tookMs = syncedMs - (receivedMs ?? sealedMs);
    for (const { document, envelopes } of rounds) {
      for (const envelope of envelopes) {
        const { correlationId, reason, lane, seq } = envelope;
        if (correlationId === undefined) continue;
        const isOwn = lane === descriptor.id;
        const name = isOwn ? "heddle.commit" : "heddle.receive";
        logger.debug(isOwn ? "edit.committed" : "edit.received", {
          document,
          lane,
          seq,
          ...traceFieldsOf(envelope),
        });
        telemetry?.onTraced?.({
          name,
          correlationId,
          reason: reason && visibleReason(reason),
          document,
          lane,
          seq,
          endedAtMs: clock.nowMs(),
          tookMs,
        });
      }
    }
  }
}

function totalsOf(
  rounds: readonly DocumentRound[],
): Pick<CommitRound, "receivedMs" | "envelopes" | "bytes" | "correlationId"> {
  const totals = {
    receivedMs: undefined as number | undefined,
    envelopes: 0,
    bytes: 0,
    correlationId: undefined as Uint8Array | undefined,
  };
  // By index, here and below: a thousand documents a round, and few enough rounds that V8 has compiled
  // no iterator away, each step of which is an object then.
  for (let index = 0; index < rounds.length; index++) {
    const { receivedMs = Infinity, envelopes } = rounds[index]!;
    if (receivedMs < (totals.receivedMs ?? Infinity)) totals.receivedMs = receivedMs;
    totals.envelopes += envelopes.length;
    for (let of = 0; of < envelopes.length; of++) {
      const envelope = envelopes[of]!;
      totals.bytes += envelope.payload.length;
      totals.correlationId = envelope.correlationId ?? totals.correlationId;
    }
  }
  return totals;
}

function batchOf(rounds: readonly DocumentRound[], own: LaneDescriptor | undefined): LogBatch {
  const lanes = own ? [own] : [];
  const documents: DocumentEntry[] = [];
  const envelopes: Envelope[] = [];
  const park: { document: DocumentId; update: ParkedUpdate }[] = [];
  const release: { document: DocumentId; id: string }[] = [];
  const quarantine: { document: DocumentId; update: QuarantinedUpdate }[] = [];
  const recall: { document: DocumentId; envelope: RecalledEnvelope }[] = [];
  for (let index = 0; index < rounds.length; index++) {
    const round = rounds[index]!;
    const { document, entry, outbox } = round;
    if (entry) documents.push(entry);
    for (let of = 0; of < round.envelopes.length; of++) envelopes.push(round.envelopes[of]!);
    for (let of = 0; of < round.lanes.length; of++) lanes.push(round.lanes[of]!);
    if (outbox === undefined) continue;
    for (const update of outbox.park) park.push({ document, update });
    for (const id of outbox.release) release.push({ document, id });
    for (const update of outbox.quarantine) quarantine.push({ document, update });
    for (const envelope of outbox.recall) recall.push({ document, envelope });
  }
  return { lanes, documents, envelopes, park, release, quarantine, recall };
}
