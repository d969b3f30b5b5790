import {
  HeddleError,
  HeddleErrorCode,
  isHeddleError,
  type DocumentEntry,
  type DocumentId,
  type LaneDescriptor,
  type LaneId,
} from "@heddle/core";

import { byeCodeOf } from "./bye-code.ts";
import { codeOfCloseCode } from "./close-words.ts";
import { dataFrames } from "./data-frames.ts";
import type { DocumentLink } from "./document-link.ts";
import { checkOf, positionIn } from "./feed-position.ts";
import { ReceiveCredit } from "./flow-credit.ts";
import { unexpectedFrame } from "./frame-errors.ts";
import { HelloFeature } from "./frame-shapes.ts";
import { decodeFrame, encodeFrame, type Frame, type FrameOf } from "./frame.ts";
import type { LinkSession } from "./link-session.ts";
import { PeerOffering } from "./peer-offering.ts";
import { PresenceTurns } from "./presence-turns.ts";
import { fullJitter } from "./retry-policy.ts";
import { SessionDocuments } from "./session-documents.ts";
import { featuresOf, SessionGreeting } from "./session-greeting.ts";
import type { ConnectionPlace, SessionHost } from "./session-host.ts";
import { SessionLanes } from "./session-lanes.ts";
import { SessionParts } from "./session-parts.ts";
import { SessionSender } from "./session-sender.ts";
import type { SyncContext } from "./sync-context.ts";
import type { FeedCursor, PeerKey } from "./sync-effects.ts";

/**
 * One connection to one peer, the same on both sides.
 *
 *   greeting ──both AUTHs good──► live ──BYE, silence, fault──► closed
 *
 * `closed` is final. A fault of the peer closes the session with a code and nothing else.
 */
export class PeerSession implements LinkSession {
  readonly key: PeerKey;
  /** This side opened the connection. */
  readonly isDialed: boolean;
  /** Higher than that of every connection that was made before. */
  readonly connection: number;
  readonly documents: SessionDocuments;
  readonly waitingPresence = { bytes: 0 };
  readonly claims = { count: 0 };
  readonly showing = new PresenceTurns();
  /** Documents that the peer says it is still going to open. */
  readonly offering: PeerOffering;
  readonly #context: SyncContext;
  readonly #host: SessionHost;
  readonly #greeting: SessionGreeting;
  readonly #lanes: SessionLanes;
  readonly #sender = new SessionSender((bytes) => this.sendBytes(bytes));
  readonly #parts: SessionParts;
  readonly #received: ReceiveCredit;
  readonly #openMs: number;
  readonly #pushing = new Set<DocumentLink>();
  #state: "greeting" | "live" | "closed" = "greeting";
  #heardMs: number;
  #pingMs = 0;
  /** What CURSOR said, until a MARK shows that it was heard. */
  #asked: { readonly cursor: FeedCursor | undefined; attempts: number; dueMs: number } | undefined;

