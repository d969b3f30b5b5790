import { equalBytes, isHeddleError, logDigest, type DocumentId } from "@heddle/core";
import type { ContentDigests } from "@heddle/reconcile";
import type { DigestAnswer } from "@heddle/sync";

import type { DriftCounters } from "./drift-report.ts";
import { engineWithout, foldDocument } from "./fold-document.ts";
import type { LookTools } from "./look-at-document.ts";
import { hashCoveredRecalls } from "../read-checkpoint.ts";
import { recallsInForce } from "../recalls-in-force.ts";

export interface DigestLimits {
  /** Folds that wait; who asks for one more is told that the document is not at hand. */
  readonly foldsWaitingMax: number;
  /** After a fold there is a pause of so many times what it took. */
  readonly restFactor: number;
  /** What is remembered of folds. */
  readonly rememberedMax: number;
}

export const defaultDigestLimits: DigestLimits = {
  foldsWaitingMax: 64,
  restFactor: 4,
  rememberedMax: 1_024,
};

const unavailable: DigestAnswer = { outcome: "unavailable" };

/**
 * Answers what a document shows. Where an application has it open, from its own Yjs document; otherwise
 * from the disk, folded away from this thread, one at a time and with pauses. A fold is remembered with
 * the log that it is of, as long as nobody asks to look again.
 */
export class DocumentDigests {
  readonly #tools: LookTools;
  readonly #limits: DigestLimits;
  readonly #counters: DriftCounters;
  /** Least recently made first. */
  readonly #remembered = new Map<DocumentId, Extract<DigestAnswer, { outcome: "digests" }>>();
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();
  #isStopped = false;

  constructor(tools: LookTools, counters: DriftCounters, limits: DigestLimits) {
    this.#tools = tools;
    this.#counters = counters;
    this.#limits = limits;
  }

  /** Of a document whose log has this digest L; `unavailable` for any other. */
  async answer(id: DocumentId, log: Uint8Array, isThorough: boolean): Promise<DigestAnswer> {
    const shown = await this.#shown(id, log, isThorough);
    if (shown) return shown;
    const known = this.#remembered.get(id);
    if (!isThorough && known && equalBytes(known.log, log)) return known;
    if (this.#waiting >= this.#limits.foldsWaitingMax) {
      this.#counters.digestsPutOff++;
      return unavailable;
    }
    this.#waiting++;
    const folding = this.#last.then(() => this.#fold(id, log));
    this.#last = folding.then(
      (tookMs) => this.#rest(tookMs),
      () => undefined, // Whoever asked has the error.
    );
    await folding.finally(() => this.#waiting--);
    const folded = this.#remembered.get(id);
    return folded && equalBytes(folded.log, log) ? folded : unavailable;
  }

  /** It is not what it was. */
  forget(id: DocumentId): void {
    this.#remembered.delete(id);
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #shown(
    id: DocumentId,
    log: Uint8Array,
    isThorough: boolean,
  ): Promise<DigestAnswer | undefined> {
    const { replica, environment, store } = this.#tools;
    const loaded = replica.loaded(id);
    if (loaded === undefined || loaded.listenerCount === 0) return undefined;
    const vector = await loaded.whenDurable();
    if (!equalBytes(logDigest(environment.hash, vector), log)) return undefined;
    // Several may have it open: what differs is told, as it has to be found.
    const all: readonly ContentDigests[] = loaded.shown(isThorough);
    const odd = all.find((one) => !equalBytes(one.state, all[0]!.state)) ?? all[0];
    if (odd === undefined) return undefined;
    const recalls = await recallsInForce(store, id);
    const floors = recalls.length > 0 ? await store.readFloors(id) : new Map();
    const without = hashCoveredRecalls(this.#tools, vector, { floors, recalls });
    const engine = engineWithout(odd.engine, without);
    return { outcome: "digests", log, ...odd, engine };
  }

  /** How long it took, in ms. */
  async #fold(id: DocumentId, log: Uint8Array): Promise<number> {
    const { replica, environment } = this.#tools;
    const startedMs = environment.clock.monotonicMs();
    if (this.#isStopped) return 0;
    const folded = await replica.access
      .reading(id, () => foldDocument(this.#tools, id))
      .catch((error: unknown) => {
        // A damaged document shows nothing; whoever audits it says so.
        if (isHeddleError(error)) return undefined;
        throw error;
      });
    this.#remembered.delete(id);
    if (folded && equalBytes(folded.log, log)) {
      this.#remembered.set(id, { outcome: "digests", log: folded.log, ...folded.digests });
      const [oldest] = this.#remembered.keys();
      if (this.#remembered.size > this.#limits.rememberedMax) this.#remembered.delete(oldest!);
    }
    return environment.clock.monotonicMs() - startedMs;
  }

  #rest(tookMs: number): Promise<void> {
    const { scheduler } = this.#tools.environment;
    const restMs = tookMs * this.#limits.restFactor;
    if (this.#isStopped || restMs <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      scheduler.after(restMs, resolve);
    });
  }
}
