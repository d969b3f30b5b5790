import type { LaneDescriptor, LaneWriter, LogBatch, LogStore } from "@heddle/core";

import type { ReplicaCounters } from "./replica-counters.ts";
import type { ReplicaDocument } from "./replica-document.ts";

export interface CommitterOptions {
  readonly store: LogStore;
  readonly counters: ReplicaCounters;
  /** Opens the lane of this process; called once, before the first seal. */
  readonly openLane: () => Promise<LaneWriter>;
  /** The store refused a round. Nothing is sealed afterwards. */
  readonly onFailure: (error: unknown) => void;
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

  /** Nothing is sealed from here on; what waits belongs to documents that are given up. */
  stop(): void {
    this.#isStopped = true;
    this.#waiting.clear();
    this.#writer?.end();
  }

  async #run(): Promise<void> {
    try {
      this.#writer ??= await this.#options.openLane();
      while (this.#waiting.size > 0) await this.#round(this.#writer);
    } catch (error) {
      if (!this.#isStopped) this.#options.onFailure(error);
    } finally {
      this.#running = undefined;
    }
  }

  async #round(writer: LaneWriter): Promise<void> {
    const documents = [...this.#waiting];
    this.#waiting.clear();
    const batch = batchOf(documents, writer, this.#isLaneStored ? undefined : writer.descriptor);
    await this.#options.store.append(batch);
    if (this.#isStopped) return;
    this.#isLaneStored = true;
    this.#options.counters.rounds++;
    this.#options.counters.envelopes += batch.envelopes?.length ?? 0;
    for (const document of documents) document.endRound();
  }
}

function batchOf(
  documents: readonly ReplicaDocument[],
  writer: LaneWriter,
  lane: LaneDescriptor | undefined,
): LogBatch {
  const rounds = documents.map((document) => ({
    document: document.entry.id,
    ...document.beginRound(writer),
  }));
  return {
    lanes: lane ? [lane] : [],
    documents: rounds.flatMap(({ entry }) => entry ?? []),
    envelopes: rounds.flatMap(({ envelopes }) => envelopes),
    park: rounds.flatMap(({ document, park }) => park.map((update) => ({ document, update }))),
    release: rounds.flatMap(({ document, release }) => release.map((id) => ({ document, id }))),
  };
}
