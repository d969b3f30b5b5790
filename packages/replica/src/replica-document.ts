import {
  assert,
  HeddleError,
  HeddleErrorCode,
  limits,
  type DocumentEntry,
  type Envelope,
  type LaneId,
  type LaneWriter,
  type VersionVector,
  Turns,
} from "@heddle/core";
import { admitUpdate, mergeParsed, type ParsedUpdate } from "@heddle/document";
import type { AcceptedRun } from "@heddle/sync";

import { AuditTail } from "./audit-tail.ts";
import type {
  DocumentCommit,
  DocumentHost,
  DocumentListener,
  ParkingTotals,
  ShownState,
} from "./document-host.ts";
import { DocumentOutbox, type DocumentRound } from "./document-outbox.ts";
import type { LoadedLog } from "./load-document.ts";
import { loggedOf, type LoggedDocument } from "./logged-document.ts";
import { ParkingAlarm } from "./parking-alarm.ts";
import {
  PendingUpdates,
  type CreationStage,
  type UpdateBurst,
  type UpdateSource,
} from "./pending-updates.ts";
import { RemoteIntake, type TakenRuns } from "./remote-intake.ts";
import { SealedLanes } from "./sealed-lanes.ts";
import { UpdateIntake, type IntakeSink, type SubmitOutcome } from "./update-intake.ts";

interface InFlight {
  readonly updates: PendingUpdates;
  /** Of what is shown once it is on disk; what is held is logged and no more. */
  readonly shown: readonly Envelope[];
}

/**
 * One document of a replica, held without a Y.Doc: updates come in, are admitted against what is
 * known, sealed into the lane of this process, and shown once they are on disk (RLY-1).
 *
 *   submit ──► pending ──seal──► in flight ──on disk──► fold, listeners
 *        ├───► parked (until what it depends on is admitted)
 *        └───► judging (until tried on a scratch document) ──► pending, or quarantine
 */
export class ReplicaDocument {
  readonly entry: DocumentEntry;
  /** What was logged since the last audit. */
  readonly tail: AuditTail;
  /** What checkpoints need to know of it, also when it has left memory. */
  readonly logged: LoggedDocument;
  readonly #log: LoadedLog;
  readonly #lanes: SealedLanes;
  readonly #host: DocumentHost;
  readonly #intake: UpdateIntake;
  readonly #remote: RemoteIntake;
  readonly #alarm: ParkingAlarm;
  readonly #listeners = new Set<DocumentListener>();
  readonly #outbox = new DocumentOutbox();
  #pending = new PendingUpdates();
  /** What another replica brings: one thing at a time. */
  readonly #turns = new Turns();
  #inFlight: InFlight | undefined;
  #isStored: boolean;
  #reset: HeddleError | undefined;
  /** Who waits for what they wrote, and would for ever. */
  readonly #waiting = new Set<(error: HeddleError) => void>();
  /** Whose update made the store hear of the document, until it has. */
  #creator: UpdateSource | undefined;

