import type { DocumentId } from "@heddle/core";

import type { FrameOf } from "./frame.ts";
import { isWhole, libraryFrame } from "./library-check.ts";
import { LibraryComparison, type FoundDocuments, type LibraryWords } from "./library-comparison.ts";
import type { LibraryTrie } from "./library-trie.ts";
import type { OwnTops } from "./own-envelopes.ts";
import type { Library } from "./library.ts";
import type { PeerSession } from "./peer-session.ts";
import { fullJitter } from "./retry-policy.ts";
import type { SyncContext } from "./sync-context.ts";

/** After so many in vain, documents are found without. */
const attemptsMax = 3;

/** What the replica around it does with what comparisons find. */
export interface ComparisonsHost {
  /** Documents here are to be offered to the peer. */
  found(session: PeerSession, found: FoundDocuments, trie: LibraryTrie): void;
  /**
   * All that is here and the peer may lack has been found: of all other documents that were here when
   * `tops` were, it has everything.
   */
  compared(session: PeerSession, tops: OwnTops, isEqual: (document: DocumentId) => boolean): void;
  /** It cannot be found by comparing. */
  failed(session: PeerSession): void;
  /** Either side has documents that it is still going to offer. */
  isOffering(session: PeerSession): boolean;
  /** Nothing that is known of is on its way between the two. */
  isAtRest(session: PeerSession): boolean;
}

/** A frame that came, and what it is about. */
interface Turn {
  readonly current: LibraryComparison;
  readonly trie: LibraryTrie;
  readonly frame: FrameOf<"library">;
}

/** Where the comparing with one peer stands. */
interface Talk {
  /** Comparisons that this side began. */
  begun: number;
  /** Number of the last one that the peer began. */
  heard: number;
  current: LibraryComparison | undefined;
  /** What the peer is shown in it: all that is here, or what of it is exchanged with that peer. */
  trie: LibraryTrie | undefined;
  isOurs: boolean;
  /** What of this replica's own was here when it began. */
  tops: OwnTops;
  /** The store is being read for the first words, or the answer to them. */
  isReading: boolean;
  heardMs: number;
  /** When this side begins the next one. */
  dueMs: number;
  /** The peer is to be told of all that is here, and nobody knows what it has. */
  isNeeded: boolean;
  /** In a row, that came to nothing. */
  failures: number;
  /** In a row, at whose end the libraries differed. */
  differed: number;
}

/**
 * Comparisons of libraries with peers: when a peer is to be told of all that is here and nobody knows what
 * it has, after that in the first quiet moment, and every now and then, as proof that both have the same.
 *
 * Either side may begin. Where both do, the one that dialed goes on. What is lost begins anew; what was
 * found until then stays found.
 */
export class LibraryComparisons {
  readonly #context: SyncContext;
  readonly #library: Library;
  readonly #host: ComparisonsHost;
  readonly #talks = new Map<PeerSession, Talk>();
  /** First words that came before their session began. */
  readonly #early = new Map<PeerSession, FrameOf<"library">>();

  constructor(context: SyncContext, library: Library, host: ComparisonsHost) {
    this.#context = context;
    this.#library = library;
    this.#host = host;
  }

