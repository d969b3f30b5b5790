import type { LaneId } from "@heddle/core";

import type { DocumentExchange } from "./document-exchange.ts";
import type { DocumentLink } from "./document-link.ts";
import { fullJitter } from "./retry-policy.ts";
import type { SyncContext } from "./sync-context.ts";

interface Gap {
  toSeq: number;
  attempts: number;
  dueMs: number;
  readonly sinceMs: number;
  isReported: boolean;
  /** Who pushed what lies behind it. */
  readonly shownBy: Set<DocumentLink>;
}

/** Seqs of a document that are known to exist and are missing: asked for, first from who showed them. */
export class LaneGaps {
  readonly #context: SyncContext;
  readonly #exchange: DocumentExchange;
  readonly #gaps = new Map<LaneId, Gap>();

  constructor(context: SyncContext, exchange: DocumentExchange) {
    this.#context = context;
    this.#exchange = exchange;
  }

  /** Something that this peer pushed is not here, because of what lies before it. */
  isBehindGap(link: DocumentLink): boolean {
    return [...this.#gaps.values()].some(({ shownBy }) => shownBy.has(link));
  }

  /** Everything up to `toSeq` is missing before what `link` just sent. */
  found(link: DocumentLink, lane: LaneId, toSeq: number): void {
    const { nowMs } = this.#context;
    const gap = this.#gaps.get(lane);
    if (gap) {
      gap.toSeq = Math.max(gap.toSeq, toSeq);
      gap.shownBy.add(link);
      return;
    }
    const shownBy = new Set([link]);
    const made = { toSeq, attempts: 0, dueMs: nowMs, sinceMs: nowMs, isReported: false, shownBy };
    this.#gaps.set(lane, made);
    this.#ask(link, lane, made);
  }

  /** Something of the lane is on disk. */
  filled(lane: LaneId): void {
    const gap = this.#gaps.get(lane);
    if (gap && this.#exchange.ledger.durableSeq(lane) >= gap.toSeq) this.#gaps.delete(lane);
  }

  tick(): void {
    for (const [lane, gap] of this.#gaps) {
      const { ledger } = this.#exchange;
      if (ledger.isFrozen(lane) || ledger.durableSeq(lane) >= gap.toSeq) this.#gaps.delete(lane);
      else if (this.#context.nowMs >= gap.dueMs) this.#askAnyone(lane, gap);
    }
  }

  #askAnyone(lane: LaneId, gap: Gap): void {
    this.#reportIfStalled(lane, gap);
    const { ledger } = this.#exchange;
    const links = this.#context.linksOf(ledger.entry.id);
    const able = links.filter((link) => link.positions.theirSeq(lane) > ledger.durableSeq(lane));
    const link = able[gap.attempts % Math.max(1, able.length)];
    if (link) this.#ask(link, lane, gap);
    // Nobody who is here has it. Whoever comes will say what it has, and that is asked for anew.
    else this.#gaps.delete(lane);
  }

  #ask(link: DocumentLink, lane: LaneId, gap: Gap): void {
    const { limits, nowMs, options } = this.#context;
    const fromSeq = this.#exchange.ledger.acceptedSeq(lane) + 1;
    gap.attempts++;
    const bounds = { delayMsMin: limits.retryMsMin, delayMsMax: limits.retryMsMax };
    gap.dueMs = nowMs + fullJitter(gap.attempts, bounds, options.random);
    if (fromSeq > gap.toSeq) return;
    const documentRef = link.ourRef;
    link.session.send({ name: "pull", documentRef, lane, fromSeq, toSeq: gap.toSeq });
  }

  #reportIfStalled(lane: LaneId, gap: Gap): void {
    if (gap.isReported || this.#context.nowMs - gap.sinceMs < this.#context.limits.stalledMs)
      return;
    gap.isReported = true;
    const { ledger } = this.#exchange;
    const fromSeq = ledger.durableSeq(lane) + 1;
    const event = { name: "lane.stalled", document: ledger.entry.id, lane, fromSeq } as const;
    this.#context.emit({ type: "event", event });
  }
}
