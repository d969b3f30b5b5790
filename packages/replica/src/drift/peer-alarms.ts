import { equalBytes, type DocumentId, type StoreId } from "@heddle/core";
import type { SyncEvent } from "@heddle/sync";

import { TokenBucket } from "../token-bucket.ts";
import type { DriftCases } from "./drift-cases.ts";
import type { DriftPeers, DriftTimes } from "./drift-options.ts";
import type { DriftCounters } from "./drift-report.ts";
import { engineAlone } from "./fold-document.ts";
import type { Heard } from "./open-case.ts";
import type { Waiting } from "./waiting.ts";

export interface PeerAlarmsParts {
  readonly cases: DriftCases;
  readonly counters: DriftCounters;
  readonly waiting: Waiting;
  readonly times: DriftTimes;
  readonly peers: () => DriftPeers | undefined;
  readonly nowMs: () => number;
}

type Incomparable = Extract<SyncEvent, { readonly name: "document.incomparable" }>;

/** Peers, and documents, of which something is remembered; the oldest are forgotten. */
const rememberedMax = 1_024;
const hourS = 3_600;

/**
 * What peers say of documents, as far as it is worth a look. Nothing that they say changes anything but what is
 * looked at next, and how often: each may have so many documents looked at in an hour, and all together so many,
 * as a peer may have many names. What is beyond that is counted, and found by the next audit.
 */
export class PeerAlarms {
  readonly #parts: PeerAlarmsParts;
  readonly #all: TokenBucket;
  readonly #byPeer = new Map<StoreId, TokenBucket>();
  /** By document, the engines that make other documents of one log, once that was said. */
  readonly #told = new Map<DocumentId, string>();
  /** The same, while whoever has to leave something out may not have done so yet. */
  readonly #unlike = new Map<DocumentId, { readonly engines: string; readonly sinceMs: number }>();

  constructor(parts: PeerAlarmsParts) {
    this.#parts = parts;
    this.#all = bucket(parts.times.heardMax, parts.nowMs());
  }

  onSyncEvent(event: SyncEvent): void {
    const { cases } = this.#parts;
    switch (event.name) {
      case "document.agreed":
        this.#unlike.delete(event.document);
        return cases.agreed(event.document, event.store);
      case "document.settled":
        return cases.caughtUp(event.document);
      case "document.drifted":
        return this.#drifted(event);
      case "document.incomparable":
        return this.#incomparable(event);
      case "lane.forked":
        if (!this.#all.tryTake(1, this.#parts.nowMs())) return void this.#parts.counters.putOff++;
        return cases.forked(
          event.document,
          `lane ${event.lane} has two histories, from ${event.seq}`,
        );
      case "document.lagging":
        if (!this.#mayLook(event.store)) return undefined;
        return cases.suspect(event.document, { lagging: event.store });
      default:
        return undefined;
    }
  }

  #drifted(event: Extract<SyncEvent, { readonly name: "document.drifted" }>): void {
    const { cases } = this.#parts;
    const { document, store: peer, theirs } = event;
    if (theirs.outcome !== "digests") return;
    const heard = { peer, theirs };
    if (cases.answered(document, heard) || !this.#mayLook(peer)) return;
    if (!cases.heard(document, heard)) cases.suspect(document, { heard });
  }

  /** Another engine, or the same one that leaves something else out: it may know what is to be left out. */
  #incomparable({ document, store: peer, ours, theirs }: Incomparable): void {
    if (ours.outcome !== "digests" || theirs.outcome !== "digests") return;
    const { cases } = this.#parts;
    const heard = { peer, theirs };
    const engines = `${peer} ${ours.engine} / ${theirs.engine}`;
    const { content = none } = ours;
    const isSame = equalBytes(content, theirs.content ?? content);
    const isUnequal = !equalBytes(ours.state, theirs.state) || !isSame;
    if (engineAlone(ours.engine) !== engineAlone(theirs.engine)) {
      const isAnswer = isUnequal && cases.answered(document, heard);
      if (isUnequal && !isAnswer) this.#report(document, engines, heard);
      return;
    }
    if (!this.#mayLook(peer)) return;
    cases.recheck(document, () => {
      if (isUnequal) this.#staysUnlike(document, engines, heard);
    });
  }

  /** Nothing is to be left out here. Over there perhaps, and that takes a while. */
  #staysUnlike(document: DocumentId, engines: string, heard: Heard): void {
    const { waiting, times, nowMs, cases, peers } = this.#parts;
    const before = this.#unlike.get(document);
    if (before?.engines !== engines) {
      remember(this.#unlike, document, { engines, sinceMs: nowMs() });
      void waiting.sleep(times.refetchMs).then(() => {
        if (!waiting.isStopped) peers()?.compare(document);
      });
    } else if (nowMs() - before.sinceMs >= times.refetchMs && !cases.has(document)) {
      this.#report(document, engines, heard);
    }
  }

  #report(document: DocumentId, engines: string, heard: Heard): void {
    if (this.#told.get(document) === engines || !this.#mayLook(heard.peer)) return;
    remember(this.#told, document, engines);
    this.#parts.cases.suspect(document, { heard });
  }

  #mayLook(peer: StoreId): boolean {
    const { times, counters } = this.#parts;
    const nowMs = this.#parts.nowMs();
    const ofPeer = this.#byPeer.get(peer) ?? bucket(times.heardPerPeerMax, nowMs);
    remember(this.#byPeer, peer, ofPeer);
    if (ofPeer.has(1, nowMs) && this.#all.tryTake(1, nowMs)) {
      ofPeer.take(1, nowMs);
      return true;
    }
    counters.putOff++;
    return false;
  }
}

const none = new Uint8Array();

function bucket(perHour: number, nowMs: number): TokenBucket {
  return new TokenBucket({ perSecond: perHour / hourS, burst: perHour }, nowMs);
}

function remember<Key, Value>(map: Map<Key, Value>, key: Key, value: Value): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > rememberedMax) map.delete(oldest!);
}
