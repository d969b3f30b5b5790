import type { Scheduler } from "@heddle/core";

import type { SharedEngine } from "../engine/shared-engine.ts";
import type { HeddleProvider } from "./heddle-provider.ts";
import type { Outbox, Saved, SyncStatus } from "./provider-events.ts";

/** As it is at the moment of asking. */
export interface Progress {
  readonly saved: Saved;
  readonly outbox: Outbox;
  readonly isConnected: boolean;
  readonly isSynced: boolean;
  /** When the server was heard last, wall clock. */
  readonly lastMessageMs: number | undefined;
}

export interface ProgressTellerOptions {
  readonly scheduler: Scheduler;
  readonly read: () => Progress;
  readonly onSaved: (saved: Saved) => void;
  readonly onOutbox: (outbox: Outbox) => void;
  readonly onSyncStatus: (status: SyncStatus) => void;
}

/** From here on `sync-status` is red. */
const redMs = 8_000;

/** Tells what has changed of what is saved and sent, each thing once. */
export class ProgressTeller {
  readonly #options: ProgressTellerOptions;
  #saved: Saved = false;
  #outbox: Outbox = { pending: 0, bytes: 0, oldestMs: undefined };
  #isDue = false;
  #unsyncedSinceMs: number | undefined;
  #cancelRed: (() => void) | undefined;
  #isStopped = false;

  constructor(options: ProgressTellerOptions) {
    this.#options = options;
  }

  get syncStatus(): SyncStatus {
    const { outbox, isConnected, isSynced, lastMessageMs } = this.#options.read();
    const nowMs = Date.now();
    const age = this.#unsyncedSinceMs === undefined ? 0 : nowMs - this.#unsyncedSinceMs;
    const isSent = outbox.pending === 0;
    const isGood = isConnected && isSynced && isSent;
    return {
      connected: isConnected,
      receivedInitialSync: isSynced,
      localUpdatesSynced: isSent,
      localUpdatesAge: age,
      lastMessageAge: lastMessageMs === undefined ? Infinity : nowMs - lastMessageMs,
      status: isGood ? "green" : age >= redMs ? "red" : "yellow",
    };
  }

  /** What is saved is in the outbox a moment later: in between it would look as if it were sent. */
  soon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      this.now();
    });
  }

  now(): void {
    if (this.#isStopped) return;
    const { saved, outbox } = this.#options.read();
    const { pending, bytes } = outbox;
    const wasSaved = this.#saved;
    const before = this.#outbox;
    this.#saved = saved;
    this.#outbox = outbox;
    if (pending === 0) this.#unsyncedSinceMs = undefined;
    else this.#unsyncedSinceMs ??= Date.now();
    if (saved !== wasSaved) this.#options.onSaved(saved);
    if (pending !== before.pending || bytes !== before.bytes) this.#options.onOutbox(outbox);
    this.#tellStatus();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelRed?.();
  }

  #tellStatus(): void {
    const status = this.syncStatus;
    this.#options.onSyncStatus(status);
    this.#cancelRed?.();
    this.#cancelRed = undefined;
    if (status.status !== "yellow" || this.#unsyncedSinceMs === undefined) return;
    const inMs = redMs - status.localUpdatesAge;
    this.#cancelRed = this.#options.scheduler.after(inMs, () => this.#tellStatus());
  }
}

/** Has a provider tell of itself. */
export function tellerOf(provider: HeddleProvider, engine: SharedEngine): ProgressTeller {
  return new ProgressTeller({
    scheduler: engine.environment.scheduler,
    read: () => ({
      saved: provider.saved,
      outbox: provider.outbox,
      isConnected: provider.wsconnected,
      isSynced: provider.synced,
      lastMessageMs: engine.link.lastMessageMs,
    }),
    onSaved: (saved) => provider.emit("saved", [saved]),
    onOutbox: (outbox) => provider.emit("outbox", [outbox]),
    onSyncStatus: (status) => provider.emit("sync-status", [status]),
  });
}
