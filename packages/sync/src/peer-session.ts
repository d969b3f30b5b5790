import {
  assert,
  decodeHlc,
  decodeLane,
  documentIdOf,
  HeddleError,
  HeddleErrorCode,
  isHeddleError,
  parseDocumentName,
  type DocumentEntry,
  type DocumentId,
  type LaneDescriptor,
  type LaneId,
} from "@heddle/core";

import { byeCodeOf } from "./bye-code.ts";
import type { DocumentLink, LinkSession } from "./document-link.ts";
import { ReceiveCredit, SendCredit } from "./flow-credit.ts";
import { PartJoiner, partsOf } from "./frame-parts.ts";
import { decodeFrame, encodeFrame, type Frame, type FrameOf } from "./frame.ts";
import { Handshake, protocolVersion, type Side } from "./handshake.ts";
import { isPermanentNak } from "./nak-code.ts";
import { unpackEnvelopes } from "./packed-envelope.ts";
import { LaneRefs } from "./ref-tables.ts";
import { fullJitter } from "./retry-policy.ts";
import type { SyncContext } from "./sync-context.ts";
import type { FeedCursor, PeerKey } from "./sync-effects.ts";
import { wireLimits } from "./wire-limits.ts";

/** What a session asks of the replica around it. */
export interface SessionHost {
  /** Greeting done. */
  onLive(session: PeerSession): void;
  onClosed(session: PeerSession, code: HeddleErrorCode): void;
  /** The peer opened a document: returns the link to it, at once or when it is loaded. */
  /** Whether a document is exchanged when a peer opens it. */
  takes(document: DocumentId): boolean;
  onOpen(session: PeerSession, entry: DocumentEntry, then: (link: DocumentLink) => void): void;
  /** The peer follows our feed from here. */
  onCursor(session: PeerSession, cursor: FeedCursor | undefined): void;
}

const refKind = { document: 1, lane: 2 } as const;
const dataFrames: ReadonlySet<Frame["name"]> = new Set([
  "lane",
  "push",
  "part",
  "fork",
  "ephemeral",
  "checkpointData",
]);

/**
 * One connection to one peer, the same on both sides.
 *
 *   greeting ──both AUTHs good──► live ──BYE, silence, fault──► closed
 *
 * `closed` is final. A fault of the peer closes the session with a code and nothing else.
 */
export class PeerSession implements LinkSession {
  readonly key: PeerKey;
  readonly links = new Map<number, DocumentLink>();
  readonly #context: SyncContext;
  readonly #host: SessionHost;
  readonly #hello: FrameOf<"hello">;
  readonly #handshake: Handshake;
  readonly #lanes: LaneRefs;
  readonly #joiner = new PartJoiner();
  readonly #received: ReceiveCredit;
  readonly #openMs: number;
  /** By the peer's number; a list of frames while the document is being loaded. */
  readonly #peerLinks = new Map<number, DocumentLink | Frame[]>();
  readonly #pushing = new Set<DocumentLink>();
  #credit = new SendCredit(0);
  #state: "greeting" | "live" | "closed" = "greeting";
  #isPeerProven = false;
  #isAuthSent = false;
  #heardMs: number;
  #pingMs = 0;
  #nextRef = 0;
  #transfer = 0;
  /** What CURSOR said, until a MARK shows that it was heard. */
  #asked: { readonly cursor: FeedCursor | undefined; attempts: number; dueMs: number } | undefined;

  constructor(context: SyncContext, host: SessionHost, key: PeerKey, side: Side) {
    this.#context = context;
    this.#host = host;
    this.key = key;
    this.#hello = helloOf(context);
    this.#handshake = new Handshake(context.options.hash, side, this.#hello);
    this.#lanes = new LaneRefs(context.limits.lanesPerSessionMax);
    this.#received = new ReceiveCredit(context.limits.creditBytes);
    this.#openMs = context.nowMs;
    this.#heardMs = context.nowMs;
    this.#sendBytes(this.#handshake.helloBytes);
  }

  get isLive(): boolean {
    return this.#state === "live";
  }

  get isClosed(): boolean {
    return this.#state === "closed";
  }

  get isCreditOpen(): boolean {
    return this.#state === "live" && this.#credit.isOpen;
  }

