import { equalBytes } from "@heddle/core";

import type { DocumentLink } from "./document-link.ts";
import { DigestFlag } from "./frame-shapes.ts";
import type { FrameOf } from "./frame.ts";
import type { SyncContext } from "./sync-context.ts";
import type { DigestAnswer, HeldCheckpoint } from "./sync-effects.ts";

const none = new Uint8Array();

type Digests = Extract<DigestAnswer, { readonly outcome: "digests" }>;

/**
 * Compares documents, not logs: two replicas that hold the same envelopes have to show the same. Said once
 * for each state that is at rest, again on a schedule, as what is at rest can be damaged too, and when
 * somebody asks; by whoever has the document at hand. A difference is reported, and nothing is done about it
 * here.
 */
export class LinkDigests {
  readonly #context: SyncContext;
  readonly #link: DocumentLink;
  /** Digest L of what was said last, and when it may be, and has to be, said again. */
  #said: Uint8Array | undefined;
  #dueMs = 0;
  #auditMs = Infinity;
  #restsSinceMs: number | undefined;
  /** What differed when it was heard last. */
  #suspected: Digests | undefined;
  /** Digest L of what was reported last. */
  #reported: Uint8Array | undefined;
  /** The engines that could not be compared last. */
  #incomparable: string | undefined;
  /** Somebody here wants to know, whatever was said before: to be said, and to be told. */
  #asks = false;
  #awaits = false;

  /** The checkpoint that was there when something was said last, or at the start. */
  #kept: HeldCheckpoint | undefined;
  /** Digest L, and checkpoint, of which it was asked last whether one stands for the other. */
  #judged: readonly [Uint8Array, HeldCheckpoint | undefined] | undefined;
  #isJudgedKept = false;

  constructor(context: SyncContext, link: DocumentLink) {
    this.#context = context;
    this.#link = link;
    this.#kept = link.exchange.ledger.checkpoint;
  }

  /** Compares once more as soon as the document is at rest, and tells what comes of it. */
  ask(): void {
    this.#asks = true;
    this.#awaits = true;
  }

  /** `isSettled`: nothing is missing on either side. */
  tick(isSettled: boolean): void {
    const { nowMs, limits } = this.#context;
    const { exchange, document } = this.#link;
    const isAtRest = isSettled && exchange.isIdle && exchange.ledger.durable.size > 0;
    if (!isAtRest) this.#restsSinceMs = undefined;
    else this.#restsSinceMs ??= nowMs;
    const sinceMs = this.#restsSinceMs ?? Infinity;
    if (nowMs - sinceMs < limits.digestRestMs || !isAtRest) return;
    const { digest } = exchange.ledger;
    const isNew = !this.#said || !equalBytes(this.#said, digest);
    const isKept = this.#isKeptAnew;
    const isDue = nowMs >= this.#auditMs || ((isNew || isKept) && nowMs >= this.#dueMs);
    if (!isDue && !this.#asks) return;
    // What is only said again is looked at thoroughly: nothing else would find what lies still.
    const isThorough = this.#asks || !isNew || isKept;
    this.#kept = exchange.ledger.checkpoint;
    const flags = this.#asks ? DigestFlag.ask : 0;
    this.#asks = false;
    this.#dueMs = nowMs + limits.digestEveryMs;
    this.#auditMs = nowMs + limits.digestAuditMs;
    this.#said = digest;
    this.#context.request("digest", { document, log: digest, isThorough }, (ours) => {
      if (ours.outcome === "digests") this.#say(ours, flags);
    });
  }

  /**
   * A checkpoint that was built here since stands for all of it: what will be built on is compared thoroughly. Of a
   * peer's the digests were proven when it was taken.
   */
  get #isKeptAnew(): boolean {
    const { ledger } = this.#link.exchange;
    const { digest, checkpoint } = ledger;
    const { devicePublicKey } = this.#context.options;
    const isOurs = equalBytes(checkpoint?.header.devicePublicKey ?? none, devicePublicKey);
    if (checkpoint === this.#kept || !isOurs) return false;
    if (this.#judged?.[0] !== digest || this.#judged[1] !== checkpoint) {
      this.#judged = [digest, checkpoint];
      this.#isJudgedKept = ledger.isCheckpointed;
    }
    return this.#isJudgedKept;
  }

  #say({ log, state, content, engine }: Digests, flags: number): void {
    const { session, ourRef: documentRef } = this.#link;
    if (!session.isLive) return;
    session.send({ name: "digest", documentRef, log, state, content, flags, engine });
  }

  receive(theirs: FrameOf<"digest">): void {
    const { exchange, document } = this.#link;
    // Of other logs, or before all of ours is stored, there is nothing to compare.
    if (!theirs.state || !equalBytes(theirs.log, exchange.ledger.digest)) return;
    const { log, state, content, engine } = theirs;
    const said: Digests = {
      outcome: "digests",
      log: log.slice(),
      state: state.slice(),
      content: content?.slice(),
      engine,
    };
    const isThorough = content !== undefined;
    this.#context.request("digest", { document, log: said.log, isThorough }, (ours) => {
      if (ours.outcome !== "digests" || !equalBytes(ours.log, said.log)) return;
      if (ours.engine !== engine) return this.#cannotCompare(ours, said, theirs.flags);
      this.#context.counters.digestsCompared++;
      if ((theirs.flags & DigestFlag.ask) !== 0) this.#say(ours, 0);
      if (isEqual(ours, said)) this.#agrees();
      else this.#differs(ours, said);
    });
  }

  /**
   * Once for each pair of engines, and each time that somebody over there asks: what only one side leaves out may have
   * to be left out by both. So both sides hear of it; the answer asks nothing back.
   */
  #cannotCompare(ours: Digests, theirs: Digests, flags: number): void {
    const engines = JSON.stringify([ours.engine, theirs.engine, isEqual(ours, theirs)]);
    const isAsked = (flags & DigestFlag.ask) !== 0;
    if (!isAsked && !this.#awaits && engines === this.#incomparable) return;
    const isAnswer = this.#awaits && !isAsked;
    this.#awaits = false;
    this.#incomparable = engines;
    if (!isAnswer) this.#say(ours, 0);
    const { session, document } = this.#link;
    const { store } = session.peer;
    const event = { name: "document.incomparable", document, store, ours, theirs } as const;
    this.#context.emit({ type: "event", event });
  }

  #agrees(): void {
    this.#suspected = undefined;
    if (!this.#awaits && !this.#reported) return;
    this.#awaits = false;
    this.#reported = undefined;
    const { session, document } = this.#link;
    const { store } = session.peer;
    this.#context.emit({ type: "event", event: { name: "document.agreed", document, store } });
  }

  /** One frame may be damaged; what is heard twice is so. */
  #differs(ours: Digests, theirs: Digests): void {
    const isKnown = this.#suspected !== undefined && isEqual(this.#suspected, theirs);
    this.#suspected = theirs;
    const isReported = equalBytes(this.#reported ?? none, ours.log) && !this.#awaits;
    if (isKnown && isReported) return;
    if (!isKnown) return this.#say(ours, DigestFlag.ask);
    this.#reported = ours.log;
    this.#awaits = false;
    this.#context.counters.drifts++;
    const { session, document } = this.#link;
    const { store } = session.peer;
    const event = { name: "document.drifted", document, store, ours, theirs } as const;
    this.#context.emit({ type: "event", event });
  }
}

function isEqual(ours: Digests, theirs: Digests): boolean {
  if (!equalBytes(ours.state, theirs.state)) return false;
  return !ours.content || !theirs.content || equalBytes(ours.content, theirs.content);
}
