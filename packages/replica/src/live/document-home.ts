import {
  HeddleError,
  HeddleErrorCode,
  isHeddleError,
  type DocumentName,
  type Scheduler,
} from "@heddle/core/base";

import type { LivePeers } from "../peers/live-peers.ts";
import type { Copies } from "../peers/replication-waits.ts";
import type { ReplicaDocument } from "../replica-document.ts";
import type { Replica } from "../replica.ts";
import type { ReplicaTelemetry } from "../telemetry.ts";
import { isPermanent, retryDelayMs } from "./trouble.ts";
import type { WaitOptions } from "../wait-until.ts";

/** Where live documents live. */
export interface LiveHome {
  readonly replica: Replica;
  /** Who is brought the document, and knows who has it. */
  readonly peers?: Pick<LivePeers, "want" | "whenReplicated"> | undefined;
}

export interface HomeOpening {
  /** Asked after each step: the document may have ended, or gone elsewhere. */
  readonly isWanted: () => boolean;
  /** As many times this has happened before; it is waited first. */
  readonly waits: number;
  readonly attach: (document: ReplicaDocument) => void;
  /** It is tried again. */
  readonly onTrouble: (error: HeddleError) => void;
  readonly onFailed: (error: HeddleError) => void;
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

  get telemetry(): ReplicaTelemetry | undefined {
    return this.#entered?.replica.telemetry;
  }

  /** Takes the document from the replica once it is there, again and again while that may get better. */
  async open(
    name: DocumentName,
    { isWanted, waits, attach, onTrouble, onFailed }: HomeOpening,
  ): Promise<void> {
    if (waits > 0) await this.#whenWorthAnotherTry(waits);
    for (let attempt = 1; isWanted(); attempt++) {
      try {
        if (this.#entered === undefined) this.#enter(await this.#home);
        if (!isWanted()) return;
        const document = await this.#entered!.replica.acquire(name);
        if (isWanted()) attach(document);
        else this.release(document);
        return;
      } catch (error) {
        if (!isHeddleError(error)) throw error;
        if (!isWanted()) return;
        // A replica that could not be opened: there is no other.
        if (isPermanent(error) || this.#entered === undefined) return onFailed(error);
        onTrouble(error);
        await this.#whenWorthAnotherTry(attempt);
      }
    }
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
  async whenReplicated(
    document: ReplicaDocument | undefined,
    copies: Copies,
    options: WaitOptions,
  ): Promise<void> {
    const peers = this.#entered?.peers;
    if (peers === undefined) {
      throw new HeddleError(HeddleErrorCode.configInvalid, "the replica was opened without peers");
    }
    if (document) await peers.whenReplicated(document.entry.id, copies, options);
  }

  /** Resolves when the replica has changed its state, or after a while. */
  #whenWorthAnotherTry(attempt: number): Promise<void> {
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

  /** Tries at once what {@link open} would try later. */
  endWait(): void {
    this.#endWait?.();
  }

  /** Leaves, for another one. */
  moveTo(home: LiveHome | PromiseLike<LiveHome>): DocumentHome {
    this.leave();
    const next = new DocumentHome(home, this.#scheduler, this.#onClosed);
    next.#isShared = this.#isShared;
    return next;
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
