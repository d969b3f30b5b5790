import {
  assert,
  HeddleError,
  HeddleErrorCode,
  type DocumentName,
  type Scheduler,
} from "@heddle/core";

import type { LivePeers } from "../peers/live-peers.ts";
import type { Copies } from "../peers/replication-waits.ts";
import type { ReplicaDocument } from "../replica-document.ts";
import type { Replica } from "../replica.ts";
import type { ReplicaTelemetry } from "../telemetry.ts";
import { retryDelayMs } from "./trouble.ts";

/** Where live documents live. */
export interface LiveHome {
  readonly replica: Replica;
  /** Who is brought the document, and knows who has it. */
  readonly peers?: Pick<LivePeers, "want" | "whenReplicated"> | undefined;
}

/** The home of one live document: its replica, once that is open, and the peers that are brought it. */
export class DocumentHome {
  readonly #home: LiveHome | PromiseLike<LiveHome>;
  readonly #scheduler: Scheduler;
  readonly #onClosed: () => void;
  #entered: LiveHome | undefined;
  #hasLeft = false;
  #isShared = true;
  #unwant: (() => void) | undefined;
  #stopWatching: (() => void) | undefined;
  #endWait: (() => void) | undefined;

  /** `onClosed` is called when the replica is closed under the document. */
  constructor(home: LiveHome | PromiseLike<LiveHome>, scheduler: Scheduler, onClosed: () => void) {
    this.#home = home;
    this.#scheduler = scheduler;
    this.#onClosed = onClosed;
    if (!("then" in home)) this.#enter(home);
  }

  get isEntered(): boolean {
    return this.#entered !== undefined;
  }

  get telemetry(): ReplicaTelemetry | undefined {
    return this.#entered?.replica.telemetry;
  }

  /** @throws HeddleError what the replica could not be opened with; there is no other. */
  async whenEntered(): Promise<void> {
    if (this.#entered === undefined) this.#enter(await this.#home);
  }

  /** @throws HeddleError `HEDDLE_STORAGE_*`. */
  acquire(name: DocumentName): Promise<ReplicaDocument> {
    assert(this.#entered !== undefined, "a home is entered before documents are taken from it");
    return this.#entered.replica.acquire(name);
  }

  release(document: ReplicaDocument): void {
    this.#entered?.replica.release(document);
  }

  setShared(isShared: boolean, document: ReplicaDocument | undefined): void {
    this.#isShared = isShared;
    if (document) this.share(document);
    if (isShared) return;
    this.#unwant?.();
    this.#unwant = undefined;
  }

  /** A document that was closed is still brought to peers: what was typed in it last may be on its way. */
  share({ entry }: ReplicaDocument): void {
    if (this.#isShared) this.#unwant ??= this.#entered?.peers?.want(entry);
  }

  /** @throws HeddleError `HEDDLE_CONFIG_INVALID` for a replica without peers. */
  async whenReplicated(document: ReplicaDocument | undefined, copies: Copies): Promise<void> {
    const peers = this.#entered?.peers;
    if (peers === undefined) {
      throw new HeddleError(HeddleErrorCode.configInvalid, "the replica was opened without peers");
    }
    if (document) await peers.whenReplicated(document.entry.id, copies);
  }

  /** Resolves when the replica has changed its state, or after a while. */
  whenWorthAnotherTry(attempt: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#scheduler.after(retryDelayMs(attempt), () => go());
      const stop = this.#entered?.replica.onStateChange(() => go());
      const go = (): void => {
        cancel();
        stop?.();
        this.#endWait = undefined;
        resolve();
      };
      this.#endWait = go;
    });
  }

  /** Ends a {@link whenWorthAnotherTry}. */
  endWait(): void {
    this.#endWait?.();
  }

  /** Nothing of the replica is heard any more. */
  leave(): void {
    this.#hasLeft = true;
    this.#stopWatching?.();
  }

  #enter(home: LiveHome): void {
    if (this.#entered !== undefined) return;
    this.#entered = home;
    if (this.#hasLeft) return;
    this.#stopWatching = home.replica.onStateChange(({ name }) => {
      if (name === "closed") this.#onClosed();
    });
  }
}
