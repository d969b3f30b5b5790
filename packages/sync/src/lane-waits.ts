import type { LaneId } from "@heddle/core";

import type { DocumentExchange } from "./document-exchange.ts";
import type { DocumentLink } from "./document-link.ts";
import { fullJitter } from "./retry-policy.ts";
import type { SyncContext } from "./sync-context.ts";

interface Wait {
  dueMs: number;
  attempts: number;
  /** What was here when it was asked for last. */
  fromSeq: number;
  readonly asked: Set<DocumentLink>;
}

/**
 * Lanes of which peers announced more than is here. Whoever is expected to send it has a moment; then those
 * who announced it are asked in turns, so that one who only says that it has something costs a moment more.
 */
export class LaneWaits {
  readonly #context: SyncContext;
  readonly #exchange: DocumentExchange;
  readonly #onPulled: (link: DocumentLink, lane: LaneId) => void;
  readonly #waits = new Map<LaneId, Wait>();

  /** `onPulled` hears who pushes a lane from now on. */
  constructor(
    context: SyncContext,
    exchange: DocumentExchange,
    onPulled: (link: DocumentLink, lane: LaneId) => void,
  ) {
    this.#context = context;
    this.#exchange = exchange;
    this.#onPulled = onPulled;
  }

  get isEmpty(): boolean {
    return this.#waits.size === 0;
  }

  /** `by` has more of the lane, and somebody is expected to send it. */
  expect(lane: LaneId, by: DocumentLink): void {
    const wait = this.#waitFor(lane);
    if (!wait.asked.has(by)) wait.dueMs = Math.min(wait.dueMs, this.#inAMoment(1));
  }

  /** Something that came waits for these lanes. */
  hurry(lanes: Iterable<LaneId>): void {
    const { nowMs, limits } = this.#context;
    for (const lane of lanes) {
      const wait = this.#waits.get(lane);
      if (wait?.attempts === 0) wait.dueMs = Math.min(wait.dueMs, nowMs + limits.pullCauseMs);
    }
  }

  /** Asks a peer for what it has of a lane, and for all that comes of it later. */
  pull(link: DocumentLink, lane: LaneId): void {
    const wait = this.#waitFor(lane);
    const fromSeq = this.#exchange.ledger.acceptedSeq(lane) + 1;
    const toSeq = link.positions.theirSeq(lane);
    wait.attempts++;
    wait.fromSeq = fromSeq;
    wait.asked.add(link);
    wait.dueMs = this.#inAMoment(wait.attempts);
    this.#ask(link, lane, fromSeq, toSeq);
  }

  /** Asks a peer for what comes next of a lane. */
  goOn(link: DocumentLink, lane: LaneId): void {
    const nextSeq = this.#exchange.ledger.acceptedSeq(lane) + 1;
    this.#ask(link, lane, nextSeq, nextSeq);
  }

  tick(open: readonly DocumentLink[]): void {
    for (const [lane, wait] of this.#waits) {
      const accepted = this.#exchange.ledger.acceptedSeq(lane);
      const able = open.filter(({ positions }) => {
        return positions.theirSeq(lane) > accepted && !positions.isOut(lane);
      });
      if (able.length === 0) {
        this.#waits.delete(lane);
        continue;
      }
      if (accepted >= wait.fromSeq) this.#progressed(wait, accepted);
      if (this.#context.nowMs < wait.dueMs) continue;
      if (able.every((link) => wait.asked.has(link))) wait.asked.clear();
      this.pull(
        able.find((link) => !wait.asked.has(link))!,
        lane,
      );
    }
  }

  #ask(link: DocumentLink, lane: LaneId, fromSeq: number, toSeq: number): void {
    this.#context.counters.lanesPulled++;
    this.#onPulled(link, lane);
    const documentRef = link.ourRef;
    link.session.send({ name: "pull", documentRef, lane, fromSeq, toSeq });
  }

  #progressed(wait: Wait, accepted: number): void {
    wait.fromSeq = accepted + 1;
    wait.attempts = 0;
    wait.asked.clear();
    wait.dueMs = this.#inAMoment(1);
  }

  #waitFor(lane: LaneId): Wait {
    const fromSeq = this.#exchange.ledger.acceptedSeq(lane) + 1;
    const made = {
      dueMs: this.#inAMoment(1),
      attempts: 0,
      fromSeq,
      asked: new Set<DocumentLink>(),
    };
    const wait = this.#waits.get(lane) ?? made;
    this.#waits.set(lane, wait);
    return wait;
  }

  #inAMoment(attempts: number): number {
    const { limits, nowMs, options } = this.#context;
    const bounds = { delayMsMin: limits.pullAfterMs, delayMsMax: limits.retryMsMax };
    return nowMs + fullJitter(attempts, bounds, options.random);
  }
}
