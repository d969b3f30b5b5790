import {
  decodeHlc,
  documentIdOf,
  HeddleError,
  HeddleErrorCode,
  malformed,
  parseDocumentName,
  type DocumentEntry,
  type DocumentId,
  type LaneDescriptor,
} from "@heddle/core";

import type { DocumentLink } from "./document-link.ts";
import { unexpectedFrame } from "./frame-errors.ts";
import { PushFlag, RefKind, RefusedCode } from "./frame-shapes.ts";
import type { Frame, FrameOf } from "./frame.ts";
import type { AnnouncedPosition } from "./link-sharing.ts";
import { unpackEnvelopes } from "./packed-envelope.ts";
import type { SessionLanes } from "./session-lanes.ts";
import type { PresenceTurns } from "./presence-turns.ts";
import type { SyncContext } from "./sync-context.ts";
import type { PeerKey } from "./sync-effects.ts";
import { wireLimits } from "./wire-limits.ts";

/** What the documents of a session need of it. */
export interface DocumentsSession {
  readonly key: PeerKey;
  readonly isLive: boolean;
  /** Its greeting. */
  readonly peer: FrameOf<"hello">;
  readonly showing: PresenceTurns;
  send(frame: Frame): void;
  /** Whether a document is exchanged when a peer opens it. */
  takes(document: DocumentId): boolean;
  /**
   * The peer opened a document: calls `then` with the link to it, at once or when it is loaded, or
   * `failed` when it cannot be.
   */
  opened(entry: DocumentEntry, then: (link: DocumentLink) => void, failed: () => void): void;
  /** The peer does not exchange a document any more. */
  documentClosed(link: DocumentLink): void;
  /** Runs `action`; a fault of the peer in it ends the session. */
  attempt(action: () => void): void;
}

/** What a frame takes until it is done with. */
interface FrameCost {
  /** Gives its credit back; of a frame that costs none nothing. */
  readonly release?: () => void;
  /** Of a frame that costs no credit. */
  readonly bytes?: number;
}

interface WaitingFrame {
  readonly frame: Frame;
  readonly cost: FrameCost;
}

/** Documents of one session: by our numbers, by the peer's, and frames that speak of one. */
export class SessionDocuments {
  /** By our numbers. */
  readonly links = new Map<number, DocumentLink>();
  readonly #context: SyncContext;
  readonly #session: DocumentsSession;
  readonly #lanes: SessionLanes;
  /** By the peer's numbers; a list of frames while the document is being loaded. */
  readonly #peerLinks = new Map<number, DocumentLink | WaitingFrame[]>();
  /** The other way round, of those that are loaded. */
  readonly #peerRefs = new Map<DocumentLink, number>();
  readonly #freeRefs: number[] = [];
  #closed = 0;
  #received = 0;
  #nextRef = 0;
  #waitingBytes = 0;

  constructor(context: SyncContext, session: DocumentsSession, lanes: SessionLanes) {
    this.#context = context;
    this.#session = session;
    this.#lanes = lanes;
  }

