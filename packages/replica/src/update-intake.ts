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
  encodeStateVector,
  isRoutine,
  parseStored,
  parseUpdate,
  type Admission,
  type ParsedUpdate,
} from "@heddle/document";

import type { ApplyBudget, ApplyJudge, FailedTrial } from "./apply-judge.ts";
import { claimedClients } from "./claimed-clients.ts";
import { countNewClients } from "./count-new-clients.ts";
import { traceFieldsOf } from "./edit-trace.ts";
import type { DocumentOutbox } from "./document-outbox.ts";
import type { LoadedLog } from "./load-document.ts";
import type { ParkingBounds } from "./parking-bounds.ts";
import type { PendingUpdates, UpdateFacts, UpdateSource } from "./pending-updates.ts";
import type { ReplicaCounters } from "./replica-counters.ts";
import { ParkingReview } from "./parking-review.ts";
import type { SpaceMembers } from "./space/space-members.ts";
import type { TrialQueue } from "./trial-queue.ts";
import {
  UpdateTrials,
  type Candidate,
  type TriedDocument,
  type UpdateCase,
} from "./update-trials.ts";

export interface IntakeHost {
  readonly environment: Environment;
  readonly counters: ReplicaCounters;
  /** Without one, nothing is tried before it is logged. */
  readonly judge: ApplyJudge | undefined;
  readonly applyBudget: ApplyBudget;
  /** Of all documents: who is tried next, and how much may wait for it. */
  readonly trials: TrialQueue;
  /** Above it a document grows no more. */
  readonly documentBytesMax: number;
  /** @throws HeddleError while the store can be read and should not be written to. */
  readonly assertWritable: () => void;
  readonly parkingBounds: ParkingBounds;
  /** Who may write; `undefined` where everybody may who is let in. */
  readonly members: SpaceMembers | undefined;
}

/** Where the intake of a document leaves what it has decided. */
export interface IntakeSink {
  readonly outbox: DocumentOutbox;
  /** What the next round seals. */
  pending(): PendingUpdates;
  /** Everything accepted since a state vector, on disk or on its way there, as updates of their own. */
  accepted(since?: Uint8Array): Uint8Array[];
  /** Of what is accepted and not in the fold yet. */
  pendingBytes(): number;
  /** Nothing was ever written to the document, nor is on its way. */
  isUntouched(): boolean;
  /** The first of an untouched document is on its way to the disk. */
  onCreating(source: UpdateSource): void;
  requestRound(): void;
  requestAudit(): void;
  onParked(): void;
}

/** "held": it is, or builds on, what was recalled; kept on disk, and shown to nobody (DOC-9). */
export type SubmitOutcome = "admitted" | "duplicate" | "parked" | "held" | "judging";

