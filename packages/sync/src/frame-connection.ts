import { assert, HeddleError, HeddleErrorCode, type Scheduler } from "@heddle/core/base";

import { closeWordsOf, readCloseWords, type CloseWords } from "./close-words.ts";
import {
  newConnectionCounters,
  transportLimits,
  type Connection,
  type ConnectionCounters,
  type ConnectionEnd,
  type ConnectionHandlers,
  type TransportLimits,
} from "./transport.ts";
import { wireLimits } from "./wire-limits.ts";

/** Of a message in memory, beside its bytes: a flood of tiny ones is bounded as well. */
const messageOverheadBytes = 128;

/** What a transport brings to a connection: moving bytes. All that is decided is decided above it. */
export interface FrameCarrier {
  /** Bytes given to `send` that have not left, or not been taken by the other side. */
  readonly bufferedBytes: number;
  send(bytes: Uint8Array): void;
  /** Sends what is buffered, then the words; then the carrier reports `ended`. */
  close(words: CloseWords): void;
  /** Lets go of everything at once. */
  destroy(): void;
  /** Slows the peer down, where that can be done. */
  pause?(): void;
  resume?(): void;
  /** So many bytes of messages were handed out and are no longer held. */
  consumed?(bytes: number): void;
}

export interface FrameConnectionOptions {
  readonly scheduler: Scheduler;
  readonly limits?: Partial<TransportLimits>;
}

/**
 * The {@link Connection} of every transport: caps, the order of events, pausing, back-pressure and the
 * end, over a carrier that knows none of that. The carrier reports with `received`, `progressed` and
 * `ended`.
 */
export class FrameConnection implements Connection {
  readonly counters: ConnectionCounters = newConnectionCounters();
  readonly #carrier: FrameCarrier;
  readonly #scheduler: Scheduler;
  readonly #limits: TransportLimits;
  #state: "open" | "closing" | "ended" | "closed" = "open";
  #handlers: ConnectionHandlers | undefined;
  #held: Uint8Array[] = [];
  /** How many of them were handed out already. */
  #handed = 0;
  #heldBytes = 0;
  #isPaused = false;
  #isHandingOut = false;
  #isCongested = false;
  #cancelPoll: (() => void) | undefined;
  #cancelClose: (() => void) | undefined;
  /** What this side said, or how the connection ended. */
  #end: ConnectionEnd | undefined;

  constructor(carrier: FrameCarrier, { scheduler, limits }: FrameConnectionOptions) {
    this.#carrier = carrier;
    this.#scheduler = scheduler;
    this.#limits = { ...transportLimits, ...limits };
  }

  get bufferedBytes(): number {
    return this.#state === "open" ? this.#carrier.bufferedBytes : 0;
  }

  get isCongested(): boolean {
    return this.#isCongested;
  }

  /** What arrived and was not handed out yet takes so many bytes. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** False from the first word of a goodbye on. */
  get isOpen(): boolean {
    return this.#state === "open";
  }

