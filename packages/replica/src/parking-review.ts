import { HeddleError, HeddleErrorCode, limits } from "@heddle/core";
import { WorkBudget, type ParsedUpdate } from "@heddle/document";

import type { LoadedLog } from "./load-document.ts";
import type { ParkedEntry } from "./parked-entry.ts";
import type { FreedUpdate } from "./parking.ts";
import type { UpdateSource } from "./pending-updates.ts";
import { countParkingBound } from "./replica-counters.ts";
import type { IntakeHost, IntakeSink } from "./update-intake.ts";
import type { UpdateCase } from "./update-trials.ts";

/** What is looked at while somebody waits for the answer, and in a turn of the event loop of its own. */
const unitsAtOnce = 2_048;
const bytesAtOnce = 64 * 1024;
const unitsPerSlice = 16_384;

/** How long what could not be tried stays parked until it is looked at again. */
const retryMs = 1_000;

/** The way that what is freed has in common with what comes in. */
export interface ReleaseDesk {
  isTrusted(update: ParsedUpdate): boolean;
  /** False when there is no room for a trial. */
  tryFirst(tried: UpdateCase): boolean;
  onReleased(update: ParsedUpdate): void;
}

/** What became of something that has to wait. */
export interface Parked {
  /** False when there is nothing new in it, too. */
  readonly isTaken: boolean;
  /** What its sender is refused with, when there is no room. */
  readonly refusal?: HeddleError;
}

/**
 * Parks what waits and takes in what gets free (DOC-6). Little is done at once; the rest is done in
 * slices, between which the event loop turns and what was freed goes to disk.
 */
export class ParkingReview {
  readonly #log: LoadedLog;
  readonly #host: IntakeHost;
  readonly #sink: IntakeSink;
  readonly #desk: ReleaseDesk;
  #cancelSlice: (() => void) | undefined;
  #cancelRetry: (() => void) | undefined;
  /** Freed, and there was no room to try it. */
  readonly #untried = new Set<string>();
  #isWaitingForDisk = false;
  #isStopped = false;

  constructor(log: LoadedLog, host: IntakeHost, sink: IntakeSink, desk: ReleaseDesk) {
    this.#log = log;
    this.#host = host;
    this.#sink = sink;
    this.#desk = desk;
    // A crash may have come between what freed them and the log.
    if (log.parking.hasWork) this.#schedule();
  }

  get isIdle(): boolean {
    return !this.#isWaitingForDisk && this.#cancelSlice === undefined;
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelSlice?.();
    this.#cancelSlice = undefined;
    this.#cancelRetry?.();
  }

  /** Parks `update`, if there is anything to park and room for it. */
  park(update: Uint8Array | undefined, source: UpdateSource): Parked {
    if (update === undefined) return { isTaken: false };
    const { parking } = this.#log;
    const { counters, parkingBounds } = this.#host;
    const { outbox } = this.#sink;
    const change = parking.add(update, source, parkingBounds);
    if ("full" in change) {
      counters.parkingRefused++;
      countParkingBound(counters, change.full);
      return { isTaken: false, refusal: tooMuchParked() };
    }
    const isTaken = change.parked !== undefined || change.replaced.length > 0;
    for (const id of change.replaced) outbox.release(id);
    if (change.parked) outbox.park(change.parked);
    if (isTaken) this.#sink.pending().noteParked(source);
    for (const entry of change.evicted) this.#evict(entry);
    this.#sink.onParked();
    return { isTaken };
  }