  /** The next number for a document of ours; `undefined` when this session has too many. */
  nextRef(): number | undefined {
    if (this.links.size >= this.#context.limits.documentsPerSessionMax) return undefined;
    // What was given back is used last: until then nobody takes late words for words about another.
    return this.#nextRef < wireLimits.refsMax ? this.#nextRef++ : this.#freeRefs.shift();
  }

  /** Gives a number of ours back: the document is not exchanged on this session any more. */
  close(link: DocumentLink): void {
    if (!this.links.delete(link.ourRef)) return;
    this.#freeRefs.push(link.ourRef);
    this.#closed++;
    if (link.hasReceived) this.#received++;
    this.#session.send({ name: "close", documentRef: link.ourRef });
    link.end();
    const ref = this.#peerRefs.get(link);
    this.#peerRefs.delete(link);
    if (ref !== undefined) this.#peerLinks.delete(ref);
  }

  /** Documents that were given up, and those of which something came, since the session began. */
  get counts(): { readonly closed: number; readonly received: number } {
    let received = this.#received;
    for (const { hasReceived } of this.links.values()) if (hasReceived) received++;
    return { closed: this.#closed, received };
  }

  /** Of frames without credit that wait for their documents to be loaded. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  linkTo(document: DocumentId): DocumentLink | undefined {
    return [...this.links.values()].find((link) => link.document === document);
  }

  /** @throws HeddleError when the peer may not open that. */
  receiveOpen(frame: FrameOf<"open">): void {
    const { hash, space } = this.#context.options;
    const name = parseDocumentName(frame.documentName);
    const { document, documentRef } = frame;
    if (documentIdOf(hash, space, name) !== document) throw refusedName();
    if (!this.#session.takes(document)) {
      this.#context.counters.framesIgnored++;
      return;
    }
    const waiting = this.#peerLinks.get(documentRef);
    if (waiting !== undefined && !Array.isArray(waiting)) {
      if (waiting.document !== document) throw unexpectedFrame("a number given twice");
      return;
    }
    const max = this.#context.limits.documentsPerSessionMax;
    if (this.#peerLinks.size >= max && !waiting) throw overDocuments();
    if (waiting) return;
    this.#context.rules.openedBy(this.#session, document);
    const frames: WaitingFrame[] = [];
    this.#peerLinks.set(documentRef, frames);
    const entry = { id: document, name, createdAt: decodeHlc(frame.createdAt) };
    const opened = (link: DocumentLink): void => {
      if (!this.#session.isLive) return;
      const before = this.#peerRefs.get(link);
      if (before !== undefined && before !== documentRef) this.#peerLinks.delete(before);
      this.#peerLinks.set(documentRef, link);
      this.#peerRefs.set(link, documentRef);
      link.openedByPeer();
      this.#session.attempt(() => {
        for (const { frame: each, cost } of frames.splice(0)) {
          this.#waitingBytes -= cost.bytes ?? 0;
          this.#onFrame(link, each, cost.release);
        }
      });
    };
    // The number is free again: the peer, which hears nothing, says OPEN once more, and maybe then.
    this.#session.opened(entry, opened, () => {
      this.#context.counters.framesRefused += frames.length;
      if (!this.#context.rules.lets(this.#session, entry)) this.#refuse(document);
      this.#peerLinks.delete(documentRef);
      for (const { cost } of frames.splice(0)) {
        this.#waitingBytes -= cost.bytes ?? 0;
        cost.release?.();
      }
    });
  }

  /** A frame about the document that the peer gave this number. */
  receive(frame: Frame, documentRef: number, cost: FrameCost): void {
    const link = this.#peerLinks.get(documentRef);
    if (link === undefined && frame.name === "close") return cost.release?.();
    if (link === undefined) {
      this.#context.counters.refsUnknown++;
      this.#session.send({ name: "unknownRef", kind: RefKind.document, ref: documentRef });
      return cost.release?.();
    }
    if (!Array.isArray(link)) return this.#onFrame(link, frame, cost.release);
    const { waitingFramesMax, waitingBytesMax } = this.#context.limits;
    const bytes = this.#waitingBytes + (cost.bytes ?? 0);
    if (link.length < waitingFramesMax && bytes <= waitingBytesMax) {
      link.push({ frame, cost });
      this.#waitingBytes = bytes;
      return;
    }
    this.#context.counters.framesRefused++;
    cost.release?.();
  }

  /** The peer does not exchange a document with us. Nothing else is refused for that. */
  receiveRefused({ document, code }: FrameOf<"refused">): void {
    const { rules, counters } = this.#context;
    const link = this.#context
      .linksOf(document)
      .find(({ session }) => session.key === this.#session.key);
    if (link === undefined) return void counters.framesIgnored++;
    counters.documentsRefused++;
    rules.refused(this.#session, document);
    const { store } = this.#session.peer;
    const event = {
      name: "document.refused",
      peer: this.#session.key,
      store,
      document,
      code,
    } as const;
    this.#context.emit({ type: "event", event });
    this.#session.documentClosed(link);
  }

  /** Whether there is such a document or not: it is the same to whoever may not have it. */
  #refuse(document: DocumentId): void {
    this.#context.counters.documentsWithheld++;
    this.#session.send({ name: "refused", document, code: RefusedCode.withheld });
  }

  /** The peer does not know a number of ours. */
  receiveUnknownRef({ kind, ref }: FrameOf<"unknownRef">): void {
    if (kind === RefKind.lane) {
      this.#lanes.lost(ref);
      for (const link of this.links.values()) link.resend();
      return;
    }
    this.links.get(ref)?.unknownToPeer();
  }

  #onFrame(link: DocumentLink, frame: Frame, release: () => void = () => {}): void {
    this.#session.showing.moved(link);
    switch (frame.name) {
      case "have":
        return link.receiveHave(frame);
      case "ack":
        return link.receiveAck(frame.positions);
      case "pull":
        return link.receivePull(frame);
      case "push":
        return this.#onPush(link, frame, release);
      case "checkpointOffer":
        return this.#context.checkpoints.receiveOffer(link, frame);
      case "checkpointGet":
        return link.receiveCheckpointGet(frame);
      case "checkpointData":
        link.exchange.sources.fed(link);
        this.#context.checkpoints.receiveData(link, frame);
        return release();
      case "fork":
        return link.exchange.forkWatch.receive(link, frame, release);
      case "nak":
        return link.receiveNak(frame);
      case "digest":
        return link.receiveDigest(frame);
      case "announce":
        return this.#onAnnounce(link, frame);
      case "hold":
        return link.sharing.receiveHold(frame);
      case "feed":
        return link.sharing.receiveFeed();
      case "ephemeral":
        return link.sharing.runs.behind({
          take: () => link.exchange.show(link, frame.payload, release),
          release,
        });
      case "close":
        this.#peerRefs.delete(link);
        this.#peerLinks.delete(frame.documentRef);
        link.closedByPeer();
        return this.#session.documentClosed(link);
      default:
        return undefined;
    }
  }

  #onPush(link: DocumentLink, push: FrameOf<"push">, release: () => void): void {
    const { laneRef, firstSeq, envelopes: packed, flags } = push;
    if ((flags & PushFlag.ask) !== 0) {
      link.acks.asked();
      link.sharing.announcer.asked();
    }
    if (packed.length === 0) return release();
    const lane = this.#laneOf(laneRef);
    if (lane === undefined) return release();
    if (firstSeq < 1) throw malformed("push", "sequences start at 1");
    const take = () => this.#session.attempt(() => this.#take(link, lane, push, release));
    link.exchange.sources.awaited(link.sharing.runs.offer(lane.id, { take, release }));
  }

