import { HeddleErrorCode, isHeddleError, type DocumentId, type HeddleError } from "@heddle/core";

import type { Finding } from "./finding.ts";
import type { LogInUse } from "./log-in-use.ts";
import type { OpenLog } from "./open-log.ts";

const { storageCorrupt } = HeddleErrorCode;

/** Reads of a log that may be closed, or replaced, under them; whoever asks is told of damage. */
export class GuardedReads {
  readonly #inUse: LogInUse;
  readonly #damageListeners = new Set<(finding: Finding) => void>();

  constructor(inUse: LogInUse) {
    this.#inUse = inUse;
  }

  /** @param document named when what is read is damaged. */
  async once<Value>(read: (log: OpenLog) => Promise<Value>, document?: DocumentId): Promise<Value> {
    const log = this.#inUse.open;
    try {
      return await read(log);
    } catch (error) {
      const isRetried = this.#inUse.isOpen(log) && isHeddleError(error, storageCorrupt);
      if (!isRetried) throw this.#errorOf(log, error, document);
    }
    // A read that takes several looks may have seen a write between two of them; damage stays.
    try {
      return await read(log);
    } catch (error) {
      throw this.#errorOf(log, error, document);
    }
  }

  async *each<Value>(
    read: (log: OpenLog) => AsyncIterable<Value>,
    document?: DocumentId,
  ): AsyncGenerator<Value> {
    const log = this.#inUse.open;
    try {
      for await (const value of read(log)) {
        yield value;
        if (!this.#inUse.isOpen(log)) throw this.#inUse.error();
      }
    } catch (error) {
      throw this.#errorOf(log, error, document);
    }
  }

  /** Calls `listener` for each read that meets damage; the returned function stops that. */
  onDamage(listener: (finding: Finding) => void): () => void {
    this.#damageListeners.add(listener);
    return () => this.#damageListeners.delete(listener);
  }

  /** A reading met damage; what is told of a document is more than what is told of a record. */
  met(error: HeddleError, document?: DocumentId): void {
    const part = document === undefined ? "record" : "document";
    const where = document !== undefined && { document };
    const finding = { severity: "damage", part, what: error.message, ...where } as const;
    for (const listener of this.#damageListeners) listener(finding);
  }

  /** A read that failed because the database was closed under it fails for the reason of the closing. */
  #errorOf(log: OpenLog, error: unknown, document: DocumentId | undefined): unknown {
    if (!this.#inUse.isOpen(log)) return this.#inUse.error(error);
    if (isHeddleError(error, storageCorrupt)) this.met(error, document);
    return error;
  }
}
