import type { HeddleError } from "@heddle/core";
import {
  admitUpdate,
  encodeStateVector,
  isRoutine,
  type DocumentKnowledge,
  type ParsedUpdate,
} from "@heddle/document";

import type { FailedTrial } from "./apply-judge.ts";
import type { LoadedLog } from "./load-document.ts";
import type { UpdateSource } from "./pending-updates.ts";
import type { IntakeHost, IntakeSink } from "./update-intake.ts";
import {
  UpdateTrials,
  type Candidate,
  type TriedDocument,
  type UpdateCase,
} from "./update-trials.ts";

/** How long a trial that could not be had is waited for until it is asked for again. */
const retryMs = 1_000;

/**
 * Trials of what other replicas sealed. It waits for its turn as long as that takes, because nobody but
 * its lane is behind it; what fails is the caller's to hold aside.
 */
export class RemoteTrials {
  readonly #log: LoadedLog;
  readonly #host: IntakeHost;
  readonly #sink: IntakeSink;
  readonly #source: UpdateSource;
  readonly #trials: UpdateTrials | undefined;
  #cancelRetry: (() => void) | undefined;
  #failure: FailedTrial | undefined;

  constructor(log: LoadedLog, host: IntakeHost, sink: IntakeSink, source: UpdateSource) {
    this.#log = log;
    this.#host = host;
    this.#sink = sink;
    this.#source = source;
    const { judge, applyBudget: budget, trials: queue } = host;
    this.#trials = judge && new UpdateTrials(this.#triedDocument(), { judge, queue, budget });
  }

  /** What `update` failed with, if it did. One at a time. */
  async try(update: ParsedUpdate): Promise<FailedTrial | undefined> {
    if (this.#trials === undefined) return undefined;
    this.#failure = undefined;
    const receivedMs = this.#host.environment.clock.monotonicMs();
    const tried = { update, original: update.bytes, source: this.#source, receivedMs };
    while (await this.#isPutOff(this.#trials, tried)) await this.#retryDue();
    return this.#failure;
  }

  stop(): void {
    this.#cancelRetry?.();
    this.#trials?.stop();
  }

  /** True when it could not be tried now. */
  #isPutOff(trials: UpdateTrials, tried: Omit<UpdateCase, "onEnd">): Promise<boolean> {
    return new Promise((resolve) => {
      const onEnd = (refusal?: HeddleError): void => resolve(refusal !== undefined);
      const hasRoom = trials.add({ ...tried, onEnd });
      this.#host.counters[hasRoom ? "judged" : "trialsRefused"]++;
      if (!hasRoom) resolve(true);
    });
  }

  #retryDue(): Promise<void> {
    return new Promise((resolve) => {
      this.#cancelRetry = this.#host.environment.scheduler.after(retryMs, resolve);
    });
  }

  #triedDocument(): TriedDocument {
    const { entry, fold, knowledge } = this.#log;
    return {
      id: entry.id,
      byteLength: () => fold.byteLength,
      candidateOf: ({ update }) => candidateOf(knowledge, update, this.#sink),
      take: (tried) => {
        // It waits alone for what it needs, so all that can have changed is that a part came otherwise.
        tried.onEnd();
        return true;
      },
      refuse: (tried, failure) => {
        this.#failure = failure;
        tried.onEnd();
      },
      onBaseFailed: () => this.#sink.requestAudit(),
      onBaseTooLarge: () => {
        this.#host.counters.trialsSuspended++;
        const fields = { document: entry.id, bytes: fold.byteLength };
        this.#host.environment.logger.warn("document.too_large_to_try", fields);
      },
    };
  }
}

function candidateOf(
  knowledge: DocumentKnowledge,
  update: ParsedUpdate,
  sink: IntakeSink,
): Candidate | undefined {
  const { admitted } = admitUpdate(knowledge, update);
  if (admitted === undefined || isRoutine(admitted)) return undefined;
  const clocks = new Map(knowledge.clocks);
  for (const { client, endClock } of admitted.runs) clocks.set(client, endClock);
  return {
    update: admitted,
    base: (since) => sink.accepted(since),
    vector: encodeStateVector(clocks),
  };
}
