import { toHex, type DocumentId } from "@heddle/core";

import { lightEngine } from "./light-engine.ts";
import { BrokenPromise } from "./sim-checker.ts";
import type { SimEngineFactory } from "./sim-engine.ts";
import type { NetworkCounts } from "./sim-network.ts";
import { planFor, type SimPlan } from "./sim-plan.ts";
import { simScenarios, type SimScenario } from "./sim-scenarios.ts";
import { SimRandom } from "./sim-random.ts";
import { simAuditMs, SimWorld } from "./sim-world.ts";
import { yjsSimEngine } from "./yjs-sim-engine.ts";

export interface SimulationOptions {
  readonly seed: number;
  /** A world by name; by default `light`. What follows overrides it. */
  readonly scenario?: SimScenario;
  /** `light` is a set of changes, `yjs` real documents and real signatures. */
  readonly engine?: "light" | "yjs";
  /** Changes to the plan that the seed draws. */
  readonly plan?: Partial<SimPlan> | ((drawn: SimPlan) => SimPlan);
  /** An engine of your own, to test your application's merge. */
  readonly makeEngine?: SimEngineFactory;
  readonly keepsTimeline?: boolean;
}

export interface SimulationReport {
  readonly seed: number;
  /** Undefined when every promise was kept. */
  readonly broken?: string;
  /** Equal for equal runs. */
  readonly traceHash: string;
  readonly timeline: readonly string[];
  readonly virtualMs: number;
  readonly edits: number;
  readonly crashes: number;
  readonly faults: number;
  readonly network: NetworkCounts;
  readonly envelopes: number;
  readonly duplicates: number;
  readonly gaps: number;
  /** Runs that came before what they refer to; none on a network that keeps order (I10). */
  readonly incomplete: number;
  readonly forks: number;
  /** Checkpoints of others that were taken. */
  readonly adopted: number;
  readonly heldBytesMax: number;
}

/** Runs one world to its end. Nothing but the seed and the plan decides what happens. */
export async function simulate(options: SimulationOptions): Promise<SimulationReport> {
  const { seed, scenario = "light", keepsTimeline = false } = options;
  const { engine = simScenarios[scenario].engine, plan: changes } = options;
  const random = new SimRandom(seed);
  const drawn = simScenarios[scenario].plan(planFor(random.fork()));
  const plan = typeof changes === "function" ? changes(drawn) : { ...drawn, ...changes };
  const world = new SimWorld({
    plan,
    random,
    engine: options.makeEngine ?? (engine === "light" ? lightEngine : yjsSimEngine),
    realSignatures: engine === "yjs",
    keepsTimeline,
  });
  let broken: string | undefined;
  try {
    await world.run();
    await auditOutboxes(world);
    await auditDrift(world);
    audit(world);
    await auditMemory(world);
  } catch (error) {
    const isPromise = error instanceof BrokenPromise || isInvariant(error);
    if (!isPromise) throw error;
    broken = error.message;
  }
  return { ...countsOf(world), seed, ...(broken !== undefined && { broken }) };
}

/** The independent look at the end: equal logs, equal documents, nothing that nobody wrote. */
function audit(world: SimWorld): void {
  const { isCloned } = world.checker;
  for (const replica of world.replicas) {
    if (!isCloned) world.checker.shows(replica, replica.store!, replica.engine!);
  }
  const documents = new Set(world.replicas.flatMap(({ store }) => [...store!.documents.keys()]));
  for (const document of documents) {
    if (isCloned) auditForks(world, document);
    else auditEqual(world, document);
  }
}

/** A connection that died unnoticed is missed after 45 s, and a new one says all there is to say. */
const outboxSecondsMax = 120;

/** Everybody has everything: soon whoever is connected knows it of the other. */
async function auditOutboxes(world: SimWorld): Promise<void> {
  if (world.checker.isCloned) return;
  for (let second = 0; second < outboxSecondsMax; second++) {
    if (waitingIn(world) === undefined) return;
    await world.advance(1_000);
  }
  throw new BrokenPromise(`[WIR-18] ${waitingIn(world)}`);
}

/** Heard twice after an audit interval, repaired, and looked at again; a peer may have to say so. */
const driftSecondsMax = (3 * simAuditMs) / 1_000 + 60;