  /** The peer's greeting; there is one when the session is live. */
  get peer(): FrameOf<"hello"> {
    assert(this.#handshake.peerHello !== undefined, "a live session has heard a HELLO");
    return this.#handshake.peerHello;
  }

  /** Bytes that the peer makes us hold. */
  get heldBytes(): number {
    return this.#received.heldBytes;
  }

  receive(bytes: Uint8Array): void {
    if (this.#state === "closed") return;
    this.#heardMs = this.#context.nowMs;
    this.#context.counters.framesReceived++;
    this.#context.counters.bytesReceived += bytes.length;
    this.#attempt(() => {
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
    if (this.#asked && nowMs >= this.#asked.dueMs) this.follow(this.#asked.cursor);
    const isBlocked = this.#pushing.size > 0 && !this.#credit.isOpen;
    if (nowMs - this.#pingMs >= (isBlocked ? limits.retryMsMin * 5 : limits.pingMs)) this.#ping();
    this.pump();
  }

  /** Ends the session; the peer is told why. */
  close(code: HeddleErrorCode): void {
    if (this.#state === "closed") return;
    this.#sendBytes(encodeFrame({ name: "bye", code: byeCodeOf(code), reason: code }));
    this.closed(code);
  }

  /** The transport is gone, or about to be. */
  closed(code: HeddleErrorCode): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#pushing.clear();
    this.#host.onClosed(this, code);
  }

  send(frame: Frame): void {
    if (this.#state !== "live") return;
    const bytes = encodeFrame(frame);
    const bytesMax = Math.min(this.peer.frameBytesMax, wireLimits.frameBytesMax);
    const isData = dataFrames.has(frame.name);
    const frames = bytes.length > bytesMax ? partsOf(bytes, ++this.#transfer, bytesMax) : [bytes];
    for (const each of frames) {
      if (isData) this.#credit.spend(each.length);
      this.#sendBytes(each);
    }
  }

  refOfLane(lane: LaneDescriptor): number {
    const ref = this.#lanes.refOf(lane.id);
    if (ref === undefined) {
      this.close(HeddleErrorCode.relayOverloaded);
      return 0;
    }
    const { laneRef, isNew } = ref;
    if (isNew) this.send({ name: "lane", laneRef, descriptor: lane.bytes });
    return laneRef;
  }

  laneOfRef(laneRef: number): LaneId | undefined {
    return this.#lanes.laneOf(laneRef);
  }

  refOfPeerLane(lane: LaneId): number | undefined {
    return this.#lanes.refOfPeers(lane);
  }

  /** Asks for all that changed at the peer since `cursor`. */
  follow(cursor: FeedCursor | undefined): void {
    const { limits, nowMs, options } = this.#context;
    const attempts = (this.#asked?.attempts ?? 0) + 1;
    const bounds = { delayMsMin: limits.retryMsMin * 5, delayMsMax: limits.retryMsMax };
    const dueMs = nowMs + fullJitter(attempts, bounds, options.random);
    this.#asked = { cursor, attempts, dueMs };
    const { incarnation, arrival = 0 } = cursor ?? {};
    this.send({ name: "cursor", incarnation, arrival });
  }

  wantsToPush(link: DocumentLink): void {
    this.#pushing.add(link);
  }

  /** The next number for a document of ours; `undefined` when this session has too many. */
  nextDocumentRef(): number | undefined {
    const max = Math.min(this.#context.limits.documentsPerSessionMax, wireLimits.refsMax);
    return this.#nextRef < max ? this.#nextRef++ : undefined;
  }

  /** Lets links push, in turns, while there is credit. */
  pump(): void {
    for (const link of this.#pushing) {
      if (!this.isCreditOpen) return;
      this.#pushing.delete(link);
      link.push();
    }
  }

  /** Nothing that was opened here is missing on either side. */
  get isSettled(): boolean {
    return this.isLive && [...this.links.values()].every((link) => link.isSettled);
  }

  #dispatch(frame: Frame, bytes: Uint8Array): void {
    if (frame.name === "hello") return this.#onHello(frame, bytes);
    if (frame.name === "auth") return this.#onAuth(frame);
    if (frame.name === "bye") return this.closed(HeddleErrorCode.sessionClosed);
    if (this.#state !== "live") {
      // The peer may be live a moment before us; what it says before it was proven is not heard.
      this.#context.counters.framesIgnored++;
      return;
    }
    if (!dataFrames.has(frame.name)) return this.#onControl(frame);
    if (!this.#received.receive(bytes.length)) throw overCredit();
    this.#onData(frame, () => this.#release(bytes.length));
  }

  #onHello(hello: FrameOf<"hello">, bytes: Uint8Array): void {
    if (this.#state !== "greeting") throw unexpected("HELLO");
    const input = this.#handshake.receiveHello(this.#hello, hello, bytes);
    this.#credit = new SendCredit(hello.creditBytes);
    this.#context.request("sign", { bytes: input }, (signature) => {
      if (this.#state === "closed") return;
      const proof = new Uint8Array();
      this.#sendBytes(encodeFrame({ name: "auth", signature, proof }));
      this.#isAuthSent = true;
      this.#becomeLive();
    });
  }

  #onAuth({ signature }: FrameOf<"auth">): void {
    if (this.#state !== "greeting" || this.#isPeerProven) throw unexpected("AUTH");
    const bytes = this.#handshake.peerAuthInput();
    const { devicePublicKey } = this.peer;
    this.#context.request("verify", { devicePublicKey, bytes, signature }, (isGood) => {
      if (this.#state === "closed") return;
      // A forger gets no further than a damaged frame does; an honest peer tries again.
      if (!isGood) return this.close(HeddleErrorCode.frameMalformed);
      this.#isPeerProven = true;
      this.#becomeLive();
    });
  }

  #becomeLive(): void {
    if (!this.#isPeerProven || !this.#isAuthSent) return;
    this.#state = "live";
    this.#host.onLive(this);
  }

  #onControl(frame: Frame): void {
    switch (frame.name) {
      case "credit":
        return this.#credit.grant(frame.totalBytes);
      case "ping":
        return this.#onPing(frame);
      case "cursor":
        return this.#host.onCursor(this, cursorOf(frame));
      case "mark":
        return this.#onMark(frame);
      case "open":
        return this.#onOpen(frame);
      case "unknownRef":
        return this.#onUnknownRef(frame);
      case "close":
      case "have":
      case "pull":
      case "ack":
      case "nak":
        return this.#toLink(frame, frame.documentRef);
      default:
        // PONG, and what is reserved in this version: heard, and nothing to do.
        this.#context.counters.framesIgnored++;
    }
  }

  #onData(frame: Frame, release: () => void): void {
    switch (frame.name) {
      case "part": {
        const whole = this.#joiner.add(frame);
        release();
        if (whole === "dropped") this.#context.counters.partsDropped++;
        if (!(whole instanceof Uint8Array)) return;
        const joined = decodeFrame(whole, wireLimits.joinedBytesMax);
        const isNested =
          joined === undefined || joined.name === "part" || !dataFrames.has(joined.name);
        if (isNested) throw unexpected("a frame in parts");
        return this.#onData(joined, () => {});
      }
      case "push":
        return this.#toLink(frame, frame.documentRef, release);
      case "lane":
        return this.#onLane(frame, release);
      case "fork":
      case "ephemeral":
        this.#toLink(frame, frame.documentRef);
        return release();
      default:
        this.#context.counters.framesIgnored++;
        return release();
    }
  }

  #onOpen(frame: FrameOf<"open">): void {
    const { hash, space } = this.#context.options;
    const name = parseDocumentName(frame.documentName);
    const { document, documentRef } = frame;
    if (documentIdOf(hash, space, name) !== document) throw refusedName();
    if (!this.#host.takes(document)) {
      this.#context.counters.framesIgnored++;
      return;
    }
    const waiting = this.#peerLinks.get(documentRef);
    if (waiting !== undefined && !Array.isArray(waiting)) {
      if (waiting.document !== document) throw unexpected("a number given twice");
      return;
    }
    const max = this.#context.limits.documentsPerSessionMax;
    if (this.#peerLinks.size >= max && !waiting) throw overDocuments();
    if (waiting) return;
    const frames: Frame[] = [];
    this.#peerLinks.set(documentRef, frames);
    const createdAt = decodeHlc(frame.createdAt);
    this.#host.onOpen(this, { id: document, name, createdAt }, (link) => {
      if (this.#state !== "live") return;
      this.#peerLinks.set(documentRef, link);
      link.isOpenedByPeer = true;
      link.changed();
      this.#attempt(() => {
        for (const frame of frames) this.#onLinkFrame(link, frame, () => {});
      });
    });
  }

  #toLink(frame: Frame, documentRef: number, release: () => void = () => {}): void {
    const link = this.#peerLinks.get(documentRef);
    if (link === undefined) {
      this.#context.counters.refsUnknown++;
      this.send({ name: "unknownRef", kind: refKind.document, ref: documentRef });
      return release();
    }
    if (!Array.isArray(link)) return this.#onLinkFrame(link, frame, release);
    if (link.length < this.#context.limits.waitingFramesMax) link.push(frame);
    else this.#context.counters.framesRefused++;
    release();
  }

  #onLinkFrame(link: DocumentLink, frame: Frame, release: () => void): void {
    switch (frame.name) {
      case "have":
        return link.receiveHave(frame);
      case "ack":
        return link.receiveAck(frame.positions);
      case "pull":
        return link.receivePull(frame);
      case "push":
        return this.#onPush(link, frame, release);
      case "fork":
        return link.exchange.forkWatch.receive(link, frame);
      case "nak":
        if (isPermanentNak(frame.code)) link.suspend(frame.lane, frame.code);
        else link.changed();
        return undefined;
      case "ephemeral": {
        const { name, payload } = frame;
        const event = { name, payload, peer: this.key, document: link.document };
        return this.#context.emit({ type: "event", event });
      }
      case "close":
        link.isOpenedByPeer = false;
        this.#peerLinks.delete(frame.documentRef);
        return undefined;
      default:
        return undefined;
    }
  }

