import { HeddleErrorCode, isHeddleError } from "@heddle/core/base";
import {
  decodeHttpWords,
  encodeHttpWords,
  FrameConnection,
  FrameQueue,
  framesOfBatch,
  httpWire,
  type CloseWords,
  type FrameCarrier,
  type FrameConnectionOptions,
} from "@heddle/sync/connection";

import type { ExchangeAnswer, HttpExchange } from "./http-exchange.ts";

export interface HttpCarrierOptions extends FrameConnectionOptions {
  readonly exchange: HttpExchange;
  /** `sessions/ID/` */
  readonly path: string;
  readonly pollMs: number;
  /** What an answer may take beyond the time that it was asked to wait. */
  readonly graceMs: number;
}

/**
 * One session over HTTP: at most one POST of frames up and one poll for frames down at a time, both
 * numbered. Whatever goes wrong with either ends the session: nothing is sent twice, nothing resumed.
 */
export class HttpCarrier implements FrameCarrier {
  readonly connection: FrameConnection;
  readonly #options: HttpCarrierOptions;
  readonly #queue = new FrameQueue();
  #uncertainBytes = 0;
  #ups = 0;
  #downs = 0;
  #isPaused = false;
  #isPosting = false;
  /** The acceptor's host has paused: it is asked again before it gets more. */
  #mustAsk = false;
  #isOver = false;
  #words: CloseWords | undefined;

  constructor(options: HttpCarrierOptions) {
    this.#options = options;
    this.connection = new FrameConnection(this, options);
    void this.#poll();
  }

  get bufferedBytes(): number {
    return this.#queue.bytes + this.#uncertainBytes;
  }

  send(bytes: Uint8Array): void {
    this.#queue.push(bytes);
    void this.#post();
  }

  close(words: CloseWords): void {
    this.#words = words;
    void this.#post();
  }

  destroy(): void {
    this.#isOver = true;
    this.#options.exchange.abortAll();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
  }

  /** Sends what is queued, batch after batch, then the goodbye, if there is one. */
  async #post(): Promise<void> {
    if (this.#isPosting) return;
    this.#isPosting = true;
    // What is sent in one turn travels together.
    await Promise.resolve();
    const mayGoOn = () => !this.#isOver && (this.#mustAsk || !this.#queue.isEmpty);
    while (mayGoOn() && (await this.#postBatch()));
    this.#isPosting = false;
    if (this.#words && this.#queue.isEmpty && !this.#isOver) await this.#sayGoodbye(this.#words);
  }

  async #postBatch(): Promise<boolean> {
    const { body, bytes } = this.#mustAsk
      ? { body: new Uint8Array(), bytes: 0 }
      : this.#queue.take();
    this.#uncertainBytes = bytes;
    const msMax = httpWire.holdMsMax + this.#options.graceMs;
    const answer = await this.#request({ path: `up?n=${this.#ups++}`, body, msMax });
    if (answer === undefined) return false;
    // The end, with what came before it, is told by the poll.
    if (answer.status === 410) return false;
    if (answer.status !== 204 && answer.status !== 202) return this.#lost(answer.status);
    this.#mustAsk = answer.status === 202;
    this.#uncertainBytes = 0;
    this.connection.progressed();
    return true;
  }

  async #sayGoodbye(words: CloseWords): Promise<void> {
    const body = encodeHttpWords(words);
    const answer = await this.#request({ path: "close", body, msMax: this.#options.graceMs });
    if (answer) this.#end(words, answer.status === 204 || answer.status === 410);
  }

  async #poll(): Promise<void> {
    const { pollMs, graceMs } = this.#options;
    while (!this.#isOver) {
      const takes = !this.#isPaused;
      const waitMs = takes ? pollMs : Math.min(pollMs, httpWire.pausedPollMs);
      const path = `down?n=${this.#downs++}&wait=${waitMs}&take=${takes ? 1 : 0}`;
      const answer = await this.#request({ path, method: "GET", msMax: waitMs + graceMs });
      if (answer === undefined) return;
      if (answer.status === 410) {
        return this.#end(decodeHttpWords(new TextDecoder().decode(answer.body)), true);
      }
      if (answer.status === 200) this.#receive(answer.body);
      else if (answer.status !== 204) this.#lost(answer.status);
    }
  }

  #receive(body: Uint8Array): void {
    try {
      for (const frame of framesOfBatch(body)) this.connection.received(frame);
    } catch (error) {
      if (!isHeddleError(error)) throw error;
      this.connection.close(error.code, error.message);
    }
  }

  /** `undefined` when the session is over, because of this or before. */
  async #request(
    request: Omit<Parameters<HttpExchange["request"]>[0], "path"> & { readonly path: string },
  ): Promise<ExchangeAnswer | undefined> {
    const { exchange, path } = this.#options;
    try {
      const answer = await exchange.request({ ...request, path: path + request.path });
      return this.#isOver ? undefined : answer;
    } catch (error) {
      if (this.#isOver) return undefined;
      if (!isHeddleError(error)) throw error;
      this.connection.failed(error.code, "a request was lost");
      return undefined;
    }
  }

  #lost(status: number): false {
    this.connection.failed(HeddleErrorCode.sessionClosed, `a request was answered with ${status}`);
    return false;
  }

  #end(words: CloseWords, wasPolite: boolean): void {
    this.destroy();
    this.connection.ended(words, wasPolite);
  }
}
