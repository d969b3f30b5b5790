import type * as Yjs from "yjs";

import type { AuditBudget } from "./audit-budget.ts";
import type { LogSelection, LogVerdict, SourceSummary, TriedEnvelope } from "./log-trials.ts";
import { checkLoads, deepestType, itemOf, type TrialSetting } from "./node-trial-program.ts";
import type { ProgramPort } from "./node-program-process.ts";

/**
 * What runs in the process that holds a log. As in node-trial-program.ts, functions are handed over as
 * text, and none of them may use anything from outside of this file but types.
 */

/** What the program is started with. */
export interface LogSetting extends TrialSetting {
  readonly budget: AuditBudget;
}

export type LogJob =
  | { readonly id: number; readonly kind: "add"; readonly envelopes: readonly TriedEnvelope[] }
  | { readonly id: number; readonly kind: "sources" }
  | { readonly id: number; readonly kind: "attempt"; readonly selection: LogSelection };

export interface LogAnswer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

/** A stretch of clocks of one client. */
interface Span {
  readonly client: number;
  readonly clock: number;
  readonly end: number;
}

interface Entry extends TriedEnvelope {
  readonly source: string;
  readonly spans: readonly Span[];
  /** What it builds on outside of itself: client, clock. */
  readonly needs: readonly (readonly [number, number])[];
  readonly structs: number;
}

interface LogBench {
  readonly Y: typeof Yjs;
  readonly budget: AuditBudget;
  /** What adding up a log may take, in budgets for loading it. */
  readonly growingShare: number;
  /** Throws when a state of that document does not load. An import would not be there under its name. */
  readonly assertLoads: (state: Uint8Array) => void;
  readonly log: Entry[];
  /** Where the structs of each client lie in the log: spans with places, ascending. */
  readonly owners: Map<number, { readonly span: Span; readonly place: number }[]>;
  /** CPU milliseconds of its main thread, or wall time where the system does not tell. */
  readonly usedMs: () => number;
}

function addEnvelope(bench: LogBench, envelope: TriedEnvelope): void {
  const { structs } = bench.Y.decodeUpdate(envelope.payload);
  const spans: { client: number; clock: number; end: number }[] = [];
  const needs: [number, number][] = [];
  let count = 0;
  for (const struct of structs) {
    if (struct instanceof bench.Y.Skip) continue;
    count++;
    const { client, clock } = struct.id;
    const last = spans.at(-1);
    if (last && last.client === client && last.end === clock) last.end += struct.length;
    else spans.push({ client, clock, end: clock + struct.length });
    if (!(struct instanceof bench.Y.Item)) continue;
    for (const id of [struct.origin, struct.rightOrigin, struct.parent]) {
      if (id instanceof bench.Y.ID) needs.push([id.client, id.clock]);
    }
  }
  for (const { client, clock } of spans) if (clock > 0) needs.push([client, clock - 1]);
  const isOwn = ([client, clock]: [number, number]): boolean => {
    return spans.some((span) => span.client === client && clock >= span.clock && clock < span.end);
  };
  const place = bench.log.length;
  const source = envelope.source ?? `client ${spans[0]?.client ?? "none"}`;
  bench.log.push({
    ...envelope,
    source,
    spans,
    needs: needs.filter((need) => !isOwn(need)),
    structs: count,
  });
  for (const span of spans) {
    const places = bench.owners.get(span.client);
    if (places) places.push({ span, place });
    else bench.owners.set(span.client, [{ span, place }]);
  }
}

/** Place of the envelope that holds a struct; `undefined` for one that nobody wrote. */
function ownerOf(bench: LogBench, client: number, clock: number): number | undefined {
  const places = bench.owners.get(client) ?? [];
  let low = 0;
  let high = places.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (places[middle]!.span.end > clock) high = middle;
    else low = middle + 1;
  }
  return places[low]?.place;
}

/** Places that `isRoot` names, and everything they build on. */
function closureOf(bench: LogBench, isRoot: (place: number) => boolean): Set<number> {
  const found = new Set<number>();
  // What is needed lies earlier in the log, so one way back finds all of it.
  for (let place = bench.log.length - 1; place >= 0; place--) {
    if (!found.has(place) && !isRoot(place)) continue;
    found.add(place);
    for (const [client, clock] of bench.log[place]!.needs) {
      const owner = ownerOf(bench, client, clock);
      if (owner !== undefined && owner < place) found.add(owner);
    }
  }
  return found;
}

function removedBy(bench: LogBench, selection: LogSelection): number[] {
  const { withoutSources = [], keepsNeeded = false, keepsFirst = 0 } = selection;
  const sources = new Set(withoutSources);
  const isOf = (place: number): boolean => sources.has(bench.log[place]!.source);
  const isOut = (place: number): boolean => bench.log[place]!.isRecalled;
  const needed = keepsNeeded
    ? closureOf(bench, (place) => !isOf(place) && !isOut(place))
    : undefined;
  const removed: number[] = [];
  for (let place = 0; place < bench.log.length; place++) {
    if (!isOf(place) || bench.log[place]!.isReleased || isOut(place)) continue;
    if (!needed?.has(place)) removed.push(place);
  }
  return removed.slice(keepsFirst);
}

