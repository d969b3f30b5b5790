import type { Pinning } from "../pinning.ts";
import type { WireKind } from "./wire.ts";

/** What the bench asks of a load process, and what it answers. Both cross a process border as JSON. */
export type Job =
  | FanOutJob
  | DocumentsJob
  | CrashJob
  | RecoverJob
  | LibraryJob
  | SendTraceJob
  | OpenJob
  | ReturningJob
  | IdleJob
  | SeedStoreJob
  | SyncCostJob
  | TypedBytesJob;

interface ServerJob {
  readonly url: string;
  readonly wire: WireKind;
  /** The load process reads the server's CPU itself, at the very edges of the measured time. */
  readonly serverPid: number;
}

interface TimedJob extends ServerJob {
  /** Null on a machine where nothing could be pinned. */
  readonly pinning: Pinning | null;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

export interface FanOutJob extends TimedJob {
  readonly kind: "fan-out";
  readonly clients: number;
  readonly writers: number;
  readonly updatesPerWriter: number;
  /** `window`: updates in flight in all; `rate`: updates a second in all, whatever comes back. */
  readonly pace: { readonly window: number } | { readonly rate: number };
  /** At a rate, the server is first kept busy with this window, as it would never warm up otherwise. */
  readonly warmUpWindow: number;
}

export interface DocumentsJob extends TimedJob {
  readonly kind: "documents";
  /** Where readers connect to, when it is another server that works together with the first. */
  readonly readers?: { readonly url: string; readonly serverPid: number };
  readonly documents: number;
  readonly updatesPerDocument: number;
}

export interface CrashJob extends ServerJob {
  readonly kind: "crash";
  readonly window: number;
  readonly updates: number;
}

export interface RecoverJob extends ServerJob {
  readonly kind: "recover";
  /** Updates that were seen before the crash: reading stops as soon as all of them came back. */
  readonly seen: number;
  /** Reading also stops after this long without progress. */
  readonly quietMs: number;
}

/** Many documents of one paste each. */
export interface LibraryJob extends ServerJob {
  readonly kind: "library";
  readonly work: "write" | "open";
  readonly documents: number;
  readonly bytes: number;
}

export interface SendTraceJob extends ServerJob {
  readonly kind: "send-trace";
  readonly document: string;
  readonly edits: number;
}

export interface OpenJob extends ServerJob {
  readonly kind: "open";
  readonly documents: readonly string[];
  /** A document is open when this many clocks of this Yjs client have arrived. */
  readonly client: number;
  readonly clocks: number;
}

export interface ReturningJob extends ServerJob {
  readonly kind: "returning";
  /** Size of the document, and updates that the client has missed. */
  readonly bytes: number;
  readonly behind: number;
  readonly times: number;
}

export interface IdleJob extends ServerJob {
  readonly kind: "idle";
  readonly clients: number;
  readonly settleMs: number;
}

/** No server is running: the folder is filled from inside. */
export interface SeedStoreJob {
  readonly kind: "seed-store";
  readonly folder: string;
  readonly documents: number;
  /** Per document and lane. */
  readonly updates: number;
  readonly updateBytes: number;
  readonly lanes: number;
}

/** No server is running: two replicas, or what y-websocket would send, in virtual time. */
export interface TypedBytesJob {
  readonly kind: "typed-bytes";
  readonly wire: "heddle" | "y-websocket";
  readonly edits: number;
  /** So many of them also where each window is short: they cost the more of this machine's time. */
  readonly watchedEdits: number;
  /** From one edit to the next. */
  readonly typingMs: number;
}

export interface SyncCostJob {
  readonly kind: "sync-cost";
  readonly folder: string;
  readonly writes: number;
}

/** Named figures of one run. The report knows which of them it shows. */
export type Sample = Readonly<Record<string, number>>;

export type LoadEvent =
  | { readonly event: "load.flowing" }
  | { readonly event: "load.result"; readonly sample: Sample };