  listen(handlers: ConnectionHandlers): void {
    assert(this.#handlers === undefined, "a connection is listened to once");
    this.#handlers = handlers;
    this.#handOut();
  }

  send(bytes: Uint8Array): void {
    assert(bytes.length > 0, "a message has at least one byte");
    if (bytes.length > wireLimits.frameBytesMax) throw tooLarge("this side would send", bytes);
    if (this.#state !== "open") {
      this.counters.framesDropped++;
      return;
    }
    if (this.#carrier.bufferedBytes + bytes.length > this.#limits.sendBufferBytesMax) {
      this.close(HeddleErrorCode.relayOverloaded, "the peer reads too slowly");
      return;
    }
    this.counters.framesSent++;
    this.counters.bytesSent += bytes.length;
    this.#carrier.send(bytes);
    if (!this.#isCongested && this.#carrier.bufferedBytes >= this.#limits.congestedBytes) {
      this.#isCongested = true;
      this.#poll();
    }
  }

  pause(): void {
    if (this.#isPaused || this.#state !== "open") return;
    this.#isPaused = true;
    this.#carrier.pause?.();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (this.#state === "open") this.#carrier.resume?.();
    this.#handOut();
  }

  close(code: HeddleErrorCode, reason = ""): void {
    if (this.#state !== "open") return;
    this.#state = "closing";
    this.#drop();
    const words = closeWordsOf(code, reason);
    this.#end = { ...readCloseWords(words), wasPolite: false };
    this.#stopPolling();
    // A peer that is not read from could not answer either.
    if (this.#isPaused) this.#carrier.resume?.();
    this.#cancelClose = this.#scheduler.after(this.#limits.closeMsMax, () => {
      this.#carrier.destroy();
      this.#finish();
    });
    this.#carrier.close(words);
  }

  /** A message arrived. Its bytes are this connection's from now on. */
  received(bytes: Uint8Array): void {
    if (this.#state !== "open") {
      this.counters.framesDropped++;
      return;
    }
    if (bytes.length === 0) return this.close(HeddleErrorCode.frameMalformed, "an empty message");
    if (bytes.length > wireLimits.frameBytesMax) {
      return this.close(HeddleErrorCode.frameTooLarge, tooLarge("the peer sent", bytes).message);
    }
    this.counters.framesReceived++;
    this.counters.bytesReceived += bytes.length;
    this.#held.push(bytes);
    this.#heldBytes += bytes.length + messageOverheadBytes;
    this.#handOut();
    if (this.#heldBytes > this.#limits.heldBytesMax) {
      this.close(HeddleErrorCode.relayOverloaded, "more was sent than is read");
    }
  }

  /** The carrier's buffer may have become smaller. */
  progressed(): void {
    if (!this.#isCongested || this.#state !== "open") return;
    if (this.#carrier.bufferedBytes > this.#limits.drainedBytes) return;
    this.#isCongested = false;
    this.#stopPolling();
    this.#handlers?.onDrain();
  }

  /**
   * The carrier is gone. `wasPolite` when the peer said these words, or agreed to ours. The first
   * report counts.
   */
  ended(words: CloseWords, wasPolite: boolean): void {
    if (this.#state === "ended" || this.#state === "closed") return;
    if (this.#state === "closing") {
      this.#end = { ...this.#end!, wasPolite };
      return this.#finish();
    }
    this.#end = { ...readCloseWords(words), wasPolite };
    this.#finish();
  }

  /** Given up by this side without a word to the peer, which would not hear it. */
  failed(code: HeddleErrorCode, reason: string): void {
    this.#carrier.destroy();
    this.ended(closeWordsOf(code, reason), false);
  }

  #finish(): void {
    this.#state = "ended";
    this.#isCongested = false;
    this.#stopPolling();
    this.#cancelClose?.();
    this.#handOut();
  }

  /** Messages in their order, then the end; as far as the host wants them. */
  #handOut(): void {
    if (this.#isHandingOut || this.#handlers === undefined) return;
    this.#isHandingOut = true;
    try {
      while (!this.#isPaused && this.#handed < this.#held.length) {
        const bytes = this.#held[this.#handed++]!;
        this.#heldBytes -= bytes.length + messageOverheadBytes;
        this.#handlers.onMessage(bytes);
        if (this.#state === "open") this.#carrier.consumed?.(bytes.length);
      }
      this.#held.splice(0, this.#handed);
      this.#handed = 0;
    } finally {
      this.#isHandingOut = false;
    }
    if (this.#state !== "ended" || this.#held.length > 0) return;
    this.#state = "closed";
    this.#handlers.onClosed(this.#end!);
  }

  /** What is held when this side closes is for nobody. */
  #drop(): void {
    this.counters.framesDropped += this.#held.length - this.#handed;
    this.#held = [];
    this.#handed = 0;
    this.#heldBytes = 0;
  }

  #poll(): void {
    this.#cancelPoll = this.#scheduler.after(this.#limits.drainPollMs, () => {
      this.progressed();
      if (this.#isCongested) this.#poll();
    });
  }

  #stopPolling(): void {
    this.#cancelPoll?.();
    this.#cancelPoll = undefined;
  }
}

function tooLarge(who: string, { length }: Uint8Array): HeddleError {
  const message = `${who} a message of ${length} bytes, more than ${wireLimits.frameBytesMax}`;
  return new HeddleError(HeddleErrorCode.frameTooLarge, message);
}
