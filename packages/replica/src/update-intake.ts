import {
  equalBytes,
  HeddleError,
  HeddleErrorCode,
  isHeddleError,
  limits,
  type Environment,
} from "@heddle/core";
import {
  admitUpdate,
  isRoutine,
  parseUpdate,
  type Admission,
  type ParsedUpdate,
} from "@heddle/document";

import type { ApplyBudget, ApplyJudge, FailedTrial } from "./apply-judge.ts";
import { claimedClients } from "./claimed-clients.ts";
import { countNewClients } from "./count-new-clients.ts";
import type { DocumentOutbox } from "./document-outbox.ts";
import type { LoadedLog } from "./load-document.ts";
import type { PendingUpdates, UpdateFacts, UpdateSource } from "./pending-updates.ts";
import type { ReplicaCounters } from "./replica-counters.ts";
import { UpdateTrials, type TriedDocument, type UpdateCase } from "./update-trials.ts";

export interface IntakeHost {
  readonly environment: Environment;
  readonly counters: ReplicaCounters;
  /** Without one, nothing is tried before it is logged. */
  readonly judge: ApplyJudge | undefined;
  readonly applyBudget: ApplyBudget;
}

/** Where the intake of a document leaves what it has decided. */
export interface IntakeSink {
  readonly outbox: DocumentOutbox;
  /** What the next round seals. */
  pending(): PendingUpdates;
  /** Everything accepted, on disk or on its way there, as updates. */
  accepted(): readonly Uint8Array[];
  /** Nothing was ever written to the document, nor is on its way. */
  isUntouched(): boolean;
  /** The first of an untouched document is on its way to the disk. */
  onCreating(source: UpdateSource): void;
  requestRound(): void;
  requestAudit(): void;
  onParked(): void;
}

export type SubmitOutcome = "admitted" | "duplicate" | "parked" | "judging";

type Incoming = Pick<UpdateCase, "update" | "source" | "receivedMs" | "parkedId">;

/** Yjs writes it where there is nothing to say. */
const emptyUpdateBytes = 2;

/**
 * Decides what becomes of the updates of one document. What is routine is admitted at once; what could
 * be slow, or make Yjs fail, is tried first and admitted again when it passed, against what is known
 * then; what failed is kept in quarantine (DOC-7, DOC-8).
 */
export class UpdateIntake {
  readonly #log: LoadedLog;
  readonly #host: IntakeHost;
  readonly #sink: IntakeSink;
  readonly #trials: UpdateTrials | undefined;

  constructor(log: LoadedLog, host: IntakeHost, sink: IntakeSink) {
    this.#log = log;
    this.#host = host;
    this.#sink = sink;
    const { judge, applyBudget } = host;
    this.#trials = judge && new UpdateTrials(judge, this.#triedDocument(), applyBudget);
  }

  get isIdle(): boolean {
    return this.#trials?.isIdle ?? true;
  }

  submit(
    bytes: Uint8Array,
    source: UpdateSource,
    onEnd: (refusal?: HeddleError) => void = () => undefined,
  ): SubmitOutcome {
    const receivedMs = this.#host.environment.clock.monotonicMs();
    const { held, knowledge, quarantine } = this.#log;
    this.#askBeforeReading(source, bytes);
    // A copy of its own: a view would keep the whole receive buffer alive for as long as the fold.
    const parsed = parseUpdate(bytes.slice());
    quarantine.assertNotHeld(parsed.bytes);
    const update = held.isEmpty ? parsed : held.without(knowledge, parsed);
    const admission = admitUpdate(knowledge, update);
    if (!admission.isDuplicate) this.#askSource(source, update, admission);
    if (admission.admitted === undefined || this.#isTrusted(admission.admitted)) {
      return this.#take({ update, source, receivedMs }, admission);
    }
    this.#host.counters.judged++;
    this.#trials?.add({ update, original: parsed.bytes, source, receivedMs, onEnd });
    return "judging";
  }

  /** Nothing more is tried. */
  stop(): void {
    this.#trials?.stop();
  }

