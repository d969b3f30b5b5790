import type { HeddleErrorCode } from "@heddle/core";
import { newConnectionCounters, type Connection, type ConnectionHandlers } from "@heddle/sync";

/** One end of a pair in memory; what it is given arrives in a task of its own. */
export class PairedConnection implements Connection {
  readonly bufferedBytes = 0;
  readonly isCongested = false;
  readonly counters = newConnectionCounters();
  other!: PairedConnection;
  #handlers: ConnectionHandlers | undefined;
  #isOver = false;

  static pair(): [PairedConnection, PairedConnection] {
    const [a, b] = [new PairedConnection(), new PairedConnection()];
    a.other = b;
    b.other = a;
    return [a, b];
  }

  listen(handlers: ConnectionHandlers): void {
    this.#handlers = handlers;
  }

  send(bytes: Uint8Array): void {
    this.counters.framesSent++;
    setImmediate(() => this.other.#handlers?.onMessage(bytes.slice()));
  }

  close(code: HeddleErrorCode): void {
    if (this.#isOver) return;
    this.#end(code);
    setImmediate(() => this.other.#end(code));
  }

  pause(): void {}
  resume(): void {}

  #end(code: HeddleErrorCode): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#handlers?.onClosed({ code, closeCode: 1013, reason: "", wasPolite: true });
  }
}