  constructor(context: SyncContext, host: SessionHost, { key, connection, side }: ConnectionPlace) {
    this.#context = context;
    this.#host = host;
    this.key = key;
    this.connection = connection;
    this.isDialed = side === "initiator";
    this.#greeting = new SessionGreeting(context, this, side);
    this.#lanes = new SessionLanes(context, this);
    this.documents = new SessionDocuments(context, this, this.#lanes);
    this.#parts = new SessionParts(context, (name) => dataFrames.has(name));
    this.offering = new PeerOffering(context);
    this.#received = new ReceiveCredit(context.limits.creditBytes);
    this.#openMs = context.nowMs;
    this.#heardMs = context.nowMs;
    this.#greeting.begin();
  }

  get isLive(): boolean {
    return this.#state === "live";
  }

  get isClosed(): boolean {
    return this.#state === "closed";
  }

  get isCreditOpen(): boolean {
    return this.#state === "live" && this.#sender.isOpen;
  }

  /** The peer's greeting; there is one when the session is live. */
  get peer(): FrameOf<"hello"> {
    return this.#greeting.peer;
  }

  get links(): ReadonlyMap<number, DocumentLink> {
    return this.documents.links;
  }

  /** By document, envelopes on our disk that are not proven to be on the peer's. */
  get missingThere(): ReadonlyMap<DocumentId, number> {
    const counts = [...this.links.values()].map((link) => {
      return [link.document, link.positions.missingCount] as const;
    });
    return new Map(counts.filter(([, count]) => count > 0));
  }

  /** Both sides take any document, tell of all that they have, and compare libraries. */
  get comparesLibraries(): boolean {
    return (this.peer.features & featuresOf(this.#context.options) & HelloFeature.library) !== 0;
  }

  /** Bytes that the peer makes us hold. */
  get heldBytes(): number {
    const { joinedBytes } = this.#parts;
    return this.#received.heldBytes + joinedBytes + this.documents.waitingBytes;
  }

  get sentDataBytes(): number {
    return this.#sender.sentBytes;
  }

  get receivedDataBytes(): number {
    return this.#received.receivedBytes;
  }

  /** Nothing that was opened here is missing on either side. */
  get isSettled(): boolean {
    return this.isLive && [...this.links.values()].every((link) => link.isSettled);
  }

  receive(bytes: Uint8Array): void {
    if (this.#state === "closed") return;
    this.#heardMs = this.#context.nowMs;
    this.#context.counters.framesReceived++;
    this.#context.counters.bytesReceived += bytes.length;
    this.attempt(() => {
      const frame = decodeFrame(bytes);
      if (frame === undefined) this.#context.counters.framesIgnored++;
      else this.#dispatch(frame, bytes);
    });
  }

  tick(): void {
    if (this.#state === "closed") return;
    const { nowMs, limits } = this.#context;
    const isSilent = nowMs - this.#heardMs > limits.silenceMs;
    const isLate = this.#state === "greeting" && nowMs - this.#openMs > limits.handshakeMs;
    if (isSilent || isLate) return this.close(HeddleErrorCode.sessionClosed);
    if (this.#state !== "live") return;
    for (const link of this.links.values()) link.tick();
    this.showing.tick();
    if (this.#asked && nowMs >= this.#asked.dueMs) this.follow(this.#asked.cursor);
    const isBlocked = this.#sender.isWaiting || (this.#pushing.size > 0 && !this.#sender.isOpen);
    if (nowMs - this.#pingMs >= (isBlocked ? limits.retryMsMin * 5 : limits.pingMs)) this.#ping();
    this.pump();
  }

  /** Ends the session; the peer is told why. */
  close(code: HeddleErrorCode): void {
    if (this.#state === "closed") return;
    this.sendBytes(encodeFrame({ name: "bye", code: byeCodeOf(code), reason: code }));
    this.closed(code);
  }

  /** The transport is gone, or about to be. */
  closed(code: HeddleErrorCode): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#sender.end();
    this.#parts.end();
    this.#pushing.clear();
    this.showing.clear();
    this.#host.onClosed(this, code);
  }

  send(frame: Frame): void {
    if (this.#state !== "live") return;
    const bytes = encodeFrame(frame);
    if (dataFrames.has(frame.name)) this.#sender.data(bytes);
    else this.#sender.control(bytes);
  }

  /** Past credit and state: for the greeting, and for the farewell. */
  sendBytes(bytes: Uint8Array): void {
    this.#context.counters.framesSent++;
    this.#context.counters.bytesSent += bytes.length;
    this.#context.emit({ type: "send", peer: this.key, bytes });
  }

  refOfLane(lane: LaneDescriptor): number {
    return this.#lanes.refOf(lane);
  }

  laneOfRef(laneRef: number): LaneId | undefined {
    return this.#lanes.ourLane(laneRef);
  }

  refOfPeerLane(lane: LaneId): number | undefined {
    return this.#lanes.refOfPeers(lane);
  }

  peerLane(lane: LaneId): LaneDescriptor | undefined {
    const ref = this.#lanes.refOfPeers(lane);
    return ref === undefined ? undefined : this.#lanes.peersLane(ref);
  }

  /** Asks for all that changed at the peer since `cursor`. */
  follow(cursor: FeedCursor | undefined): void {
    const { limits, nowMs, options } = this.#context;
    const attempts = (this.#asked?.attempts ?? 0) + 1;
    const bounds = { delayMsMin: limits.retryMsMin * 5, delayMsMax: limits.retryMsMax };
    const dueMs = nowMs + fullJitter(attempts, bounds, options.random);
    this.#asked = { cursor, attempts, dueMs };
    const { incarnation, arrival = 0 } = cursor ?? {};
    const check = cursor && checkOf(options.hash, cursor);
    this.send({ name: "cursor", incarnation, arrival, check });
  }

  /** Offers again what the peer forbade. */
  retryForbidden(): void {
    for (const link of this.links.values()) link.retryForbidden();
  }

  wantsToPush(link: DocumentLink): void {
    this.#pushing.add(link);
  }

  /** Lets links push, in turns, while there is credit; presence goes behind what it was said after. */
  pump(): void {
    this.#sender.flush();
    for (const link of this.#pushing) {
      if (!this.isCreditOpen) return;
      this.#pushing.delete(link);
      link.push();
      this.showing.moved(link);
    }
    this.showing.flush(() => this.isCreditOpen);
  }

  takes(document: DocumentId): boolean {
    return this.#host.takes(document);
  }

  opened(entry: DocumentEntry, then: (link: DocumentLink) => void, failed: () => void): void {
    this.#host.onOpen(this, entry, then, failed);
  }

  documentClosed(link: DocumentLink): void {
    this.#host.onClose(this, link);
  }

  onGreeted(): void {
    // An AUTH that came twice is verified twice.
    if (this.#state !== "greeting") return;
    this.#state = "live";
    this.#host.onLive(this);
  }

  /** A fault of the peer ends the session with its code; a fault of ours is not caught. */
  attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (!isHeddleError(error)) throw error;
      this.#context.counters.framesRefused++;
      this.close(error.code);
    }
  }

  #dispatch(frame: Frame, bytes: Uint8Array): void {
    if (frame.name === "hello") return this.#onHello(frame, bytes);
    if (frame.name === "auth") return this.#onAuth(frame);
    if (frame.name === "bye") return this.closed(codeOfCloseCode(frame.code));
    if (this.#state !== "live") {
      // The peer may be live a moment before us; what it says before it was proven is not heard.
      this.#context.counters.framesIgnored++;
      return;
    }
    if (!dataFrames.has(frame.name)) return this.#onControl(frame, bytes.length);
    if (!this.#received.receive(bytes.length)) throw overCredit();
    const release = () => this.#release(bytes.length);
    if (frame.name !== "part") return this.#onData(frame, release);
    const joined = this.#parts.receive(frame, bytes.length, release);
    if (joined) this.#onData(joined.frame, joined.release);
  }

  #onHello(hello: FrameOf<"hello">, bytes: Uint8Array): void {
    if (this.#state !== "greeting") throw unexpectedFrame("HELLO");
    this.#greeting.receiveHello(hello, bytes);
    this.#sender.begin(hello);
  }

  #onAuth(auth: FrameOf<"auth">): void {
    if (this.#state !== "greeting") throw unexpectedFrame("AUTH");
    this.#greeting.receiveAuth(auth);
  }

  /** `bytes`: how long the frame is. */
  #onControl(frame: Frame, bytes: number): void {
    switch (frame.name) {
      case "credit":
        return this.#sender.grant(frame.totalBytes);
      case "ping":
        return this.#onPing(frame);
      case "cursor":
        return this.#onCursor(frame);
      case "mark":
        return this.#onMark(frame);
      case "open":
        return this.documents.receiveOpen(frame);
      case "refused":
        return this.documents.receiveRefused(frame);
      case "unknownRef":
        return this.documents.receiveUnknownRef(frame);
      case "library":
        return this.#host.onLibrary(this, frame);
      case "offering":
        return this.offering.heard(frame.documents);
      case "close":
      case "have":
      case "pull":
      case "ack":
      case "nak":
      case "checkpointOffer":
      case "checkpointGet":
      case "digest":
      case "announce":
      case "hold":
      case "feed":
        return this.documents.receive(frame, frame.documentRef, { bytes });
      default:
        // PONG, and what is reserved in this version: heard, and nothing to do.
        this.#context.counters.framesIgnored++;
    }
  }

  #onData(frame: Frame, release: () => void): void {
    switch (frame.name) {
      case "lane":
        return this.#lanes.receive(frame, release);
      case "push":
      case "checkpointData":
      case "ephemeral":
      case "fork":
        return this.documents.receive(frame, frame.documentRef, { release });
      default:
        this.#context.counters.framesIgnored++;
        return release();
    }
  }

  #onPing({ token, sentBytes }: FrameOf<"ping">): void {
    this.#received.observeSent(sentBytes);
    this.#received.takeGrant();
    this.send({ name: "pong", token });
    this.send({ name: "credit", totalBytes: this.#received.saidBytes });
  }

  #onCursor(frame: FrameOf<"cursor">): void {
    const cursor = positionIn(this.#context.options.hash, frame);
    if (frame.incarnation && !cursor) this.#context.counters.feedPositionsDamaged++;
    this.#host.onCursor(this, cursor);
  }

  #onMark(frame: FrameOf<"mark">): void {
    const cursor = positionIn(this.#context.options.hash, frame);
    if (cursor === undefined) {
      this.#context.counters.feedPositionsDamaged++;
      return;
    }
    this.#asked = undefined;
    this.offering.heard(0);
    this.#context.emit({ type: "keepCursor", store: this.peer.store, cursor });
  }

  #ping(): void {
    this.#pingMs = this.#context.nowMs;
    this.send({ name: "ping", token: 1, sentBytes: this.#sender.sentBytes });
  }

  #release(bytes: number): void {
    this.#received.done(bytes);
    const totalBytes = this.#received.takeGrant();
    if (totalBytes !== undefined) this.send({ name: "credit", totalBytes });
  }
}

function overCredit(): HeddleError {
  return new HeddleError(HeddleErrorCode.frameUnexpected, "more data came than was asked for");
}