  constructor(log: LoadedLog, host: DocumentHost) {
    this.entry = log.entry;
    this.#log = log;
    this.#isStored = log.isStored;
    this.#lanes = new SealedLanes(log.entry.id, log.positions, log.hasNewPositions);
    this.#host = host;
    this.tail = new AuditTail(log.size, log.checkpointBytes > 0);
    this.logged = loggedOf(log, host.environment.clock.monotonicMs());
    this.#alarm = new ParkingAlarm(host, log.entry.id, log.parking);
    this.#alarm.arm();
    const sink = {
      outbox: this.#outbox,
      pending: () => this.#pending,
      accepted: (since?: Uint8Array) => this.#accepted(since),
      pendingBytes: () => this.#underWay.reduce((sum, { bytes }) => sum + bytes, 0),
      isUntouched: () => !this.#isStored && !this.#inFlight && this.#isNothingWaiting,
      onCreating: (source: UpdateSource) => {
        this.#creator = source;
        source.onCreation?.("begun");
      },
      requestRound: () => host.requestRound(this),
      requestAudit: () => host.requestAudit(this),
      onParked: () => this.#alarm.arm(),
    } satisfies IntakeSink;
    this.#intake = new UpdateIntake(log, host, sink);
    this.#remote = new RemoteIntake(log, host, {
      ...sink,
      onLearned: (update) => this.#intake.learned(update),
    });
  }

  get isQuiet(): boolean {
    const isIdle = this.#intake.isIdle && this.#remote.isIdle;
    return isIdle && this.#isNothingWaiting && !this.#inFlight;
  }

  get parking(): ParkingTotals {
    return this.#log.parking;
  }

  /** Updates that were refused for what they do, and envelopes of the log that are held aside. */
  get refused(): { readonly quarantined: number; readonly held: number } {
    return { quarantined: this.#log.quarantine.count, held: this.#log.heldEnvelopes };
  }

  /** It left memory, and is opened anew by whoever needs it. */
  get isGivenUp(): boolean {
    return this.#reset !== undefined;
  }

  /** Lane → first seq that does not count in the space, or builds on what does not. */
  get uncountedFrom(): ReadonlyMap<LaneId, number> {
    return this.#log.uncountedFrom;
  }

  /** Whether exactly these envelopes, by id, were kept out when it was loaded. */
  isLoadedUnder(recalled: ReadonlySet<string>): boolean {
    const { recalled: before } = this.#log;
    return recalled.size === before.size && [...recalled].every((id) => before.has(id));
  }

  /** Who sees at once what reaches the disk. */
  get listenerCount(): number {
    return this.#listeners.size;
  }

  /** False while the store has never heard of the document. */
  get isStored(): boolean {
    return this.#isStored;
  }

  /** The vector to keep, when there is one that the store does not have yet. */
  takeNewVector(): VersionVector | undefined {
    return this.#isStored ? this.#lanes.takeNew() : undefined;
  }

  /** Yjs state vector of everything accepted: what a peer need not send again. */
  encodeStateVector(): Uint8Array {
    const { held, knowledge } = this.#log;
    return held.isEmpty ? knowledge.encodeStateVector() : held.encodeStateVector(knowledge);
  }

  /** Yjs state vector of what is on disk, and so of what everybody has been shown. */
  encodeShownVector(): Uint8Array {
    return this.#log.fold.encodeStateVector();
  }

  /**
   * Yjs V1 update that brings a peer at `stateVector` to what is on disk here.
   *
   * @throws HeddleError `HEDDLE_FRAME_MALFORMED` when the vector cannot be read.
   */
  encodeSince(stateVector?: Uint8Array): Uint8Array {
    return this.#log.fold.encodeSince(stateVector);
  }

  /**
   * Takes in a Yjs V1 update from `source`. Returns what became of it; nothing is thrown away.
   *
   * @param onJudged told the end of "judging": nothing when the update was taken in, or what its sender
   * is refused with. Until then nothing else of this source may be submitted, or the order is lost.
   * @throws HeddleError `HEDDLE_UPDATE_MALFORMED`, `HEDDLE_UPDATE_TOO_LARGE`,
   * `HEDDLE_UPDATE_REFUSED` (DOC-8) or a quota of the source, and nothing has changed then;
   * `HEDDLE_RELAY_OVERLOADED` when there is no room for what must wait, and the rest was taken in.
   */
  submit(
    bytes: Uint8Array,
    source: UpdateSource,
    onJudged?: (refusal?: HeddleError) => void,
  ): SubmitOutcome {
    if (this.#reset) throw this.#reset;
    return this.#intake.submit(bytes, source, onJudged);
  }

  /**
   * Takes in runs of other replicas, which their signatures and chains have proven. Resolves when what
   * was taken is on disk.
   *
   * @throws HeddleError what the document was reset with, if it was.
   */
  takeRuns(runs: readonly AcceptedRun[]): Promise<TakenRuns> {
    return this.takeTurn(() => {
      if (this.#reset) return Promise.reject(this.#reset);
      return this.#remote.take(runs);
    });
  }

  /**
   * Writes what is no update: a record of the space. On disk when it resolves.
   *
   * @throws HeddleError what the document was reset with, if it was.
   */
  writeControl(payload: Uint8Array): Promise<void> {
    if (this.#reset) return Promise.reject(this.#reset);
    return new Promise((resolve, reject) => {
      this.#pending.addControl(payload, {});
      this.#pending.afterCommit(() => {
        this.#waiting.delete(reject);
        resolve();
      });
      this.#waiting.add(reject);
      this.#host.requestRound(this);
    });
  }

  /** Does something in which lanes of others may move, when nothing else moves them. */
  takeTurn<Value>(work: () => Promise<Value>): Promise<Value> {
    return this.#turns.run(work);
  }

  /**
   * What a checkpoint of another replica holds is on disk: lanes that were behind `vector` stand there
   * now, and what of `state` is new is shown. In a turn of its own.
   *
   * @returns false when it is too much to be shown as one update: the document has to be opened anew.
   */
  adopted(vector: VersionVector, state: ParsedUpdate): boolean {
    this.#isStored = true;
    this.#lanes.raise(vector);
    if (this.#reset) return true;
    const { admitted } = admitUpdate(this.#log.knowledge, state);
    if (admitted === undefined) return true;
    if (admitted.bytes.length > limits.updateBytesMax) return false;
    this.#log.knowledge.learn(admitted);
    // Nobody here brought it.
    const source: UpdateSource = {};
    this.#show([admitted], admitted.bytes, [source]);
    this.tail.adopted(admitted);
    if (this.tail.isDue) this.#host.requestAudit(this);
    this.#intake.learned(admitted);
    return true;
  }

  /**
   * What everybody shows who has it open, and the log that it is of at this moment; `undefined` while something is
   * on its way to the disk.
   */
  shown(withContent: boolean): ShownState | undefined {
    if (!this.isQuiet || this.#reset) return undefined;
    const listeners = [...this.#listeners];
    return {
      vector: this.#lanes.copy(),
      digests: listeners.flatMap((listener) => listener.shown?.(withContent) ?? []),
      pending: listeners.flatMap((listener) => listener.pending?.() ?? []),
    };
  }

  /** How far every lane is on disk. */
  whenDurable(): Promise<VersionVector> {
    const round = this.#inFlight?.updates;
    return new Promise((resolve) => {
      if (round) round.afterCommit(() => resolve(this.#lanes.copy()));
      else resolve(this.#lanes.copy());
    });
  }

  /** `source` is gone: of what it sent, nothing that still waits for its trial is tried. */
  withdraw(source: UpdateSource): void {
    this.#intake.withdraw(source);
  }

  /** Runs `task` once everything that `source` has submitted is on disk; at once if that is so. */
  afterCommitOf(source: UpdateSource, task: () => void): void {
    if (this.#pending.holds(source)) this.#pending.afterCommit(task);
    else if (this.#inFlight?.updates.holds(source)) this.#inFlight.updates.afterCommit(task);
    else task();
  }

  subscribe(listener: DocumentListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Seals what is pending. The committer calls it, one round at a time. */
  beginRound(writer: LaneWriter): DocumentRound {
    assert(this.#inFlight === undefined, "a document has one round in flight");
    const updates = this.#pending;
    this.#pending = new PendingUpdates();
    const { envelopes, lanes, shown } = this.#lanes.seal(writer, updates);
    this.#inFlight = { updates, shown };
    const { receivedMs } = updates;
    const { history } = this.logged;
    const entry = this.#isStored ? undefined : { ...this.entry, history };
    const outbox = this.#outbox.take();
    return { document: this.entry.id, receivedMs, entry, envelopes, lanes, outbox };
  }

  /** The round is on disk, in the commit group of that number: now it may be seen. */
  endRound(arrival: number): void {
    const round = this.#inFlight;
    assert(round !== undefined, "a round ends after it began");
    this.#inFlight = undefined;
    this.#isStored = true;
    this.#endCreation("durable");
    const { shown } = round;
    const updates = updatesOf(round.updates);
    if (updates.length > 0) {
      const isOne = shown.length === 1 && updates.length !== 1;
      const update = isOne ? shown[0]!.payload : mergeParsed(updates);
      this.#show(updates, update, round.updates.sources);
    }
    if (shown.length > 0) {
      this.tail.add(shown, updates);
      if (this.tail.isDue) this.#host.requestAudit(this);
      this.#noteGrowth(shown);
    }
    round.updates.runAfterCommit(arrival);
  }

  /** Resolves when everything submitted so far is on disk; at once if that is so. */
  whenSettled(): Promise<void> {
    const last = this.#isNothingWaiting ? undefined : this.#pending;
    const round = last ?? this.#inFlight?.updates;
    return new Promise((resolve) => (round ? round.afterCommit(() => resolve()) : resolve()));
  }

  /** This copy is given up: what was in flight may or may not exist, or what is logged has changed. */
  reset(error: HeddleError): void {
    if (this.#reset) return;
    this.#reset = error;
    for (const reject of this.#waiting) reject(error);
    this.#endCreation("failed");
    this.#remote.stop(error);
    this.dispose();
    for (const listener of this.#listeners) listener.onReset(error);
    this.#listeners.clear();
  }

  /** The lane that this process wrote is over; the next change begins another one. */
  endLane(): void {
    for (const listener of this.#listeners) listener.onLaneEnded?.();
  }

  /** Lets go of timers and trials. */
  dispose(): void {
    this.#intake.stop();
    this.#remote.stop(new HeddleError(HeddleErrorCode.storageClosed, "the document left memory"));
    this.#alarm.cancel();
  }

  get #isNothingWaiting(): boolean {
    return this.#pending.isEmpty && this.#outbox.isEmpty;
  }

  #endCreation(stage: CreationStage): void {
    this.#creator?.onCreation?.(stage);
    this.#creator = undefined;
  }

  #show(
    parts: readonly ParsedUpdate[],
    update: Uint8Array,
    sources: DocumentCommit["sources"],
  ): void {
    for (const part of parts) this.#log.fold.append(part);
    for (const listener of this.#listeners) listener.onCommit({ update, parts, sources });
  }

  #noteGrowth(envelopes: readonly Envelope[]): void {
    let bytes = 0;
    for (const envelope of envelopes) bytes += envelope.payload.length;
    this.logged.growth.add(envelopes.length, bytes, this.#host.environment.clock.monotonicMs());
    this.#host.considerCheckpoint(this.logged);
  }

  /** Everything accepted since a state vector, on disk or on its way there, as updates of their own. */
  #accepted(since?: Uint8Array): Uint8Array[] {
    // What one update is merged of is the update itself, and others use it.
    const onTheirWay = this.#underWay.map(({ updates }) => new Uint8Array(mergeParsed(updates)));
    return [this.#log.fold.encodeSince(since), ...onTheirWay];
  }

  get #underWay(): readonly UpdateBurst[] {
    return [this.#inFlight?.updates, this.#pending].flatMap((updates) => updates?.bursts ?? []);
  }
}

/** What of a round is shown, in the order of its bursts. */
function updatesOf({ bursts }: PendingUpdates): readonly ParsedUpdate[] {
  return bursts.length === 1 ? bursts[0]!.updates : bursts.flatMap(({ updates }) => updates);
}