  #isTrusted(admitted: ParsedUpdate): boolean {
    return this.#trials === undefined || isRoutine(admitted);
  }

  /** @throws HeddleError when it is known from the first bytes that a quota has no room for the update. */
  #askBeforeReading(source: UpdateSource, bytes: Uint8Array): void {
    source.assertAffordable?.({
      isFirst: bytes.length > emptyUpdateBytes && this.#sink.isUntouched(),
      clients: this.#log.knowledge.clientCount,
      clientsClaimed: claimedClients(bytes),
    });
  }

  /** @throws HeddleError when a quota of the source is used up. */
  #askSource(source: UpdateSource, update: ParsedUpdate, admission: Admission): void {
    source.assertWelcome?.(this.#factsOf(update, admission));
  }

  #factsOf(update: ParsedUpdate, { admitted }: Admission): UpdateFacts {
    const { knowledge } = this.#log;
    return {
      isFirst: this.#sink.isUntouched(),
      clients: knowledge.clientCount,
      newClients: countNewClients(knowledge, update),
      newClientsAdmitted: countNewClients(knowledge, admitted),
    };
  }

  #take(incoming: Incoming, admission: Admission): SubmitOutcome {
    const { update, source, receivedMs, parkedId } = incoming;
    const { admitted, parked } = admission;
    assertSize(admitted?.bytes);
    assertSize(parked);
    const { knowledge, parking } = this.#log;
    const { outbox } = this.#sink;
    if (parkedId !== undefined) this.#release(parkedId);
    const record = parked && parking.add(parked, source);
    if (admitted || record) {
      const facts = this.#factsOf(update, admission);
      source.onTaken?.(facts);
      if (facts.isFirst) this.#sink.onCreating(source);
    }
    if (record) {
      outbox.park(record);
      this.#sink.onParked();
    }
    if (admitted) {
      knowledge.learn(admitted);
      const pending = this.#sink.pending();
      pending.add(admitted, source);
      pending.receivedMs ??= receivedMs;
      if (parking.count > 0) this.#reviewParked(admitted);
    }
    if (admitted || !outbox.isEmpty) this.#sink.requestRound();
    const outcome = admitted ? "admitted" : parked ? "parked" : "duplicate";
    this.#host.counters[outcome]++;
    return outcome;
  }

  #reviewParked(learned: ParsedUpdate): void {
    const { knowledge, parking } = this.#log;
    const { outbox } = this.#sink;
    const review = parking.review(knowledge, learned, (update) => this.#isTrusted(update));
    const pending = this.#sink.pending();
    for (const { update, source } of review.admitted) pending.add(update, source);
    for (const id of review.released) outbox.release(id);
    for (const record of review.parked) outbox.park(record);
    this.#host.counters.released += review.admitted.length;
    const receivedMs = this.#host.environment.clock.monotonicMs();
    for (const { id, update, source } of review.suspects) {
      const onEnd = (refusal?: HeddleError): void => {
        if (refusal) parking.reconsider(id);
      };
      const original = update.bytes;
      this.#host.counters.judged++;
      this.#trials?.add({ update, original, source, receivedMs, parkedId: id, onEnd });
    }
  }

  #release(parkedId: string): void {
    this.#log.parking.drop(parkedId);
    this.#sink.outbox.release(parkedId);
  }

  #triedDocument(): TriedDocument {
    return {
      candidateOf: ({ update }) => {
        const { admitted } = admitUpdate(this.#log.knowledge, update);
        return admitted && !isRoutine(admitted)
          ? { update: admitted.bytes, base: this.#sink.accepted() }
          : undefined;
      },
      take: (tried, expected) => this.#takeTried(tried, expected),
      refuse: (tried, failure) => this.#quarantine(tried, failure),
      onBaseFailed: () => this.#sink.requestAudit(),
    };
  }

  #takeTried(tried: UpdateCase, expected: Uint8Array | undefined): boolean {
    const admission = admitUpdate(this.#log.knowledge, tried.update);
    const { admitted } = admission;
    const isSame = admitted && expected && equalBytes(admitted.bytes, expected);
    if (admitted && !isSame && !isRoutine(admitted)) return false;
    try {
      // Others may have used up what there was room for when it was asked first.
      if (!admission.isDuplicate) this.#askSource(tried.source, tried.update, admission);
      this.#take(tried, admission);
    } catch (error) {
      if (!isHeddleError(error)) throw error;
      tried.onEnd(error);
      return true;
    }
    tried.onEnd();
    return true;
  }

  /** Keeps the update away for good; its sender is told when that is on disk. */
  #quarantine(tried: UpdateCase, { outcome, reason }: FailedTrial): void {
    const { original, source, parkedId, onEnd } = tried;
    const { counters, environment } = this.#host;
    const why = `${outcome}: ${reason}`;
    const record = this.#log.quarantine.add(original, source, why);
    if (record) {
      if (this.#sink.isUntouched()) this.#sink.onCreating(source);
      this.#sink.outbox.quarantine(record);
    } else counters.quarantineOverflow++;
    if (parkedId !== undefined) this.#release(parkedId);
    counters.quarantined++;
    const { id: document } = this.#log.entry;
    const fields = { ...source.logFields, document, reason: why, bytes: original.length };
    environment.logger.warn("update.quarantined", { ...fields, quarantine: record?.id });
    const tell = (): void => {
      onEnd(new HeddleError(HeddleErrorCode.updateRefused, `the update was refused: ${why}`));
    };
    if (this.#sink.outbox.isEmpty) {
      tell();
      return;
    }
    this.#sink.pending().afterCommit(tell);
    this.#sink.requestRound();
  }
}

/** What is admitted can be longer than what came: where a range of deletes meets many known ones. */
function assertSize(update: Uint8Array | undefined): void {
  if (update === undefined || update.length <= limits.updateBytesMax) return;
  const message = `update of ${update.length} bytes after admission`;
  throw new HeddleError(HeddleErrorCode.updateTooLarge, message);
}
