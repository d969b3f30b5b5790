import { equalBytes, isHeddleError, logDigest, type DocumentId } from "@heddle/core";
import type { ContentDigests } from "@heddle/reconcile";
import type { DigestAnswer } from "@heddle/sync";

import type { DriftCounters } from "./drift-report.ts";
import { isDamage } from "./audit-journal.ts";
import { engineWithout, foldDocument } from "./fold-document.ts";
import { durableMsMax, type LookTools } from "./look-at-document.ts";
import { withinMs } from "../within-ms.ts";
import { hashCoveredRecalls } from "../read-checkpoint.ts";
import { recallsInForce } from "../recalls-in-force.ts";

export interface DigestLimits {
  /** Folds that wait; who asks for one more is told that the document is not at hand. */
  readonly foldsWaitingMax: number;
  /** After a fold there is a pause of so many times what it took. */
  readonly restFactor: number;
  /** What is remembered of folds. */
  readonly rememberedMax: number;
  /** A fold that is no older is shared by all who ask, also by those who ask to look again. */
  readonly freshMs: number;
}

export const defaultDigestLimits: DigestLimits = {
  foldsWaitingMax: 64,
  restFactor: 4,
  rememberedMax: 1_024,
  freshMs: 10_000,
};

const unavailable: DigestAnswer = { outcome: "unavailable" };

interface Remembered {
  readonly answer: Extract<DigestAnswer, { outcome: "digests" }>;
  readonly atMs: number;
}

/**
 * Answers what a document shows. Where an application has it open, from its own Yjs document; otherwise
 * from the disk, folded away from this thread, one at a time and with pauses. A fold is remembered with
 * the log that it is of, as long as nobody asks to look again.
 */
export class DocumentDigests {
  readonly #tools: LookTools;
  readonly #limits: DigestLimits;
  readonly #counters: DriftCounters;
  readonly #onTrouble: (document: DocumentId) => void;
  /** Least recently made first. */
  readonly #remembered = new Map<DocumentId, Remembered>();
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();
  #isStopped = false;

  /** @param onTrouble hears of documents that cannot be put together. */
  constructor(
    tools: LookTools,
    counters: DriftCounters,
    limits: DigestLimits,
    onTrouble: (document: DocumentId) => void,
  ) {
    this.#tools = tools;
    this.#counters = counters;
    this.#limits = limits;
    this.#onTrouble = onTrouble;
  }

  /** Of a document whose log has this digest L; `unavailable` for any other. */
  async answer(id: DocumentId, log: Uint8Array, isThorough: boolean): Promise<DigestAnswer> {
    const shown = await this.#shown(id, log, isThorough);
    if (shown) return shown;
    const known = this.#known(id, log, isThorough);
    if (known) return known;
    if (this.#waiting >= this.#limits.foldsWaitingMax) {
      this.#counters.digestsPutOff++;
      return unavailable;
    }
    this.#waiting++;
    // Whoever waited behind another who asked the same need not have it folded once more.
    const folding = this.#last.then(() =>
      this.#known(id, log, isThorough) ? 0 : this.#fold(id, log),
    );
    this.#last = folding.then(
      (tookMs) => this.#rest(tookMs),
      () => undefined, // Whoever asked has the error.
    );
    await folding.finally(() => this.#waiting--);
    return this.#known(id, log, false) ?? unavailable;
  }

  /** What was folded of that log; lately, where it is to be thorough. */
  #known(id: DocumentId, log: Uint8Array, isThorough: boolean): DigestAnswer | undefined {
    const { answer, atMs } = this.#remembered.get(id) ?? {};
    if (answer === undefined || !equalBytes(answer.log, log)) return undefined;
    const isFresh = this.#nowMs - atMs! < this.#limits.freshMs;
    return isThorough && !isFresh ? undefined : answer;
  }

  get #nowMs(): number {
    return this.#tools.environment.clock.monotonicMs();
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
    // A store that fails meanwhile settles nothing any more.
    await withinMs(environment.scheduler, loaded.whenDurable(), durableMsMax);
    const state = loaded.shown(isThorough);
    if (!state || !equalBytes(logDigest(environment.hash, state.vector), log)) return undefined;
    const { vector } = state;
    // Several may have it open: what differs is told, as it has to be found.
    const all: readonly ContentDigests[] = state.digests;
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
    const { replica } = this.#tools;
    const startedMs = this.#nowMs;
    if (this.#isStopped) return 0;
    const folded = await replica.access
      .reading(id, () => foldDocument(this.#tools, id))
      .catch((error: unknown) => {
        if (!isHeddleError(error)) throw error;
        return isDamage(error) ? ("lacking" as const) : undefined;
      });
    this.#remembered.delete(id);
    if (folded === "lacking") this.#onTrouble(id);
    else if (folded && equalBytes(folded.log, log)) {
      const answer = { outcome: "digests", log: folded.log, ...folded.digests } as const;
      this.#remembered.set(id, { answer, atMs: this.#nowMs });
      const [oldest] = this.#remembered.keys();
      if (this.#remembered.size > this.#limits.rememberedMax) this.#remembered.delete(oldest!);
    }
    return this.#nowMs - startedMs;
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
