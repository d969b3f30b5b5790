import { HeddleErrorCode } from "@heddle/core/base";
import type {
  AbortSignalLike,
  Connection,
  ConnectionEnd,
  ConnectionHandlers,
  Transport,
} from "@heddle/sync";

export interface Watch {
  /** Told first; false keeps the message from whoever listens. */
  readonly onMessage?: (bytes: Uint8Array, connection: Connection) => boolean;
  /** Told first. `wasHere` when this side closed. */
  readonly onClosed?: (end: ConnectionEnd, wasHere: boolean) => void;
}

/** A transport whose present connection can be watched and hung up from outside. */
export class HungTransport implements Transport {
  readonly name: string;
  readonly #dial: Transport["dial"];
  readonly #watch: Watch;
  #current: Connection | undefined;
  /** Closed by this side. */
  readonly #left = new WeakSet<Connection>();

  constructor(name: string, dial: Transport["dial"], watch: Watch = {}) {
    this.name = name;
    this.#dial = dial;
    this.#watch = watch;
  }

  async dial(signal: AbortSignalLike): Promise<Connection> {
    const connection = await this.#dial(signal);
    this.#current = connection;
    return {
      get bufferedBytes() {
        return connection.bufferedBytes;
      },
      get isCongested() {
        return connection.isCongested;
      },
      get counters() {
        return connection.counters;
      },
      listen: (handlers) => this.#listen(connection, handlers),
      send: (bytes) => connection.send(bytes),
      pause: () => connection.pause(),
      resume: () => connection.resume(),
      close: (code, reason) => {
        this.#left.add(connection);
        connection.close(code, reason);
      },
    };
  }

  /** Ends the connection that there is; whoever dials may dial again. */
  hangUp(): void {
    if (this.#current === undefined) return;
    this.#left.add(this.#current);
    this.#current.close(HeddleErrorCode.sessionClosed, "it is not wanted any more");
  }

  #listen(connection: Connection, handlers: ConnectionHandlers): void {
    const { onMessage, onClosed } = this.#watch;
    connection.listen({
      onMessage: (bytes) => {
        if (onMessage === undefined || onMessage(bytes, connection)) handlers.onMessage(bytes);
      },
      onDrain: () => handlers.onDrain(),
      onClosed: (end) => {
        if (this.#current === connection) this.#current = undefined;
        onClosed?.(end, this.#left.has(connection));
        handlers.onClosed(end);
      },
    });
  }
}
