import type { Envelope, LaneId } from "@heddle/core";

import type { SyncContext } from "./sync-context.ts";

/** A run that a peer pushed behind its announcement of something, or what it sent behind such a run. */
export interface HeldRun {
  readonly take: () => void;
  /** Gives its credit back without taking it. */
  readonly release: () => void;
}

interface Waiting extends HeldRun {
  /** `undefined` of what is no run. */
  readonly lane: LaneId | undefined;
  /** What it waits for; not what those before it wait for as well, unless it may overtake them. */
  readonly causes: ReadonlyMap<LaneId, number>;
  /** Others wait for its lane, or it comes in its order: it waits for what it waits for, and its lane. */
  readonly mayOvertake: boolean;
  readonly untilMs: number;
}

/**
 * What the peer of a link announces and somebody else sends comes by another way than what it pushes next,
 * which may build on it: that waits, in its order and on its credit, until what was announced before it is
 * here. Not for long: what the announcement was worth nobody knows.
 */
export class HeldRuns {
  readonly #context: SyncContext;
  readonly #acceptedSeq: (lane: LaneId) => number;
  /** Announced since the last run that waits. */
  #causes = new Map<LaneId, number>();
  readonly #waiting: Waiting[] = [];
  #causesCount = 0;
  #isInOrder = false;
  #isReviewing = false;

  constructor(context: SyncContext, acceptedSeq: (lane: LaneId) => number) {
    this.#context = context;
    this.#acceptedSeq = acceptedSeq;
  }

  get isHolding(): boolean {
    return this.#waiting.length > 0;
  }

  /** The peer has the lane up to there, and does not push it. */
  announced(lane: LaneId, seq: number): void {
    if (seq <= this.#acceptedSeq(lane)) return;
    // Of more lanes what comes does not wait.
    if (this.#causesCount + this.#causes.size >= this.#context.limits.lanesAwaitedMax) return;
    this.#causes.set(lane, seq);
    this.#isInOrder = false;
  }

  /** From here on the peer pushes everything in its order, what it announced before included. */
  inOrder(): void {
    this.#causes.clear();
    this.#isInOrder = true;
  }

  /** Takes a run of a lane now or later. Returns the lanes that it waits for; none when it does not. */
  offer(lane: LaneId, run: HeldRun): Iterable<LaneId> {
    this.#forgetHere();
    const mayOvertake = this.#isInOrder || this.#isAwaited(lane);
    const causes = mayOvertake ? this.#causesBut(lane) : this.#causes;
    const isBehind = this.#waiting.some((each) => each.lane === lane || !mayOvertake);
    const { nowMs, limits, counters } = this.#context;
    const isTooMuch = mayOvertake && this.#causesCount + causes.size > limits.lanesAwaitedMax;
    const isFull = isTooMuch || this.#waiting.length >= limits.runsHeldMax;
    if ((!isBehind && causes.size === 0) || isFull) {
      run.take();
      return [];
    }
    counters.runsHeld++;
    if (!mayOvertake) this.#causes = new Map();
    this.#causesCount += causes.size;
    const untilMs = nowMs + (mayOvertake ? limits.causeHeldMsMax : limits.runHeldMsMax);
    this.#waiting.push({ ...run, lane, causes, mayOvertake, untilMs });
    return this.#causesBut(undefined).keys();
  }

  /** What waits may be what the rest of a run builds on: `run` is as much of it as is waited for. */
  cut(
    lane: LaneId,
    whole: readonly Envelope[],
  ): { readonly run: readonly Envelope[]; readonly rest: readonly Envelope[] } {
    const awaited = Math.max(0, ...this.#waiting.map(({ causes }) => causes.get(lane) ?? 0));
    const end = whole.findIndex(({ seq, signature }) => seq === awaited && signature) + 1;
    return end === 0
      ? { run: whole, rest: [] }
      : { run: whole.slice(0, end), rest: whole.slice(end) };
  }

  /** Takes what is no run behind the runs that it came behind. */
  behind(come: HeldRun): void {
    const { runsHeldMax, runHeldMsMax } = this.#context.limits;
    if (!this.isHolding || this.#waiting.length >= runsHeldMax) return come.take();
    const untilMs = this.#context.nowMs + runHeldMsMax;
    this.#waiting.push({
      ...come,
      lane: undefined,
      causes: new Map(),
      mayOvertake: false,
      untilMs,
    });
  }

  /** Takes what does not have to wait any more. */
  review(): void {
    if (this.#isReviewing) return;
    this.#isReviewing = true;
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      if (!this.#isHere(next)) this.#context.counters.runsHeldInVain++;
      this.#waiting.splice(this.#waiting.indexOf(next), 1);
      this.#causesCount -= next.causes.size;
      next.take();
    }
    this.#isReviewing = false;
  }

  /** The document is not exchanged any more. */
  drop(): void {
    this.#causes.clear();
    this.#causesCount = 0;
    for (const { release } of this.#waiting.splice(0)) release();
  }

  /** The first that does not have to wait any more. */
  #next(): Waiting | undefined {
    return this.#waiting.find((each, index) => {
      if (!this.#isHere(each) && this.#context.nowMs < each.untilMs) return false;
      const before = this.#waiting.slice(0, index);
      return each.mayOvertake ? before.every(({ lane }) => lane !== each.lane) : index === 0;
    });
  }

  #isHere({ causes }: Waiting): boolean {
    for (const [lane, seq] of causes) if (this.#acceptedSeq(lane) < seq) return false;
    return true;
  }

  #isAwaited(lane: LaneId): boolean {
    return this.#causes.has(lane) || this.#waiting.some(({ causes }) => causes.has(lane));
  }

  /** All that was announced and is not here, but for one lane; nothing of what comes in its order. */
  #causesBut(but: LaneId | undefined): Map<LaneId, number> {
    const causes = new Map<LaneId, number>();
    if (this.#isInOrder && but !== undefined) return causes;
    for (const each of [...this.#waiting.map((waiting) => waiting.causes), this.#causes]) {
      for (const [lane, seq] of each) {
        if (lane !== but && this.#acceptedSeq(lane) < seq) causes.set(lane, seq);
      }
    }
    return causes;
  }

  #forgetHere(): void {
    for (const [lane, seq] of this.#causes) {
      if (this.#acceptedSeq(lane) >= seq) this.#causes.delete(lane);
    }
  }
}