/** The envelopes to apply, in order: what builds on something left out is left out too. */
function selected(bench: LogBench, selection: LogSelection, removed: readonly number[]): number[] {
  const { without = [], onlySources } = selection;
  const out = new Set([...without, ...removed]);
  const roots = onlySources && new Set(onlySources);
  const only = roots && closureOf(bench, (place) => roots.has(bench.log[place]!.source));
  const clocks = new Map<number, number>();
  const isKnown = ([client, clock]: readonly [number, number]): boolean => {
    return clock < (clocks.get(client) ?? 0);
  };
  const places: number[] = [];
  for (const [place, entry] of bench.log.entries()) {
    if (entry.isRecalled || out.has(place) || (only && !only.has(place))) continue;
    if (!entry.needs.every(isKnown)) continue;
    for (const { client, end } of entry.spans) {
      if (end > (clocks.get(client) ?? 0)) clocks.set(client, end);
    }
    places.push(place);
  }
  return places;
}

function attempt(bench: LogBench, selection: LogSelection): LogVerdict {
  const removed = removedBy(bench, selection);
  const places = selected(bench, selection, removed);
  let bytes = 0;
  for (const place of places) bytes += bench.log[place]!.payload.length;
  // What loading a document of that size may take; each envelope costs a little by itself.
  const { budgetShare = 1 } = selection;
  const { baseMs, perKibMs } = bench.budget;
  const budgetMs = (baseMs + places.length / 8 + (bytes / 1024) * perKibMs) * budgetShare;
  const startMs = bench.usedMs();
  const doc = new bench.Y.Doc();
  let current: number | undefined;
  let isLate = false;
  try {
    // In the order of the log, which live clients paid for bit by bit: what counts is the loading.
    doc.transact(() => {
      let lookedMs = performance.now();
      for (const place of places) {
        current = place;
        bench.Y.applyUpdate(doc, bench.log[place]!.payload);
        if (performance.now() - lookedMs < 4) continue;
        lookedMs = performance.now();
        isLate = bench.usedMs() - startMs > budgetMs * bench.growingShare;
        if (isLate) return;
      }
      current = undefined;
    });
    const appliedMs = bench.usedMs();
    if (!isLate) {
      // Deletes of what was left out; the loader holds them aside as well.
      doc.store.pendingDs = null;
      bench.assertLoads(bench.Y.encodeStateAsUpdate(doc));
      isLate = bench.usedMs() - appliedMs > budgetMs;
    }
    if (!isLate) return { outcome: "ok", removed };
    const reason = `over ${Math.round(budgetMs)} ms`;
    return { outcome: "timeout", reason, place: undefined };
  } catch (error) {
    return { outcome: "exception", reason: String(error).slice(0, 160), place: current };
  }
}

/** Sources by the most structs that they put behind one and the same place, then by structs. */
function summaries({ Y, log }: LogBench): SourceSummary[] {
  interface Sum {
    group: string | undefined;
    envelopes: number;
    structs: number;
    crowd: number;
    places: Map<string, number>;
  }
  const sums = new Map<string, Sum>();
  for (const entry of log) {
    if (entry.isRecalled) continue;
    const { source, group } = entry;
    const sum = sums.get(source) ?? {
      group,
      envelopes: 0,
      structs: 0,
      crowd: 0,
      places: new Map(),
    };
    sums.set(source, sum);
    sum.envelopes++;
    sum.structs += entry.structs;
    for (const struct of Y.decodeUpdate(entry.payload).structs) {
      if (!(struct instanceof Y.Item)) continue;
      const { origin, rightOrigin, parent } = struct;
      const place = JSON.stringify(origin ?? [rightOrigin ? "start" : parent]);
      const crowd = (sum.places.get(place) ?? 0) + 1;
      sum.places.set(place, crowd);
      if (crowd > sum.crowd) sum.crowd = crowd;
    }
  }
  return [...sums]
    .toSorted(([, a], [, b]) => b.crowd - a.crowd || b.structs - a.structs)
    .map(([source, { group, envelopes, structs }]) => ({ source, group, envelopes, structs }));
}

function serveLog(port: ProgramPort, bench: LogBench): void {
  port.onMessage((message) => {
    const job = message as LogJob;
    const { id } = job;
    try {
      if (job.kind === "add") for (const envelope of job.envelopes) addEnvelope(bench, envelope);
      const value =
        job.kind === "attempt"
          ? attempt(bench, job.selection)
          : job.kind === "sources"
            ? summaries(bench)
            : undefined;
      port.postMessage({ id, value });
    } catch (error) {
      port.postMessage({ id, error: String(error).slice(0, 160) });
    }
  });
}

const functions = [
  checkLoads,
  deepestType,
  itemOf,
  addEnvelope,
  ownerOf,
  closureOf,
  removedBy,
  selected,
  attempt,
  summaries,
  serveLog,
];

/** The text that a {@link ProgramProcess} runs; its `setting` is a {@link LogSetting}. */
export const logProgram = `"use strict";
const { readFileSync, readlinkSync } = require("node:fs");
const { performance } = require("node:perf_hooks");
${functions.map(String).join("\n")}
const Y = require(setting.yjsPath);
let file;
try { file = "/proc/" + readlinkSync("/proc/thread-self") + "/schedstat"; } catch { /* only Linux has it */ }
const usedMs = () => {
  if (file === undefined) return performance.now();
  return Number(readFileSync(file, "utf8").split(" ")[0]) / 1e6;
};
const assertLoads = (state) => void checkLoads({ Y, setting }, state);
const { budget } = setting;
serveLog(port, { Y, budget, growingShare: 4, assertLoads, log: [], owners: new Map(), usedMs });
`;
