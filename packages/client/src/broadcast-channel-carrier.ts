import { HeddleErrorCode, type Scheduler } from "@heddle/core/base";
import {
  FrameConnection,
  SignsOfLife,
  type CloseWords,
  type FrameCarrier,
  type TransportLimits,
} from "@heddle/sync/connection";

import {
  readPairMessage,
  type BroadcastChannelLike,
  type PairMessage,
} from "./broadcast-channel-like.ts";

export interface PairOptions {
  readonly scheduler: Scheduler;
  readonly limits: TransportLimits;
  readonly silenceMs: number;
}

/** The other side is told what was taken each time it adds up to so much, and with everything else. */
const takenBytesStep = 64 * 1024;

/**
 * One end of a pair. A channel takes whatever is posted and never says how much waits, so both sides
 * count: what the other has not handed out yet is what is buffered here.
 */
export class BroadcastChannelCarrier implements FrameCarrier {
  readonly connection: FrameConnection;
  readonly #channel: BroadcastChannelLike;
  readonly #life: SignsOfLife;
  #sentBytes = 0;
  #sentCount = 0;
  #takenThere = 0;
  #receivedCount = 0;
  #takenHere = 0;
  #takenSaid = 0;
  #isReleased = false;

  /** Takes the channel over. */
  constructor(channel: BroadcastChannelLike, { scheduler, limits, silenceMs }: PairOptions) {
    this.#channel = channel;
    this.connection = new FrameConnection(this, { scheduler, limits });
    this.#life = new SignsOfLife({
      scheduler,
      silenceMs,
      ask: () => this.#sayAlive(true),
      onSilence: () => {
        this.connection.failed(HeddleErrorCode.sessionTimeout, "the other side is silent");
      },
    });
    channel.onmessage = ({ data }: { readonly data: unknown }) => this.#receive(data);
    channel.onmessageerror = () => this.#fault("a message that cannot be read");
  }

  get bufferedBytes(): number {
    return this.#sentBytes - this.#takenThere;
  }

  send(bytes: Uint8Array): void {
    // Of a view the whole buffer behind it would be copied.
    const own = bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
    this.#sentBytes += bytes.length;
    this.#takenSaid = this.#takenHere;
    const number = this.#sentCount++;
    this.#post({ kind: "data", number, bytes: own, taken: this.#takenHere });
  }

  consumed(bytes: number): void {
    this.#takenHere += bytes;
    if (this.#takenHere - this.#takenSaid >= takenBytesStep) this.#sayAlive(false);
  }

  close({ closeCode, text }: CloseWords): void {
    this.#post({ kind: "bye", closeCode, text });
  }

  destroy(): void {
    this.#release();
  }

  #receive(data: unknown): void {
    const message = readPairMessage(data);
    if (message === undefined) return this.#fault("a message of an unknown kind");
    this.#life.heard();
    switch (message.kind) {
      case "data":
        this.#heardTaken(message.taken);
        if (message.number !== this.#receivedCount++) return this.#fault("a message is missing");
        return this.connection.received(message.bytes);
      case "alive":
        if (message.isQuestion) this.#sayAlive(false);
        return this.#heardTaken(message.taken);
      case "bye":
        this.#post({ kind: "gone" });
        return this.#end(message);
      case "gone":
        return this.#end({ closeCode: 1000, text: "" });
      default:
        return undefined;
    }
  }

  /** What the other side cannot have taken it has not taken. */
  #heardTaken(taken: number): void {
    this.#takenThere = Math.min(this.#sentBytes, Math.max(this.#takenThere, taken));
    this.connection.progressed();
  }

  #sayAlive(isQuestion: boolean): void {
    this.#takenSaid = this.#takenHere;
    this.#post({ kind: "alive", taken: this.#takenHere, isQuestion });
  }

  #fault(reason: string): void {
    this.connection.close(HeddleErrorCode.frameMalformed, reason);
  }

  #end(words: CloseWords): void {
    this.#release();
    this.connection.ended(words, true);
  }

  #post(message: PairMessage): void {
    if (!this.#isReleased) this.#channel.postMessage(message);
  }

  #release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#life.stop();
    this.#channel.onmessage = null;
    this.#channel.close();
  }
}