  #onAnnounce(link: DocumentLink, { positions }: FrameOf<"announce">): void {
    if (positions.length === 0) return link.sharing.runs.inOrder();
    const announced: AnnouncedPosition[] = [];
    for (const { laneRef, seq, head } of positions) {
      const lane = this.#laneOf(laneRef);
      if (lane) announced.push({ lane, seq, head });
    }
    link.sharing.receiveAnnounce(announced);
  }

  /** A lane by the peer's number; the peer is told of one that it has not given. */
  #laneOf(laneRef: number): LaneDescriptor | undefined {
    const lane = this.#lanes.peersLane(laneRef);
    if (lane) return lane;
    this.#context.counters.refsUnknown++;
    this.#session.send({ name: "unknownRef", kind: RefKind.lane, ref: laneRef });
    return undefined;
  }

  #take(
    link: DocumentLink,
    lane: LaneDescriptor,
    push: FrameOf<"push">,
    release: () => void,
  ): void {
    const { firstSeq, envelopes: packed } = push;
    const prev = push.prev ?? link.placing.idBefore(lane.id, firstSeq);
    if (prev === undefined) {
      this.#context.counters.runsUnplaced++;
      link.exchange.unplaced(link, lane.id, { firstSeq, lastSeq: firstSeq + packed.length - 1 });
      return release();
    }
    const { hash, space } = this.#context.options;
    const place = { space, document: link.document, lane };
    const whole = unpackEnvelopes(hash, place, { firstSeq, prev, packed });
    const isPlaced = push.prev === undefined;
    const { exchange, sharing } = link;
    const { run, rest } = sharing.runs.cut(lane.id, whole);
    if (rest.length === 0) return exchange.offer(link, lane, { run, isPlaced, release });
    exchange.offer(link, lane, { run, isPlaced, release: () => {} });
    const take = () => exchange.offer(link, lane, { run: rest, isPlaced, release });
    sharing.runs.offer(lane.id, { take, release });
  }
}

function overDocuments(): HeddleError {
  return new HeddleError(HeddleErrorCode.relayOverloaded, "too many documents on one session");
}

function refusedName(): HeddleError {
  return new HeddleError(HeddleErrorCode.frameMalformed, "a document is not what its name says");
}