interface Incoming extends Pick<UpdateCase, "update" | "source" | "receivedMs" | "parkedId"> {
  /** A part of it lies in the log already, held. */
  readonly hasHeldPart?: boolean;
}

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
  readonly #review: ParkingReview;
  readonly #heldOf = new WeakSet<UpdateSource>();
  /** Of the document; what is joined on the way to the fold is counted off when it matters. */
  #bytesAtMost: number;

  constructor(log: LoadedLog, host: IntakeHost, sink: IntakeSink) {
    this.#log = log;
    this.#host = host;
    this.#sink = sink;
    this.#bytesAtMost = log.fold.byteLength;
    const { judge, applyBudget: budget, trials: queue } = host;
    this.#trials = judge && new UpdateTrials(this.#triedDocument(), { judge, queue, budget });
    this.#review = new ParkingReview(log, host, sink, {
      isTrusted: (update) => this.#isTrusted(update),
      tryFirst: (tried) => this.#tryFirst(tried),
      onReleased: ({ bytes }) => {
        this.#bytesAtMost += bytes.length;
      },
    });
  }

  get isIdle(): boolean {
    return (this.#trials?.isIdle ?? true) && this.#review.isIdle;
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
    if (!admission.isDuplicate) this.#host.assertWritable();
    if (admission.admitted) this.#assertRoom(admission.admitted);
    if (!admission.isDuplicate) this.#askSource(source, update, admission);
    const isTrusted = source.isTrusted === true;
    if (!admission.admitted || isTrusted || this.#isTrusted(admission.admitted)) {
      const hasHeldPart = update !== parsed;
      return this.#take({ update, source, receivedMs, hasHeldPart }, admission);
    }
    if (!this.#tryFirst({ update, original: parsed.bytes, source, receivedMs, onEnd })) {
      const message = "too many updates wait for their trial";
      throw new HeddleError(HeddleErrorCode.relayOverloaded, message);
    }
    return "judging";
  }

  /** Something became known that did not come in here: it may free what is parked. */
  learned(update: ParsedUpdate): void {
    this.#bytesAtMost += update.bytes.length;
    this.#review.review(update);
  }

  /** The source is gone: what it sent and nobody has begun to try is let go. It was not confirmed. */
  withdraw(source: UpdateSource): void {
    this.#host.counters.trialsWithdrawn += this.#trials?.withdraw(source) ?? 0;
  }

  /** Nothing more is tried or released. */
  stop(): void {
    this.#review.stop();
    this.#trials?.stop();
  }

  /** False when there is no room for it. */
  #tryFirst(tried: UpdateCase): boolean {
    const hasRoom = this.#trials?.add(tried) ?? false;
    this.#host.counters[hasRoom ? "judged" : "trialsRefused"]++;
    return hasRoom;
  }

  #isTrusted(admitted: ParsedUpdate): boolean {
    return this.#trials === undefined || isRoutine(admitted);
  }

  /** @throws HeddleError when it is known from the first bytes that a quota has no room for the update. */
  #askBeforeReading(source: UpdateSource, bytes: Uint8Array): void {
    this.#host.members?.assertWelcome(this.#log.entry.id, source.isTrusted === true);
    source.assertAffordable?.({
      isFirst: bytes.length > emptyUpdateBytes && this.#sink.isUntouched(),
      clients: this.#log.knowledge.clientCount,
      clientsClaimed: claimedClients(bytes),
    });
  }

  /**
   * What nobody can load helps nobody. Deletes pass: they are how a document is made smaller.
   *
   * @throws HeddleError `HEDDLE_DOCUMENT_TOO_LARGE`.
   */
  #assertRoom({ bytes, runs }: ParsedUpdate): void {
    if (runs.length === 0) return;
    const { documentBytesMax, counters } = this.#host;
    if (this.#bytesAtMost + bytes.length > documentBytesMax) {
      this.#bytesAtMost = this.#log.fold.byteLength + this.#sink.pendingBytes();
    }
    if (this.#bytesAtMost + bytes.length <= documentBytesMax) return;
    counters.documentsFull++;
    const message = `the document would have more than ${documentBytesMax} bytes`;
    throw new HeddleError(HeddleErrorCode.documentTooLarge, message);
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

  /** @throws HeddleError when what must wait has no room; what is admissible was taken in all the same. */
  #take(incoming: Incoming, admission: Admission): SubmitOutcome {
    const { update, source, receivedMs, parkedId } = incoming;
    const { admitted, parked } = admission;
    assertSize(admitted?.bytes);
    assertSize(parked);
    const { outbox } = this.#sink;
    const facts = this.#factsOf(update, admission);
    if (admitted) {
      this.#log.knowledge.learn(admitted);
      this.#bytesAtMost += admitted.bytes.length;
      const pending = this.#sink.pending();
      pending.add(admitted, source);
      pending.receivedMs ??= receivedMs;
    }
    if (parkedId !== undefined) this.#review.takeTried(parkedId);
    const { isTaken, refusal } = this.#review.park(parked, source);
    if (admitted || isTaken) {
      source.onTaken?.(facts);
      if (facts.isFirst) this.#sink.onCreating(source);
    }
    this.#review.review(admitted);
    if (admitted || !outbox.isEmpty) this.#sink.requestRound();
    const isHeld = incoming.hasHeldPart === true || this.#isHeldBack(parked);
    if (isHeld) this.#noteHeld(source);
    const rest = isHeld ? "held" : parked ? "parked" : "duplicate";
    const outcome = admitted ? "admitted" : rest;
    if (admitted && parkedId !== undefined) this.#host.counters.released++;
    else if (admitted || !refusal) this.#host.counters[outcome]++;
    if (refusal) throw refusal;
    return outcome;
  }

  #isHeldBack(parked: Uint8Array | undefined): boolean {
    const { held, knowledge } = this.#log;
    if (parked === undefined || held.isEmpty) return false;
    return held.holdsBack(knowledge, parseStored(parked));
  }

  /** Its author sees it and nobody else does: the operator hears of it, once for each of them. */
  #noteHeld(source: UpdateSource): void {
    if (this.#heldOf.has(source)) return;
    this.#heldOf.add(source);
    const { id: document } = this.#log.entry;
    this.#host.environment.logger.warn("update.held", { ...source.logFields, document });
  }

  #triedDocument(): TriedDocument {
    return {
      id: this.#log.entry.id,
      byteLength: () => this.#log.fold.byteLength,
      candidateOf: ({ update }) => this.#candidateOf(update),
      take: (tried, expected) => this.#takeTried(tried, expected),
      refuse: (tried, failure) => this.#quarantine(tried, failure),
      onBaseFailed: () => this.#sink.requestAudit(),
      onBaseTooLarge: () => {
        this.#host.counters.trialsSuspended++;
        const { entry, fold } = this.#log;
        const fields = { document: entry.id, bytes: fold.byteLength };
        this.#host.environment.logger.warn("document.too_large_to_try", fields);
      },
    };
  }

  #candidateOf(update: ParsedUpdate): Candidate | undefined {
    const { knowledge } = this.#log;
    const { admitted } = admitUpdate(knowledge, update);
    if (admitted === undefined || isRoutine(admitted)) return undefined;
    this.#assertRoom(admitted);
    const clocks = new Map(knowledge.clocks);
    for (const { client, endClock } of admitted.runs) clocks.set(client, endClock);
    return {
      update: admitted,
      base: (since) => this.#sink.accepted(since),
      vector: encodeStateVector(clocks),
    };
  }

  #takeTried(tried: UpdateCase, expected: ParsedUpdate | undefined): boolean {
    const admission = admitUpdate(this.#log.knowledge, tried.update);
    const { admitted } = admission;
    const isSame = admitted && expected && equalBytes(admitted.bytes, expected.bytes);
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
    }
    if (record?.update === undefined) counters.quarantineOverflow++;
    if (parkedId !== undefined) this.#review.giveUp(parkedId);
    counters.quarantined++;
    const { id: document } = this.#log.entry;
    const fields = { ...source.logFields, document, reason: why, bytes: original.length };
    const said = { quarantine: record?.id, ...traceFieldsOf(source) };
    environment.logger.warn("update.quarantined", { ...fields, ...said });
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
