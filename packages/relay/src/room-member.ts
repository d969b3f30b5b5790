import { HeddleError, HeddleErrorCode, type DocumentId } from "@heddle/core";
import { decodeStateVector } from "@heddle/document";
import { TokenBucket } from "@heddle/replica";

import type { GatewayConnection } from "./gateway-connection.ts";
import type { GatewayContext } from "./gateway-context.ts";
import { countLimit } from "./relay-counters.ts";
import type { TurnTaker } from "./catch-up-turns.ts";
import type { RelayLimit } from "./relay-limits.ts";
import { WriterQuota } from "./writer-quota.ts";

/** What a member lacks. */
export interface CatchUp {
  /** Yjs state vector of what it has. */
  readonly vector: Uint8Array;
  /** It asked; otherwise it was shown less than everybody else. */
  readonly isAnswer: boolean;
}

/** What a room has to send; made when it is sent, so that it is never old. */
export interface MemberSources {
  readonly document: { readonly entry: { readonly id: DocumentId } };
  catchUpFrame(catchUp: CatchUp): Uint8Array;
  /** The whole table of presence; `undefined` when nobody is here. */
  awarenessFrame(): Uint8Array | undefined;
}

/** Smaller frames are not worth counting, and leave without a word: only a full buffer drains. */
const largeFrameBytes = 256 * 1024;

/**
 * What one member of a room has been sent. One that reads too slowly is not sent more: it is remembered
 * what it has, and when its buffer is empty it gets all that it lacks at once.
 *
 *   new ──step 1──► owed ──room──► live ──buffer full──► owed
 */
export class RoomMember implements TurnTaker {
  readonly connection: GatewayConnection;
  readonly quota: WriterQuota;
  readonly #context: GatewayContext;
  readonly #sources: MemberSources;
  readonly #catchUpRate: TokenBucket | undefined;
  #hasContent = false;
  #owed: CatchUp | undefined;
  #isAwarenessOwed = false;

  constructor(connection: GatewayConnection, context: GatewayContext, sources: MemberSources) {
    this.connection = connection;
    this.quota = new WriterQuota(context, connection, sources.document.entry.id);
    this.#context = context;
    this.#sources = sources;
    if (connection.address === undefined) return;
    const { catchUpBytesPerSecond: perSecond, catchUpBytesBurst: burst } = context.limits;
    this.#catchUpRate = new TokenBucket({ perSecond, burst }, this.#nowMs);
  }

  /**
   * It sent its state vector. Asking again while an answer is owed changes the question, not the number
   * of answers: one byte may ask for a whole document.
   *
   * @throws HeddleError `HEDDLE_FRAME_MALFORMED`, `HEDDLE_FRAME_TOO_LARGE`.
   */
  ask(vector: Uint8Array): void {
    const { vectorBytesMax } = this.#context.limits;
    if (vector.length > vectorBytesMax) {
      countLimit(this.#context.counters, "vectorBytesMax");
      const message = `a state vector of ${vector.length} bytes, at most ${vectorBytesMax} are taken`;
      throw new HeddleError(HeddleErrorCode.frameTooLarge, message);
    }
    decodeStateVector(vector);
    const isAskedAgain = this.#owed !== undefined;
    this.#owed = { vector: vector.slice(), isAnswer: true };
    const obstacle = this.#obstacle();
    if (isAskedAgain || obstacle) this.#context.counters.catchUpsDelayed++;
    if (obstacle && !isAskedAgain) countLimit(this.#context.counters, obstacle);
    this.flush();
  }

  /** Shows it what was committed. `vectorBefore` is what everybody had been shown until then. */
  show(frame: Uint8Array, vectorBefore: () => Uint8Array): void {
    // Who is owed a catch-up will find this in it.
    if (!this.#hasContent || this.#owed) return;
    const { counters, limits } = this.#context;
    const { bufferedBytes } = this.connection;
    if (bufferedBytes === 0 || bufferedBytes + frame.length <= limits.sendBufferBytesMax) {
      this.connection.sendFrame(frame);
      counters.deliveries++;
      return;
    }
    counters.sendsDropped++;
    countLimit(counters, "sendBufferBytesMax");
    this.#owed = { vector: vectorBefore(), isAnswer: false };
  }

  showAwareness(frame: Uint8Array): void {
    const { counters, limits } = this.#context;
    if (this.#isAwarenessOwed) return;
    if (this.connection.bufferedBytes <= limits.awarenessBufferBytesMax) {
      this.connection.sendFrame(frame);
      return;
    }
    counters.awarenessDropped++;
    countLimit(counters, "awarenessBufferBytesMax");
    this.#isAwarenessOwed = true;
  }

  askAwareness(): void {
    this.#isAwarenessOwed = true;
    this.flush();
  }

  /** Its buffer is empty. */
  onDrain(): void {
    this.#context.catchUps.end(this.connection);
    this.flush();
  }

  /** Sends what it is owed, as far as there is room: content when its turn comes, then presence. */
  flush(): void {
    if (!this.connection.isOpen || (!this.#owed && !this.#isAwarenessOwed)) return;
    if (this.#obstacle()) return;
    if (this.#owed) this.#context.turns.ask(this);
    else this.#sendAwareness();
  }

  takeTurn(): void {
    if (this.#owed && this.connection.isOpen && !this.#obstacle()) this.#catchUp(this.#owed);
  }

  leave(): void {
    this.#context.catchUps.end(this.connection);
    this.#context.turns.forget(this);
  }

  /** The bound that it has to wait for. */
  #obstacle(): RelayLimit | undefined {
    const { limits, addresses } = this.#context;
    if (this.connection.bufferedBytes > limits.awarenessBufferBytesMax) {
      return "awarenessBufferBytesMax";
    }
    if ((this.#catchUpRate?.debtMs(this.#nowMs) ?? 0) > 0) return "catchUpBytesPerSecond";
    const { address } = this.connection;
    if (address === undefined || addresses.catchUpDebtMs(address, this.#nowMs) === 0)
      return undefined;
    return "catchUpCpuMsPerSecond";
  }

  #catchUp(owed: CatchUp): void {
    this.#owed = undefined;
    this.#hasContent = true;
    this.#context.counters.catchUps++;
    const startedMs = this.#nowMs;
    const frame = this.#sources.catchUpFrame(owed);
    const { address } = this.connection;
    // What it costs to make has little to do with its size.
    if (address !== undefined) {
      this.#context.addresses.chargeCatchUp(address, this.#nowMs - startedMs, this.#nowMs);
    }
    this.#sendLarge(frame);
    if (this.#isAwarenessOwed) this.flush();
  }

  #sendAwareness(): void {
    this.#isAwarenessOwed = false;
    const frame = this.#sources.awarenessFrame();
    if (frame) this.#sendLarge(frame);
  }

  #sendLarge(frame: Uint8Array): void {
    this.#catchUpRate?.take(frame.length, this.#nowMs);
    this.connection.sendFrame(frame);
    if (frame.length < largeFrameBytes) return;
    for (const reader of this.#context.catchUps.begin(this.connection, frame)) {
      reader.giveUp("catchUpBytesInFlightMax");
    }
  }

  get #nowMs(): number {
    return this.#context.environment.clock.monotonicMs();
  }
}
