import {
  EnvelopeKind,
  equalBytes,
  HeddleErrorCode,
  isHeddleError,
  noEnvelopeId,
  PayloadCodec,
  toHex,
  type Envelope,
  type HeddleError,
  type LaneDescriptor,
  type LaneId,
  type LanePosition,
} from "@heddle/core";
import {
  admitUpdate,
  isRoutine,
  KnownAhead,
  parseStored,
  parseUpdate,
  validatorVersion,
  type ParsedUpdate,
} from "@heddle/document";
import type { AcceptedRun, RunVerdict } from "@heddle/sync";

import { traceFieldsOf, traceNoteOf } from "./edit-trace.ts";
import type { LoadedLog } from "./load-document.ts";
import type { SealedUpdate, UpdateSource } from "./pending-updates.ts";
import { RemoteTrials } from "./remote-trials.ts";
import type { IntakeHost, IntakeSink } from "./update-intake.ts";

export interface RemoteSink extends IntakeSink {
  /** What became known may free what is parked. */
  onLearned(update: ParsedUpdate): void;
}

export interface TakenRuns {
  /** One for each run, in order. After one that is not stored, nothing of its lane is. */
  readonly verdicts: readonly RunVerdict[];
  /** Number of the last commit group that was needed; 0 when there was nothing to write. */
  readonly arrival: number;
}

/** What an envelope would bring; `update` is missing where it holds none that this version applies. */
interface Opened {
  readonly envelope: Envelope;
  readonly update: ParsedUpdate | undefined;
}

type KeptPart = Pick<SealedUpdate, "update" | "isHeld">;

/**
 * Takes in what other replicas sealed: nothing of it is cut, merged or sealed again. A run is taken
 * when all that its updates refer to is here, or comes with it.
 *
 * - Of a device that may not write it: refused, by every replica of the space alike (MEM-7).
 * - Malformed: refused for good, by every replica alike.
 * - Refers to what is missing: `incomplete`; it comes again after that.
 * - Harms those who open the document: logged, and held aside by hash (DOC-9). A replica's own bounds
 *   never refuse what others wrote, or they would never agree again.
 */
export class RemoteIntake {
  readonly #log: LoadedLog;
  readonly #host: IntakeHost;
  readonly #sink: RemoteSink;
  readonly #trials: RemoteTrials;
  readonly #source: UpdateSource = {};
  /** Where lanes stand with what was taken and is not sealed into a round yet. */
  readonly #ahead = new Map<LaneId, LanePosition>();
  #arrival = 0;
  /** Resolves when what was taken last is on disk, and so everything before it. */
  #last: Promise<void> | undefined;
  #isTaking = false;
  #fail: ((error: HeddleError) => void) | undefined;

  constructor(log: LoadedLog, host: IntakeHost, sink: RemoteSink) {
    this.#log = log;
    this.#host = host;
    this.#sink = sink;
    this.#trials = new RemoteTrials(log, host, sink, this.#source);
  }

  get isIdle(): boolean {
    return !this.#isTaking;
  }

  async take(runs: readonly AcceptedRun[]): Promise<TakenRuns> {
    this.#isTaking = true;
    const failed = new Promise<never>((_resolve, reject) => {
      this.#fail = reject;
    });
    try {
      return await Promise.race([this.#takeAll(runs), failed]);
    } finally {
      this.#isTaking = false;
      this.#fail = undefined;
    }
  }

  /** The document is given up: whoever waits is told with `error`. */
  stop(error: HeddleError): void {
    this.#trials.stop();
    this.#fail?.(error);
  }

  async #takeAll(runs: readonly AcceptedRun[]): Promise<TakenRuns> {
    const verdicts: RunVerdict[] = [];
    const out = new Set<LaneId>();
    this.#arrival = 0;
    this.#last = undefined;
    this.#ahead.clear();
    for (const { lane, run } of runs) {
      const verdict = out.has(lane.id) ? "incomplete" : await this.#take(lane, run);
      if (verdict !== "stored") out.add(lane.id);
      verdicts.push(verdict);
    }
    await this.#last;
    return { verdicts, arrival: this.#arrival };
  }

  async #take(lane: LaneDescriptor, run: readonly Envelope[]): Promise<RunVerdict> {
    const fresh = this.#freshOf(run);
    if (fresh === undefined || !this.#isWritable()) return "incomplete";
    const judged = this.#host.members?.judge(this.#log.entry.id, lane, fresh);
    const refusal = judged instanceof Promise ? await judged : judged;
    if (refusal !== undefined) return refusal;
    const opened = openAll(fresh);
    if (opened === undefined) return "refused";
    if (!this.#isComplete(opened)) return "incomplete";
    for (const { envelope, update } of opened) {
      const failure = update && this.#failureOf(update);
      // Without a trial there is no waiting, and a run goes to the disk as one.
      const reason = failure instanceof Promise ? await failure : failure;
      this.#takeOne(lane, { envelope, update }, reason);
    }
    this.#sink.requestRound();
    return "stored";
  }

  /** What of a run is not in the log yet; `undefined` when it does not follow on what is. */
  #freshOf(run: readonly Envelope[]): readonly Envelope[] | undefined {
    const { lane } = run[0]!;
    const position = this.#ahead.get(lane) ?? this.#log.positions.get(lane);
    const { seq, head } = position ?? { seq: 0, head: noEnvelopeId };
    const last = run.at(-1)!;
    // A lane may have two writers: what ends here, and was not written here, is another history.
    if (last.seq === seq) return equalBytes(last.id, head) ? [] : undefined;
    const fresh = run.filter((envelope) => envelope.seq > seq);
    const [first] = fresh;
    const follows = !first || (first.seq === seq + 1 && equalBytes(first.prev, head));
    return follows ? fresh : undefined;
  }

  #isWritable(): boolean {
    try {
      this.#host.assertWritable();
      return true;
    } catch (error) {
      if (isHeddleError(error)) return false;
      throw error;
    }
  }

  #isComplete(opened: readonly Opened[]): boolean {
    const { knowledge, held, uncountedFrom } = this.#log;
    // What builds on what does not count is taken by nobody: who lacks that could never show it.
    const mayHold = uncountedFrom.size === 0;
    const ahead = new KnownAhead(knowledge);
    for (const { update } of opened) {
      if (update === undefined) continue;
      const { admitted, parked } = admitUpdate(ahead, update);
      const isHeldBack = parked && !held.isEmpty && held.holdsBack(ahead, parseStored(parked));
      if (parked && !(isHeldBack === true && mayHold)) return false;
      if (admitted) ahead.learn(admitted);
    }
    return true;
  }