/** What was damaged in memory is found, repaired and written down, wherever it was. */
async function auditDrift(world: SimWorld): Promise<void> {
  const left = (): string | undefined => {
    for (const { name, damaged } of world.replicas) {
      if (damaged.size > 0) return `${name} shows ${damaged.size} damaged documents`;
    }
    return undefined;
  };
  for (let second = 0; second < driftSecondsMax && left() !== undefined; second++) {
    await world.advance(1_000);
  }
  const what = left();
  if (what !== undefined) throw new BrokenPromise(`[DRF-5] ${what}`);
}

const memorySecondsMax = 20;

/** When every session is over no replica holds a document that some session brought into memory. */
async function auditMemory(world: SimWorld): Promise<void> {
  const keeping = (): string | undefined => {
    world.stop();
    for (const { name, replication } of world.replicas) {
      replication!.tick(world.time.nowMs);
      const count = replication!.documentCount;
      if (count > 0) return `${name} keeps ${count} documents that nobody exchanges`;
    }
    return undefined;
  };
  // Something may be on its way to disk just then.
  for (let second = 0; second < memorySecondsMax && keeping() !== undefined; second++) {
    await world.advance(1_000);
  }
  const kept = keeping();
  if (kept !== undefined) throw new BrokenPromise(`[WIR-21] ${kept}`);
}

function waitingIn(world: SimWorld): string | undefined {
  for (const one of world.replicas) {
    const connected = one.options.targets.filter((name) => one.isConnectedTo(name));
    for (const other of connected.map((name) => world.replica(name)!)) {
      for (const [from, to] of [
        [one, other],
        [other, one],
      ] as const) {
        const [[document, size] = []] = from.replication!.outboxTo(to.store!.storeId);
        if (size === undefined) continue;
        return `${from.name} believes that ${to.name} lacks ${size.count} of ${document}`;
      }
    }
  }
  return undefined;
}

function auditEqual(world: SimWorld, document: DocumentId): void {
  const digests = world.replicas.map(({ name, engine }) => {
    return { name, digest: engine!.digest(document) };
  });
  const [first] = digests;
  for (const { name, digest } of digests) {
    if (digest !== first!.digest) {
      throw new BrokenPromise(`[WIR-8] ${name} and ${first!.name} show different documents`);
    }
  }
}

/** Whoever holds a lane that was written twice knows it, if the branches ever met. */
function auditForks(world: SimWorld, document: DocumentId): void {
  const heads = new Map<string, Map<string, string>>();
  for (const { name, store } of world.replicas) {
    for (const { lane, seq, id } of store!.documents.get(document)?.log ?? []) {
      const place = `${lane}/${seq}`;
      heads.set(place, (heads.get(place) ?? new Map()).set(name, toHex(id)));
    }
  }
  for (const [place, ids] of heads) {
    if (new Set(ids.values()).size < 2) continue;
    for (const [name] of ids) {
      const proofs = world.replica(name)!.store!.documents.get(document)!.forks;
      const isKnown = proofs.some(({ lane }) => place.startsWith(lane.id));
      if (!isKnown)
        throw new BrokenPromise(
          `[WIR-12] ${name} does not know that ${document.slice(0, 4)}/${place} is forked`,
        );
    }
  }
}

function isInvariant(error: unknown): error is Error {
  return error instanceof Error && /^(?:invariant broken|unreachable)/.test(error.message);
}

function countsOf(world: SimWorld): Omit<SimulationReport, "seed"> {
  const sums = { envelopes: 0, duplicates: 0, gaps: 0, incomplete: 0, forks: 0, adopted: 0 };
  for (const { replication } of world.replicas) {
    sums.envelopes += replication?.counters.envelopesStored ?? 0;
    sums.duplicates += replication?.counters.duplicates ?? 0;
    sums.gaps += replication?.counters.gaps ?? 0;
    sums.incomplete += replication?.counters.incomplete ?? 0;
    sums.forks += replication?.counters.forks ?? 0;
    sums.adopted += replication?.counters.checkpointsAdopted ?? 0;
  }
  const { edits, crashes, faults } = world.counts;
  return {
    ...sums,
    edits,
    crashes,
    faults,
    traceHash: world.trace.hash,
    timeline: world.trace.lines,
    virtualMs: world.time.nowMs,
    network: world.network.counts,
    heldBytesMax: world.checker.heldBytesSeen,
  };
}
