import { readOr, type ProjectionStore, decodeDropped, sinkDroppedPath } from "@heddle/reconcile";
import { DeadChanges, type HostedSink, type KeptDead, type SinkState } from "@heddle/replica";
import type { Environment } from "@heddle/core";

/** What there is to know of one sink of a data folder. */
export interface SinkReport {
  readonly name: string;
  /** `stopped`: no process runs it, or none with its definition. */
  readonly state: SinkState;
  /** Since the process that runs it has started. */
  readonly running?: {
    readonly owner: string;
    readonly delivered: number;
    readonly retried: number;
    readonly undetermined: number;
    readonly lagGroups: number;
    readonly ageMs: number;
  };
  readonly deadCount: number;
  /** Dead changes that there was no room for, or that were too old, ever. */
  readonly deadDropped: number;
  /** The oldest of those that are kept. */
  readonly dead: readonly DeadLine[];
}

/** A change that was given up. */
export interface DeadLine {
  readonly id: string;
  readonly at: string;
  readonly document: string;
  readonly lane: string;
  readonly seq: number;
  readonly attempts: number;
  readonly reason: string;
}

export interface SinkReading {
  readonly store: ProjectionStore;
  readonly environment: Environment;
  /** Those with a definition. */
  readonly sinks: ReadonlyMap<string, HostedSink>;
}

/** All sinks that are defined or have left something in the store, by name. */
export async function reportSinks(
  { store, environment, sinks }: SinkReading,
  { sink: wanted, limit }: { readonly sink?: string | undefined; readonly limit: number },
): Promise<readonly SinkReport[]> {
  const names = new Set([...sinks.keys(), ...(await sinkNamesIn(store))]);
  const reports: SinkReport[] = [];
  for (const name of [...names].toSorted()) {
    if (wanted !== undefined && wanted !== name) continue;
    const hosted = sinks.get(name);
    const dead = hosted?.dead ?? new DeadChanges({ sink: name, store, environment });
    await dead.open();
    const [dropped] = await store.get([sinkDroppedPath(name)]);
    const running = hosted && hosted.state !== "stopped" ? runningOf(hosted) : undefined;
    reports.push({
      name,
      state: hosted?.state ?? "stopped",
      ...(running && { running }),
      deadCount: dead.count,
      deadDropped: readOr(dropped, decodeDropped)?.count ?? 0,
      dead: (await dead.list(limit)).map(lineOf),
    });
  }
  return reports;
}

function runningOf({ owner, counters, lag, ageMs }: HostedSink): SinkReport["running"] {
  const { delivered, failed, undetermined } = counters;
  return { owner, delivered, retried: failed, undetermined, lagGroups: lag, ageMs };
}

function lineOf({ id, change }: KeptDead): DeadLine {
  if (change === undefined) {
    const nothing = { at: "", document: "", lane: "", seq: 0, attempts: 0 };
    return { id, ...nothing, reason: "this entry cannot be read" };
  }
  const { document, lane, seq, attempts, reason, atMs } = change;
  return { id, at: new Date(atMs).toISOString(), document, lane, seq, attempts, reason };
}

/** Behind every kind of record that a sink has. */
const behindKinds = "~";

/** Names under which sinks have left something. */
async function sinkNamesIn(store: ProjectionStore): Promise<readonly string[]> {
  const names: string[] = [];
  for (let after: readonly string[] | undefined; ;) {
    const [record] = await store.readPage({ under: ["sink"], after, limit: 1 });
    const name = record?.path[1];
    if (name === undefined) return names;
    names.push(name);
    after = ["sink", name, behindKinds];
  }
}
