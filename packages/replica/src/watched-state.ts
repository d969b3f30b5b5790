import { assert, HeddleError, HeddleErrorCode, type DocumentId } from "@heddle/core";

import type { CommitObserver } from "./committer.ts";
import type { ReplicaState } from "./replica-options.ts";

/** Somebody who passes on what is on disk. Called in the order of commit groups. */
export interface ReplicaObserver extends CommitObserver {
  onStateChange(state: ReplicaState): void;
  /** A document has another checkpoint, or less of a log below it. */
  onCheckpointed?(document: DocumentId): void;
}

/** The state of a replica, and who hears of it. */
export class WatchedState {
  readonly #listeners = new Set<(state: ReplicaState) => void>();
  #state: ReplicaState = { name: "ready" };
  #observer: ReplicaObserver | undefined;

  get state(): ReplicaState {
    return this.#state;
  }

  get observer(): ReplicaObserver | undefined {
    return this.#observer;
  }

  set(state: ReplicaState): void {
    this.#state = state;
    this.#observer?.onStateChange(state);
    for (const listener of this.#listeners) listener(state);
  }

  /** At most one at a time; the returned function stops it. */
  observe(observer: ReplicaObserver): () => void {
    assert(this.#observer === undefined, "a replica has one observer");
    this.#observer = observer;
    return () => {
      this.#observer = undefined;
    };
  }

  /** The returned function stops it. */
  listen(listener: (state: ReplicaState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @throws HeddleError what it was suspended with, or `HEDDLE_STORAGE_CLOSED`. */
  assertReady(): void {
    if (this.#state.name === "suspended") throw this.#state.error;
    if (this.#state.name === "closed") {
      throw new HeddleError(HeddleErrorCode.storageClosed, "the replica is closed");
    }
  }
}