  /** Looks at what `learned` frees; to be called after something was parked or learned. */
  review(learned?: ParsedUpdate): void {
    const { parking } = this.#log;
    if (parking.count === 0) return;
    for (const id of this.#untried) parking.putBack(id);
    this.#untried.clear();
    if (learned) parking.advance(learned);
    // What is under way already must not be run by each update that comes meanwhile.
    if (!this.isIdle || !parking.hasWork) return;
    if (parking.unreadBytes <= bytesAtOnce) this.#slice(unitsAtOnce);
    else this.#schedule();
  }

  /** What was freed and tried is known now. */
  takeTried(id: string): void {
    if (this.#log.parking.keep(id)) this.#sink.outbox.release(id);
  }

  /** What was freed is never going to be taken in. */
  giveUp(id: string): void {
    this.#log.parking.drop(id);
    this.#sink.outbox.release(id);
    this.#sink.requestRound();
  }

  #slice(units: number): void {
    const { knowledge, parking } = this.#log;
    const budget = new WorkBudget(units);
    let isAdmitted = false;
    for (;;) {
      const freed = parking.next(knowledge, budget);
      if (freed === undefined) break;
      if (this.#take(freed)) isAdmitted = true;
    }
    if (parking.hasWork && isAdmitted) this.#continueAfterCommit();
    else if (parking.hasWork) this.#schedule();
    // Last, because the round may begin at once and take what is pending with it.
    if (isAdmitted || !this.#sink.outbox.isEmpty) this.#sink.requestRound();
  }

  /** No faster than the disk: what is freed and not written is in memory twice. */
  #continueAfterCommit(): void {
    this.#isWaitingForDisk = true;
    this.#sink.pending().afterCommit(() => {
      this.#isWaitingForDisk = false;
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#isStopped || !this.isIdle) return;
    this.#cancelSlice = this.#host.environment.scheduler.after(0, () => {
      this.#cancelSlice = undefined;
      this.#slice(unitsPerSlice);
    });
  }

  /** What could not be tried is freed again with the next update, or after a while. */
  #retryLater(id: string): void {
    this.#untried.add(id);
    this.#cancelRetry ??= this.#host.environment.scheduler.after(retryMs, () => {
      this.#cancelRetry = undefined;
      this.review();
    });
  }

  /** True when it goes to the log. */
  #take({ entry, update }: FreedUpdate): boolean {
    const { knowledge, parking } = this.#log;
    const { counters } = this.#host;
    const { record, source } = entry;
    const { id } = record;
    if (update === undefined) {
      this.#sink.outbox.release(id);
      return false;
    }
    if (!this.#desk.isTrusted(update)) {
      this.#try(entry, update);
      return false;
    }
    // A range of deletes can grow where it meets many known ones.
    if (update.bytes.length > limits.updateBytesMax) {
      counters.parkingRefused++;
      this.giveUp(id);
      return false;
    }
    counters.released++;
    this.#desk.onReleased(update);
    knowledge.learn(update);
    parking.advance(update);
    this.#sink.pending().add(update, source);
    this.takeTried(id);
    return true;
  }

  #try({ record, source }: ParkedEntry, update: ParsedUpdate): void {
    const { id, update: original } = record;
    const onEnd = (refusal?: HeddleError): void => {
      if (refusal?.code === HeddleErrorCode.updateTooLarge) this.giveUp(id);
      else if (refusal) this.#retryLater(id);
    };
    this.#log.parking.markTried(id);
    const receivedMs = this.#host.environment.clock.monotonicMs();
    const tried = { update, original, source, receivedMs, parkedId: id, onEnd };
    if (!this.#desk.tryFirst(tried)) this.#retryLater(id);
  }

  #evict({ record, senders }: ParkedEntry): void {
    const { counters, environment } = this.#host;
    this.#sink.outbox.release(record.id);
    counters.parkingEvicted++;
    const { length } = record.update;
    const fields = { document: this.#log.entry.id, bytes: length, senders: senders.size };
    environment.logger.info("parking.evicted", fields);
    // Stock clients bring what the relay's vector lacks when they connect; those who are here must come back.
    for (const sender of senders) sender.deref()?.onEvicted?.(tooMuchParked());
  }
}

function tooMuchParked(): HeddleError {
  const message = "too many updates of this document wait for earlier ones";
  return new HeddleError(HeddleErrorCode.relayOverloaded, message);
}
