import type { Pinning } from "../pinning.ts";

/** What the bench asks of a load process, and what it answers. Both cross a process border as JSON. */
export type Job = FanOutJob | DocumentsJob | CrashJob | RecoverJob | SyncCostJob;

interface ServerJob {
  readonly url: string;
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
}

export interface DocumentsJob extends TimedJob {
  readonly kind: "documents";
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
