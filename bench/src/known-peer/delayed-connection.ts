import type { HeddleErrorCode } from "@heddle/core";
import { newConnectionCounters, type Connection, type ConnectionHandlers } from "@heddle/sync";

/** One end of a pair in memory; what it is given arrives later at the other one. */
export class DelayedConnection implements Connection {
  readonly bufferedBytes = 0;
  readonly isCongested = false;
  readonly counters = newConnectionCounters();
  readonly #delayMs: number;
  readonly #onFrame: ((bytes: Uint8Array) => void) | undefined;
  other!: DelayedConnection;
  #handlers: ConnectionHandlers | undefined;
  #isOver = false;

  private constructor(delayMs: number, onFrame?: (bytes: Uint8Array) => void) {
    this.#delayMs = delayMs;
    this.#onFrame = onFrame;
  }

  static pair(
    delayMs: number,
    onFrame?: (bytes: Uint8Array) => void,
  ): readonly [DelayedConnection, DelayedConnection] {
    const [a, b] = [delayMs, delayMs].map((ms) => new DelayedConnection(ms, onFrame)) as [
      DelayedConnection,
      DelayedConnection,
    ];
    a.other = b;
    b.other = a;
    return [a, b];
  }

  listen(handlers: ConnectionHandlers): void {
    this.#handlers = handlers;
  }

  send(bytes: Uint8Array): void {
    this.#onFrame?.(bytes);
    this.#later(() => this.other.#handlers?.onMessage(bytes.slice()));
  }

  close(code: HeddleErrorCode): void {
    this.#end(code);
    this.#later(() => this.other.#end(code));
  }

  pause(): void {}
  resume(): void {}

  #later(task: () => void): void {
    if (this.#delayMs > 0) setTimeout(task, this.#delayMs);
    else setImmediate(task);
  }

  #end(code: HeddleErrorCode): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#handlers?.onClosed({ code, closeCode: 1000, reason: "", wasPolite: true });
  }
}
