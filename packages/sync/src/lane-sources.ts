import { equalBytes, type LaneDescriptor, type LaneId } from "@heddle/core";

import type { DocumentExchange } from "./document-exchange.ts";
import type { DocumentLink } from "./document-link.ts";
import { LaneWaits } from "./lane-waits.ts";
import type { SyncContext } from "./sync-context.ts";

/** What the peer of a link was asked for last. */
interface Source {
  isHeld: boolean;
  saidMs: number;
  /** It had its turn as the feeder and brought nothing. */
  isBarren: boolean;
  /** Lanes that it was asked for all the same. */
  readonly pulled: Set<LaneId>;
}

/**
 * From whom a document is taken, when several peers have it open: so that each change comes once.
 *
 * - Whoever writes pushes what it writes, to everybody, at once.
 * - What is missing when a session begins is pushed by one peer at a time, the *feeder*, in its order.
 * - All else is announced. What nobody is expected to push is asked for by PULL, and is pushed by that peer
 *   from then on; what does not come from whom it is expected of, after a while, from another.
 *
 *   opened ──alone──► pushes all ──another opens, nothing missing──► held ──alone again──► pushes all
 *      └── nobody feeds ─► feeder ──nothing missing──► held        └── has more, nobody feeds ─► feeder
 *
 * This is only about who sends: whatever comes is taken, from whomever it comes.
 */
export class LaneSources {
  readonly #context: SyncContext;
  readonly #exchange: DocumentExchange;
  readonly #sources = new Map<DocumentLink, Source>();
  readonly #waits: LaneWaits;
  #feeder: DocumentLink | undefined;
  /** Lanes that the feeder is to go on with when nothing is missing. */
  #wanted: readonly LaneId[] = [];
  #fedMs = 0;
  #turnMs = 0;

