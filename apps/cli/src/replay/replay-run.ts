import { HeddleError, HeddleErrorCode } from "@heddle/core";

import type { Crew, Member } from "./crew.ts";
import type { Progress, Work } from "./progress.ts";
import { IdleTimeout } from "./progress.ts";
import type { Typing } from "./workload.ts";

/** The stages of one replay. Each waits for the one before; a time-out ends them all. */
export class ReplayRun {
  readonly #crew: Crew;
  readonly #progress: Progress;
  readonly typing: Typing;
  #startedAtMs = 0;
  #settledAtMs: number | undefined;
  #late: Member | undefined;
  /** Set by a time-out. */
  awaited: string | undefined;

  constructor(crew: Crew, progress: Progress, typing: Typing) {
    this.#crew = crew;
    this.#progress = progress;
    this.typing = typing;
  }

  get late(): Member | undefined {
    return this.#late;
  }

  get elapsedMs(): number {
    if (this.#startedAtMs === 0) return 0;
    return (this.#settledAtMs ?? performance.now()) - this.#startedAtMs;
  }

  async toTheEnd(): Promise<void> {
    try {
      await this.#until("every client has synced once", () =>
        this.#crew.members.every(({ client }) => client.hasSynced),
      );
      this.#requireNewDocument();
      this.#startedAtMs = performance.now();
      await this.#drive(this.typing);
      await this.#until("every client holds every transaction", () =>
        this.#crew.members.every(({ cursor }) => cursor.isComplete),
      );
      this.#settledAtMs = performance.now();
      const late = this.#crew.joinLate();
      this.#late = late;
      await this.#until(
        "the late client has synced and holds every transaction",
        () => late.client.hasSynced && late.cursor.isComplete,
      );
    } catch (error) {
      if (!(error instanceof IdleTimeout)) throw error;
      this.awaited = error.message;
    }
  }

  async #until(what: string, isTrue: () => boolean): Promise<void> {
    await this.#drive({
      step: () => (isTrue() ? "done" : "waiting"),
      awaited: () => `${what}; ${this.#crew.describe()}`,
    });
  }

  async #drive(work: Work): Promise<void> {
    await this.#progress.drive({
      step: () => {
        this.#crew.requireWelcome();
        return work.step();
      },
      awaited: () => work.awaited(),
    });
  }

  /** Positions of a trace count from an empty text. */
  #requireNewDocument(): void {
    if (this.#crew.members.every(({ client }) => client.doc.store.clients.size === 0)) return;
    throw new HeddleError(
      HeddleErrorCode.configInvalid,
      "the document is not new at the relay: choose another --doc",
    );
  }
}