  /** Documents are exchanged on a session with a peer that compares libraries. */
  began(session: PeerSession): void {
    const { nowMs, limits } = this.#context;
    // One of both is enough; the other one begins where it has to know.
    const dueMs = session.isDialed ? nowMs + limits.libraryRestMs : Infinity;
    this.#talks.set(session, {
      begun: 0,
      heard: 0,
      current: undefined,
      trie: undefined,
      isOurs: false,
      tops: new Map(),
      isReading: false,
      heardMs: nowMs,
      dueMs,
      isNeeded: false,
      failures: 0,
      differed: 0,
    });
    // On both sides at once: it takes a while where there is much, and one of them asks soon.
    this.#library.read(() => {});
    const early = this.#early.get(session);
    this.#early.delete(session);
    if (early) this.receive(session, early);
  }

  ended(session: PeerSession): void {
    this.#talks.delete(session);
    this.#early.delete(session);
  }

  /**
   * This side has to know what the peer has.
   *
   * @param isMutual so does the peer, most likely: the one that dialed begins.
   */
  need(session: PeerSession, isMutual: boolean): void {
    const talk = this.#talks.get(session);
    if (!talk) return;
    const { nowMs, limits } = this.#context;
    const isPeersTurn = isMutual && !session.isDialed;
    talk.isNeeded = true;
    talk.dueMs = isPeersTurn ? nowMs + limits.libraryRestMs : nowMs;
    if (!isPeersTurn && !talk.current && !talk.isReading) this.#begin(session, talk);
  }

  receive(session: PeerSession, frame: FrameOf<"library">): void {
    const { counters, options } = this.#context;
    const talk = this.#talks.get(session);
    const isGood = isWhole(options.hash, frame);
    if (!isGood) counters.librariesDamaged++;
    if (!isGood) return;
    if (!talk) return void (frame.step === 0 && this.#early.set(session, frame));
    if (frame.step === 0) return this.#receiveFirst(session, talk, frame);
    const { current, trie } = talk;
    if (!trie || !current?.follows(frame)) return void counters.framesIgnored++;
    this.#answer(session, talk, { current, trie, frame });
  }

  tick(): void {
    const { nowMs, limits } = this.#context;
    for (const [session, talk] of this.#talks) {
      if (talk.isReading) continue;
      if (talk.current) {
        if (nowMs - talk.heardMs >= limits.libraryAnswerMs) this.#lost(session, talk);
        continue;
      }
      if (nowMs < talk.dueMs) continue;
      // What is on its way anyhow would be found again.
      if (!talk.isNeeded && this.#host.isOffering(session)) talk.dueMs = nowMs;
      const lateMs = nowMs - talk.dueMs;
      // Amid changes much would differ that is on its way.
      const isLate = talk.isNeeded || lateMs >= limits.libraryPatienceMs;
      if (isLate || this.#host.isAtRest(session)) this.#begin(session, talk);
    }
  }

  #begin(session: PeerSession, talk: Talk): void {
    const number = ++talk.begun;
    this.#reading(session, talk, (trie) => {
      // Meanwhile the peer may have begun.
      if (talk.current) return;
      const comparison = this.#make(session, number, trie);
      talk.isOurs = true;
      talk.current = comparison;
      talk.trie = trie;
      this.#send(session, talk, comparison.begin(trie));
    });
  }

  #receiveFirst(session: PeerSession, talk: Talk, frame: FrameOf<"library">): void {
    const isOursGoing = talk.current !== undefined && talk.isOurs;
    // First words that come twice begin nothing: what was said to them before would be taken for what is said to
    // them now, of a library that has changed. Numbers only rise.
    const isRepeated = frame.comparison <= talk.heard;
    // While the store is read it is not begun to be read again, however often somebody asks.
    if (isRepeated || talk.isReading || (isOursGoing && session.isDialed)) {
      this.#context.counters.framesIgnored++;
      return;
    }
    talk.heard = frame.comparison;
    talk.current = undefined;
    this.#reading(session, talk, (trie) => {
      const current = this.#make(session, frame.comparison, trie);
      talk.isOurs = false;
      talk.current = current;
      talk.trie = trie;
      this.#answer(session, talk, { current, trie, frame });
    });
  }

  #answer(session: PeerSession, talk: Talk, { current, trie, frame }: Turn): void {
    const words = current.answer(trie, frame);
    if (words) this.#send(session, talk, words);
    if (current.state !== "going") this.#finish(session, talk, { current, trie, frame });
  }

  #finish(session: PeerSession, talk: Talk, { current, trie, frame }: Turn): void {
    const { counters, limits, nowMs } = this.#context;
    const { missing, dropped, state } = current;
    const differing = current.countDiffering(trie);
    const isEqual = state === "agreed";
    talk.current = undefined;
    talk.trie = undefined;
    talk.failures = 0;
    talk.differed = isEqual ? 0 : talk.differed + 1;
    if (isEqual) counters.librariesAgreed++;
    else counters.librariesDiffered++;
    counters.libraryPlacesDropped += dropped;
    // There may be more: the next one finds it, among less.
    talk.isNeeded &&= dropped > 0;
    if (session.isDialed) {
      // When what differed has been exchanged they agree, unless something keeps them apart.
      const patienceMs = limits.libraryRestMs * 4 ** Math.min(talk.differed - 1, 8);
      const waitMs = isEqual ? limits.libraryEveryMs : patienceMs;
      talk.dueMs = nowMs + Math.min(waitMs, limits.libraryEveryMs);
    } else talk.dueMs = talk.isNeeded ? nowMs + limits.libraryRestMs : Infinity;
    const [documents, documentsThere] = [trie.size, frame.documents];
    const { key: peer } = session;
    const { store } = session.peer;
    const found = { isEqual, documents, documentsThere, differing, missing };
    this.#context.emit({
      type: "event",
      event: { name: "library.compared", peer, store, ...found },
    });
    if (dropped > 0) return;
    this.#host.compared(session, talk.tops, (document) => current.isEqual(trie, document));
  }

  /** No answer came. What the peer began, it begins again. */
  #lost(session: PeerSession, talk: Talk): void {
    const { counters, limits, nowMs, options } = this.#context;
    counters.librariesLost++;
    talk.current = undefined;
    talk.trie = undefined;
    if (!talk.isOurs) return;
    this.#failed(session, talk);
    const bounds = { delayMsMin: limits.retryMsMin * 5, delayMsMax: limits.retryMsMax };
    talk.dueMs = nowMs + fullJitter(talk.failures, bounds, options.random);
  }

  #failed(session: PeerSession, talk: Talk): void {
    talk.failures++;
    if (talk.failures < attemptsMax || !talk.isNeeded) return;
    talk.isNeeded = false;
    this.#host.failed(session);
  }

  #reading(session: PeerSession, talk: Talk, then: (trie: LibraryTrie) => void): void {
    const { nowMs, limits } = this.#context;
    talk.isReading = true;
    talk.dueMs = nowMs + limits.retryMsMax;
    this.#library.read((trie) => {
      talk.isReading = false;
      if (this.#talks.get(session) !== talk || !session.isLive) return;
      if (!trie) return this.#failed(session, talk);
      const { outbox, rules } = this.#context;
      talk.tops = outbox.own.tops;
      const isMeant = (id: DocumentId): boolean => rules.lets(session, { id });
      then(rules.areThereFor(session) ? trie.filtered(isMeant) : trie);
    });
  }

  #make(session: PeerSession, number: number, trie: LibraryTrie): LibraryComparison {
    const { limits } = this.#context;
    return new LibraryComparison({
      number,
      wordsBytesMax: Math.min(limits.libraryWordsBytesMax, session.peer.frameBytesMax),
      placesMax: limits.libraryPlacesMax,
      stepsMax: limits.libraryStepsMax,
      onFound: (found) => this.#host.found(session, found, trie),
    });
  }

  #send(session: PeerSession, talk: Talk, words: LibraryWords): void {
    talk.heardMs = this.#context.nowMs;
    session.send(libraryFrame(this.#context.options.hash, words));
  }
}