  #takeOne(lane: LaneDescriptor, { envelope, update }: Opened, failure: string | undefined): void {
    this.#ahead.set(lane.id, { seq: envelope.seq, head: envelope.id });
    if (this.#sink.isUntouched()) this.#sink.onCreating(this.#source);
    const kept = this.#keep(envelope, update, failure);
    const pending = this.#sink.pending();
    pending.addSealed({ lane, envelope, ...kept }, this.#source);
    pending.receivedMs ??= this.#host.environment.clock.monotonicMs();
    this.#last = new Promise((resolve) => {
      pending.afterCommit((arrival) => {
        this.#arrival = arrival;
        resolve();
      });
    });
    if (kept.update) this.#sink.onLearned(kept.update);
  }

  /** What of it is shown: nothing of a record, whose replica learns it, or of what does harm. */
  #keep(
    envelope: Envelope,
    update: ParsedUpdate | undefined,
    failure: string | undefined,
  ): KeptPart {
    const { members } = this.#host;
    if (this.#log.entry.id === members?.control.id) {
      members.learn(envelope);
      return { isHeld: true };
    }
    return update && failure ? this.#hold(envelope, update, failure) : this.#admit(update);
  }

  /** Why what is new of an update is to be kept out of the document, if it is. */
  #failureOf(update: ParsedUpdate): Promise<string | undefined> | string | undefined {
    const { admitted } = admitUpdate(this.#log.knowledge, update);
    if (admitted === undefined) return undefined;
    const { documentBytesMax, counters } = this.#host;
    const bytes = this.#log.fold.byteLength + admitted.bytes.length;
    if (admitted.runs.length > 0 && bytes > documentBytesMax) {
      counters.documentsFull++;
      return `the document would have more than ${documentBytesMax} bytes`;
    }
    return isRoutine(admitted) ? undefined : this.#try(update);
  }

  async #try(update: ParsedUpdate): Promise<string | undefined> {
    // What was taken before it may go to the disk meanwhile.
    this.#sink.requestRound();
    const failure = await this.#trials.try(update);
    return failure && `${failure.outcome}: ${failure.reason}`;
  }

  #admit(update: ParsedUpdate | undefined): KeptPart {
    const { knowledge, held } = this.#log;
    const { admitted, parked } = update ? admitUpdate(knowledge, update) : {};
    if (admitted) knowledge.learn(admitted);
    if (parked) {
      held.hold(parseStored(parked));
      this.#log.heldEnvelopes++;
    }
    return { update: admitted, isHeld: parked !== undefined };
  }

  #hold(envelope: Envelope, update: ParsedUpdate, reason: string): KeptPart {
    const { clock, logger } = this.#host.environment;
    const { lane, seq } = envelope;
    const id = toHex(envelope.id);
    this.#log.held.hold(update);
    this.#log.heldEnvelopes++;
    const note = { reason, validatorVersion, atMs: clock.nowMs(), ...traceNoteOf(envelope) };
    this.#sink.outbox.recall({ id, lane, seq, ...note });
    this.#host.counters.recalled++;
    const fields = { document: this.#log.entry.id, envelope: id, reason };
    logger.warn("envelope.recalled", { ...fields, ...traceFieldsOf(envelope) });
    return { isHeld: true };
  }
}

/** `undefined` when one of them holds no valid update: no replica ever takes it. */
function openAll(run: readonly Envelope[]): readonly Opened[] | undefined {
  try {
    return run.map((envelope) => ({ envelope, update: updateOf(envelope) }));
  } catch (error) {
    const isInvalid =
      isHeddleError(error, HeddleErrorCode.updateMalformed) ||
      isHeddleError(error, HeddleErrorCode.updateTooLarge);
    if (isInvalid) return undefined;
    throw error;
  }
}

function updateOf({ kind, codec, payload }: Envelope): ParsedUpdate | undefined {
  if (kind !== EnvelopeKind.update || codec !== PayloadCodec.yjsV1) return undefined;
  // A copy: the payload is a view into a frame that would live as long as the fold.
  return parseUpdate(payload.slice());
}
