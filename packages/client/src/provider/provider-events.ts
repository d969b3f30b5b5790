import type { HeddleError } from "@heddle/core";
import type { DriftReport, RefusedEvent, ResetEvent } from "@heddle/replica";
import type { KeptRefusal } from "@heddle/sync";

import type { Durability } from "../platform/platform.ts";
import type { ClosedEvent, FailedEvent } from "./connection-events.ts";
import type { HeddleProvider } from "./heddle-provider.ts";

/**
 * `false` while something that was typed is not on this device yet; then what it survives: `strict` the
 * loss of power, `relaxed` the end of the browser, `memory` nothing but this page's own time.
 */
export type Saved = false | Durability;

/** What was typed here into this document and is on no relay yet. */
export interface Outbox {
  /** Transactions that are not saved here, and envelopes that are and are nowhere else. */
  readonly pending: number;
  /** Of those that are saved here. */
  readonly bytes: number;
  /** When the oldest of those was written, wall clock; `undefined` when there is none. */
  readonly oldestMs: number | undefined;
}

/** In the shape of `@y/websocket` 4. */
export interface SyncStatus {
  readonly connected: boolean;
  readonly receivedInitialSync: boolean;
  readonly localUpdatesSynced: boolean;
  /** Milliseconds since the oldest local update that is not synced; 0 when all are. */
  readonly localUpdatesAge: number;
  /** Milliseconds since the server was heard; `Infinity` before. */
  readonly lastMessageAge: number;
  /** `yellow` while something is not synced, `red` when that lasts. */
  readonly status: "green" | "yellow" | "red";
}

/** The document, or its log, is not what it should be: found, repaired, or not to be repaired for now. */
export type Drift = DriftReport;

/** Those of y-websocket's provider, and what it has no word for. */
// oxlint-disable-next-line typescript/consistent-type-definitions -- what ObservableV2 takes is a type
export type HeddleProviderEvents = {
  status: (event: { readonly status: "connecting" | "connected" | "disconnected" }) => void;
  sync: (isSynced: boolean) => void;
  synced: (isSynced: boolean) => void;
  /** `null` when this side closed. */
  "connection-close": (event: ClosedEvent | null, provider: HeddleProvider) => void;
  /** At a stock server the WebSocket's own event, without our error. */
  "connection-error": (event: FailedEvent | Event, provider: HeddleProvider) => void;
  /** The server does not want to see us again; `connect()` tries all the same. */
  closed: (
    event: { readonly code: number; readonly reason: string },
    provider: HeddleProvider,
  ) => void;
  saved: (saved: Saved) => void;
  outbox: (outbox: Outbox) => void;
  /** Of all documents of the store: what `deviceOutbox` says has changed. */
  "device-outbox": (outbox: Outbox) => void;
  "sync-status": (status: SyncStatus) => void;
  /** The document, or its log, was not what it should be: told when it is found and when it is right again. */
  drift: (event: Drift) => void;
  /** The document cannot go on; what was typed and is not saved is in the event. */
  reset: (event: ResetEvent) => void;
  /** What was typed will never be in the log, or a server will never take it. */
  refused: (event: RefusedEvent | KeptRefusal) => void;
  /** The store takes nothing for now: the quota is reached, or it fails. What is typed is written when it does. */
  suspended: (error: HeddleError) => void;
  /**
   * Nothing is kept on this device (`HEDDLE_STORAGE_UNAVAILABLE`: `saved` is `memory`), or what was kept is
   * gone (`..._EVICTED`), or this tab cannot store when it is its turn.
   */
  "store-error": (error: HeddleError) => void;
  /** The store cannot be opened, or the document cannot be written to. */
  failed: (error: HeddleError) => void;
};