  #onPush(link: DocumentLink, push: FrameOf<"push">, release: () => void): void {
    const lane = this.#lanes.peersLane(push.laneRef);
    if (lane === undefined) {
      this.#context.counters.refsUnknown++;
      this.send({ name: "unknownRef", kind: refKind.lane, ref: push.laneRef });
      return release();
    }
    if (push.envelopes.length === 0) return release();
    const { hash, space } = this.#context.options;
    const place = { space, document: link.document, lane: lane.id };
    const run = unpackEnvelopes(hash, place, {
      firstSeq: push.firstSeq,
      prev: push.prev,
      packed: push.envelopes,
    });
    link.exchange.offer(link, lane, run, release);
  }

  #onUnknownRef({ kind, ref }: FrameOf<"unknownRef">): void {
    if (kind === refKind.lane) {
      this.#lanes.lost(ref);
      for (const link of this.links.values()) link.resend();
      return;
    }
    this.links.get(ref)?.open();
  }

  /** A lane may be used at once; when it turns out to be nobody's, the session is over. */
  #onLane({ laneRef, descriptor }: FrameOf<"lane">, release: () => void): void {
    const said = decodeLane(this.#context.options.hash, descriptor.slice());
    const lane = this.#context.lanes.get(said.id) ?? said;
    this.#context.counters.refsForgotten += this.#lanes.namePeers(laneRef, lane);
    if (lane !== said) return release();
    this.#context.request("verifyLane", { lane }, (isGood) => {
      release();
      if (isGood) this.#context.lanes.add(lane);
      else {
        this.#context.counters.signaturesBad++;
        this.close(HeddleErrorCode.frameMalformed);
      }
    });
  }

  #onPing({ token, sentBytes }: FrameOf<"ping">): void {
    this.#received.observeSent(sentBytes);
    this.#received.takeGrant();
    this.send({ name: "pong", token });
    this.send({ name: "credit", totalBytes: this.#received.saidBytes });
  }

  #onMark({ incarnation, arrival }: FrameOf<"mark">): void {
    this.#asked = undefined;
    const cursor = { incarnation: incarnation.slice(), arrival };
    this.#context.emit({ type: "keepCursor", store: this.peer.store, cursor });
  }

  #ping(): void {
    this.#pingMs = this.#context.nowMs;
    this.send({ name: "ping", token: 1, sentBytes: this.#credit.sentBytes });
  }

  #release(bytes: number): void {
    this.#received.done(bytes);
    const totalBytes = this.#received.takeGrant();
    if (totalBytes !== undefined) this.send({ name: "credit", totalBytes });
  }

  #sendBytes(bytes: Uint8Array): void {
    this.#context.counters.framesSent++;
    this.#context.counters.bytesSent += bytes.length;
    this.#context.emit({ type: "send", peer: this.key, bytes });
  }

  /** A fault of the peer ends the session with its code; a fault of ours is not caught. */
  #attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (!isHeddleError(error)) throw error;
      this.#context.counters.framesRefused++;
      this.close(error.code);
    }
  }
}

function helloOf({ options, limits }: SyncContext): FrameOf<"hello"> {
  const { space, store, incarnations, devicePublicKey, random, role, engine } = options;
  return {
    name: "hello",
    versionMin: protocolVersion.floor,
    versionMax: protocolVersion.newest,
    features: 0,
    space,
    store,
    incarnation: incarnations.at(-1)!.nonce,
    devicePublicKey,
    nonce: random.bytes(32),
    frameBytesMax: wireLimits.frameBytesMax,
    creditBytes: limits.creditBytes,
    role,
    engine,
  };
}

function cursorOf({ incarnation, arrival }: FrameOf<"cursor">): FeedCursor | undefined {
  return incarnation && { incarnation, arrival };
}

function unexpected(what: string): HeddleError {
  return new HeddleError(HeddleErrorCode.frameUnexpected, `${what} has no meaning here`);
}

function overCredit(): HeddleError {
  return new HeddleError(HeddleErrorCode.frameUnexpected, "more data came than was asked for");
}

function overDocuments(): HeddleError {
  return new HeddleError(HeddleErrorCode.relayOverloaded, "too many documents on one session");
}

function refusedName(): HeddleError {
  return new HeddleError(HeddleErrorCode.frameMalformed, "a document is not what its name says");
}
