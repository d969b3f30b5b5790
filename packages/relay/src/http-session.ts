import type { ServerResponse } from "node:http";

import { HeddleErrorCode, isHeddleError, type Scheduler } from "@heddle/core";
import {
  encodeHttpWords,
  FrameConnection,
  FrameQueue,
  framesOfBatch,
  httpWire,
  type CloseWords,
  type FrameCarrier,
  type TransportLimits,
} from "@heddle/sync";

import { answer } from "./http-messages.ts";

export interface HttpSessionOptions {
  readonly scheduler: Scheduler;
  readonly limits?: Partial<TransportLimits>;
  /** A session without a request under way is given up after so long. */
  readonly idleMs: number;
  readonly holdMsMax: number;
  readonly onReleased: () => void;
  /** It is given up because no request came. */
  readonly onIdle?: () => void;
}

interface Poll {
  readonly response: ServerResponse;
  readonly takes: boolean;
  readonly cancel: () => void;
}

/**
 * The acceptor's end of a session over HTTP. Requests of each direction are numbered and come one after
 * the other; one that does not fit is a request that was lost or repeated on the way, and ends it.
 */
export class HttpSession implements FrameCarrier {
  readonly connection: FrameConnection;
  readonly #options: HttpSessionOptions;
  readonly #queue = new FrameQueue();
  /** In the answer to the poll before: taken when the next one comes. */
  #uncertainBytes = 0;
  #ups = 0;
  #downs = 0;
  #requests = 0;
  #poll: Poll | undefined;
  #isAnswerDue = false;
  #isPaused = false;
  /** A POST whose frames wait for the host. */
  #held: { readonly response: ServerResponse; readonly cancel: () => void } | undefined;
  #isUpRunning = false;
  #words: CloseWords | undefined;
  #isReleased = false;
  #cancelIdle: (() => void) | undefined;

  constructor(options: HttpSessionOptions) {
    this.#options = options;
    this.connection = new FrameConnection(this, options);
    this.#waitForRequest();
  }

  get bufferedBytes(): number {
    return this.#queue.bytes + this.#uncertainBytes;
  }

  // What the connection asks for.

  send(bytes: Uint8Array): void {
    this.#queue.push(bytes);
    this.#answerSoon();
  }

  close(words: CloseWords): void {
    this.#words = words;
    this.#letUpGo(410);
    this.#answerSoon();
  }

  destroy(): void {
    this.#release();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#letUpGo(204);
  }

  // What requests ask for.

  /** Notes that a request is under way, from its first byte to the end of its answer. */
  begin(response: ServerResponse): void {
    this.#requests++;
    this.#cancelIdle?.();
    response.once("close", () => {
      this.#requests--;
      this.#waitForRequest();
    });
  }

  /** Claims the place of the next POST of frames; false when it is not `number`'s turn. */
  beginUp(number: number): boolean {
    if (this.#isUpRunning || this.#held || number !== this.#ups) return false;
    this.#ups++;
    this.#isUpRunning = true;
    return true;
  }

  /** The body of that POST. Its answer waits while the host has paused. */
  up(body: Uint8Array, response: ServerResponse): void {
    this.#isUpRunning = false;
    try {
      for (const frame of framesOfBatch(body)) this.connection.received(frame);
    } catch (error) {
      if (!isHeddleError(error)) throw error;
      this.connection.close(error.code, error.message);
    }
    if (!this.connection.isOpen) return answer(response, 410, this.#goodbye());
    if (!this.#isPaused) return answer(response, 204);
    const cancel = this.#options.scheduler.after(this.#options.holdMsMax, () => this.#letUpGo(202));
    this.#held = { response, cancel };
    return undefined;
  }

  down(number: number, response: ServerResponse, wait: { ms: number; takes: boolean }): void {
    if (this.#poll || number !== this.#downs) {
      this.fault("a poll was lost or repeated");
      return answer(response, 410, this.#goodbye());
    }
    this.#downs++;
    this.#uncertainBytes = 0;
    this.connection.progressed();
    response.once("close", () => {
      // Nobody knows how much of it arrived.
      if (!response.writableFinished) this.#lost("a poll was cut off");
    });
    const cancel = this.#options.scheduler.after(wait.ms, () => this.#answerPoll(true));
    this.#poll = { response, takes: wait.takes, cancel };
    this.#answerSoon();
  }

  /** The other side says goodbye. */
  bye(words: CloseWords, response: ServerResponse): void {
    answer(response, 204);
    this.connection.ended(words, true);
    this.#words ??= words;
    this.#release();
  }

  /** A request that has no place in this session. The goodbye goes to a poll, if there is one. */
  fault(reason: string, code: HeddleErrorCode = HeddleErrorCode.frameUnexpected): void {
    this.connection.close(code, reason);
  }

  #lost(reason: string): void {
    if (!this.#isReleased) this.connection.failed(HeddleErrorCode.sessionClosed, reason);
  }

  /** What is sent in one turn travels together. */
  #answerSoon(): void {
    if (this.#isAnswerDue || this.#poll === undefined) return;
    this.#isAnswerDue = true;
    setImmediate(() => {
      this.#isAnswerDue = false;
      this.#answerPoll(false);
    });
  }

  #answerPoll(isOver: boolean): void {
    const poll = this.#poll;
    if (poll === undefined) return;
    const isEnding = this.#words !== undefined;
    const hasFrames = !this.#queue.isEmpty && (poll.takes || isEnding);
    if (!hasFrames && !isEnding && !isOver) return;
    this.#poll = undefined;
    poll.cancel();
    if (hasFrames) {
      const { body, bytes } = this.#queue.take();
      this.#uncertainBytes = bytes;
      return answer(poll.response, 200, body);
    }
    if (!isEnding) return answer(poll.response, 204);
    // Told, as soon as it has left.
    poll.response.once("finish", () => {
      this.connection.ended(this.#words!, true);
      this.#release();
    });
    return answer(poll.response, 410, this.#goodbye());
  }

  #letUpGo(status: 202 | 204 | 410): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    held.cancel();
    answer(held.response, status, status === 410 ? this.#goodbye() : "");
  }

  #goodbye(): string {
    return encodeHttpWords(this.#words ?? { closeCode: 1000, text: "" });
  }

  #waitForRequest(): void {
    this.#cancelIdle?.();
    if (this.#isReleased || this.#requests > 0) return;
    const { scheduler, idleMs, onIdle } = this.#options;
    this.#cancelIdle = scheduler.after(idleMs, () => {
      onIdle?.();
      this.connection.failed(HeddleErrorCode.sessionTimeout, `no request for ${idleMs} ms`);
    });
  }

  #release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#cancelIdle?.();
    this.#letUpGo(410);
    const poll = this.#poll;
    this.#poll = undefined;
    poll?.cancel();
    if (poll) answer(poll.response, 410, this.#goodbye());
    this.#options.onReleased();
  }
}

/** Above what an honest client asks for; it is cut short, not refused. */
export function pollMsOf(text: string | null): number {
  const asked = Number(text ?? httpWire.pollMsMax);
  return Number.isFinite(asked) ? Math.min(Math.max(0, asked), httpWire.pollMsMax) : 0;
}