  constructor(context: SyncContext, exchange: DocumentExchange) {
    this.#context = context;
    this.#exchange = exchange;
    this.#waits = new LaneWaits(context, exchange, (link, lane) => {
      this.#sources.get(link)?.pulled.add(lane);
    });
  }

  /** Who pushes what, after somebody came or went, or nothing is missing any more. */
  review(): void {
    const open = this.#open;
    const known = new Set(open);
    let isLeft = false;
    for (const link of this.#sources.keys()) {
      if (!known.has(link)) isLeft = this.#sources.delete(link);
    }
    const able = open.filter((link) => link.sharing.isAble);
    for (const link of able) if (!this.#sources.has(link)) this.#sources.set(link, newSource());
    if (open.length < 2) {
      this.#feeder = undefined;
      for (const link of able) if (this.#sources.get(link)!.isHeld) this.#askToFeed(link);
      return;
    }
    const before = this.#feeder;
    if (before && (!able.includes(before) || isCaughtUp(before))) {
      this.#feeder = undefined;
      if (able.includes(before)) this.#goOn(before);
    }
    for (const link of able) {
      if (this.#sources.get(link)!.isHeld || link === this.#feeder) continue;
      if (this.#feeder || isCaughtUp(link)) this.#hold(link);
      else this.#began(link);
    }
    // Whoever is gone was expected to send something, maybe.
    if ((before && !this.#feeder) || isLeft) for (const link of able) this.#ask(link);
  }

  /** A peer says what it has. */
  claimed(link: DocumentLink): void {
    if (!link.sharing.isAble) return;
    this.review();
    this.#ask(link);
  }

  /** Something of a lane came; `isNews`: we did not have all of it. */
  arrived(link: DocumentLink, lane: LaneId, isNews: boolean): void {
    if (isNews) return this.fed(link);
    const source = this.#sources.get(link);
    if (!source?.isHeld) return;
    const { nowMs, limits } = this.#context;
    if (source.pulled.delete(lane)) return this.#say(link, [lane]);
    if (this.#isAuthor(link, lane) || nowMs - source.saidMs < limits.holdEveryMs) return;
    // It did not hear it, or was asked for the lane for another reason.
    this.#hold(link);
  }

  /** The peer does send. */
  fed(link: DocumentLink): void {
    const source = this.#sources.get(link);
    if (source) source.isBarren = false;
    if (link === this.#feeder) this.#fedMs = this.#context.nowMs;
  }

  /** What came of a peer waits for these, and they for somebody who sends them. */
  awaited(lanes: Iterable<LaneId>): void {
    if (!this.#feeder) this.#waits.hurry(lanes);
  }

  /** Something is on disk. */
  stored(): void {
    if (this.#feeder) this.review();
  }

  tick(): void {
    if (this.#feeder) {
      this.review();
      if (this.#feeder) return this.#relieve(this.#feeder);
    }
    const [only] = this.#sources;
    if (only && this.#sources.size === 1) this.#remind(...only);
    if (!this.#waits.isEmpty) this.#waits.tick(this.#open);
  }

  get #open(): readonly DocumentLink[] {
    const links = this.#context.linksOf(this.#exchange.ledger.entry.id);
    return links.filter((link) => link.isOpenedByPeer);
  }

  /** Asks for what a peer has and nobody is expected to send. */
  #ask(link: DocumentLink): void {
    const source = this.#sources.get(link);
    if (source?.isHeld !== true) return;
    // Whoever speaks first: the other one may be asleep.
    if (this.#feeder?.positions.isHeard === false && isAhead(link)) {
      this.#hold(this.#feeder);
      return this.#feed(link);
    }
    if (this.#feeder) return;
    const others = this.#open.filter((other) => other !== link);
    const due: LaneId[] = [];
    let ahead = 0;
    for (const [lane, seq] of link.positions.ahead()) {
      if (seq <= this.#exchange.ledger.acceptedSeq(lane)) continue;
      ahead++;
      if (this.#isPushing(link, lane) || others.some((other) => this.#isExpected(other, lane))) {
        this.#waits.expect(lane, link);
      } else due.push(lane);
    }
    const { pulledLanesMax } = this.#context.limits;
    const few = due.slice(0, pulledLanesMax);
    // Of several one builds on another: only all that a peer has comes in its order.
    if (due.length > 0 && ahead > 1 && !source.isBarren) {
      return this.#feed(link, few.length < due.length ? [] : few);
    }
    for (const lane of few) this.#waits.pull(link, lane);
  }

  #isPushing(link: DocumentLink, lane: LaneId): boolean {
    return this.#sources.get(link)?.pulled.has(lane) === true;
  }

  /** The peer will push what comes next of the lane, without being asked. */
  #isExpected(link: DocumentLink, lane: LaneId): boolean {
    const hasMore = link.positions.theirSeq(lane) > this.#exchange.ledger.acceptedSeq(lane);
    if (!link.sharing.isAble) return hasMore;
    // An author that says what it has, and does not push it, waits to be asked.
    return this.#isPushing(link, lane) || (this.#isAuthor(link, lane) && !hasMore);
  }

  #isAuthor({ session }: DocumentLink, lane: LaneId): boolean {
    const author = this.#context.lanes.get(lane) ?? this.#namedBy(lane);
    const { devicePublicKey } = session.peer;
    return author !== undefined && equalBytes(author.devicePublicKey, devicePublicKey);
  }

  /** By whoever announced it, where nothing of it came yet. */
  #namedBy(lane: LaneId): LaneDescriptor | undefined {
    for (const { session } of this.#sources.keys()) {
      const named = session.peerLane(lane);
      if (named) return named;
    }
    return undefined;
  }

  /** Another one's turn, when this one brings nothing, or not all in a reasonable time. */
  #relieve(feeder: DocumentLink): void {
    const { nowMs, limits } = this.#context;
    const isStalled = nowMs - this.#fedMs >= limits.feedStallMs;
    if (!isStalled && nowMs - this.#turnMs < limits.feedTurnMs) return;
    const open = this.#open;
    this.#turnMs = nowMs;
    this.#sources.get(feeder)!.isBarren = isStalled;
    const start = open.indexOf(feeder) + 1;
    const others = [...open.slice(start), ...open.slice(0, start - 1)];
    const next = others.find((link) => {
      return this.#sources.get(link)?.isBarren === false && isAhead(link);
    });
    if (next === undefined && !isStalled) return;
    this.#hold(feeder);
    this.#feeder = undefined;
    if (next) return this.#feed(next);
    for (const link of open) this.#ask(link);
  }

  /** The only one left may not have heard that it is. */
  #remind(link: DocumentLink, { isHeld, saidMs }: Source): void {
    if (isHeld || saidMs === -Infinity || !link.positions.isBehind) return;
    const { nowMs, limits } = this.#context;
    if (nowMs - saidMs >= limits.feedStallMs) this.#askToFeed(link);
  }

  /** `wanted`: lanes that nobody else pushes. */
  #feed(link: DocumentLink, wanted: readonly LaneId[] = []): void {
    this.#began(link);
    this.#wanted = wanted;
    const source = this.#sources.get(link)!;
    if (source.isHeld || source.saidMs !== -Infinity) this.#askToFeed(link);
  }

  #began(link: DocumentLink): void {
    this.#feeder = link;
    this.#wanted = [];
    this.#fedMs = this.#context.nowMs;
    this.#turnMs = this.#context.nowMs;
  }

  /** Nothing is missing any more of what a peer was asked for. */
  #goOn(link: DocumentLink): void {
    this.#hold(link);
    for (const lane of this.#wanted) this.#waits.goOn(link, lane);
    this.#wanted = [];
  }

  #askToFeed(link: DocumentLink): void {
    this.#asked(link, false);
    this.#context.counters.feedsAsked++;
    link.session.send({ name: "feed", documentRef: link.ourRef });
  }

  #hold(link: DocumentLink): void {
    this.#asked(link, true);
    this.#say(link, []);
  }

  #say(link: DocumentLink, lanes: readonly LaneId[]): void {
    this.#context.counters.holdsAsked++;
    link.session.send({ name: "hold", documentRef: link.ourRef, lanes });
  }

  #asked(link: DocumentLink, isHeld: boolean): void {
    const source = this.#sources.get(link)!;
    source.isHeld = isHeld;
    source.saidMs = this.#context.nowMs;
    source.pulled.clear();
  }
}

function newSource(): Source {
  return { isHeld: false, saidMs: -Infinity, isBarren: false, pulled: new Set() };
}

/** It has said what it has, and nothing of that is missing here. */
function isCaughtUp(link: DocumentLink): boolean {
  return link.positions.isHeard && !isAhead(link);
}

/** It says that it has more than is here. */
function isAhead({ positions }: DocumentLink): boolean {
  for (const _ of positions.ahead()) return true;
  return false;
}
