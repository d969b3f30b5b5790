import type * as Yjs from "yjs";

import type { ProgramPort } from "./node-program-process.ts";

/**
 * What runs in the process for trials. The functions below are handed over as text, so that the same source
 * serves a build and a test run without one; none of them may use anything from outside of this file
 * but types.
 */

/** What the process is asked to do. */
export interface TrialJob {
  readonly id: number;
  readonly key: string | undefined;
  readonly version: { readonly from: number | undefined; readonly to: number } | undefined;
  readonly base: readonly Uint8Array[] | undefined;
  readonly steps: readonly Uint8Array[];
}

export interface TrialAnswer {
  readonly id: number;
  readonly outcome: "ok" | "exception" | "unknown-base";
  readonly reason?: string;
  readonly depth?: number;
}

/** How far a trial went. Answers carry it, because reports come another way and may be read later. */
export interface TrialProgress {
  phase: number;
  index: number;
  /** Of the steps that were made. */
  readonly stepMs: number[];
}

export const Phase = { base: 0, steps: 1, late: 2 } as const;

/** Reports name their trial: one of the last trial may be read when the next one is under way. */
export const phasesMax = 3;

/** What the program is started with. */
export interface TrialSetting {
  readonly yjsPath: string;
  readonly depthMax: number;
  /** Sum of encoded sizes of the scratch documents that are kept. */
  readonly keptBytesMax: number;
}

interface Scratch {
  readonly doc: Yjs.Doc;
  readonly bytes: number;
  readonly version: number | undefined;
}

interface Bench {
  readonly Y: typeof Yjs;
  /** Reports the phase, the step that it begins with, and what the step before took. */
  readonly report: (phase: number, index: number, ms: number) => void;
  readonly setting: TrialSetting;
  readonly kept: Map<string, Scratch>;
}

/** Applies all of the job and loads the result anew. Throws what Yjs throws. */
function runTrial(bench: Bench, job: TrialJob): TrialAnswer {
  const { Y, kept, report } = bench;
  report(0, 0, 0);
  const scratch = job.key === undefined ? undefined : kept.get(job.key);
  if (job.key !== undefined) kept.delete(job.key);
  const goesOn = job.base === undefined || job.version?.from !== undefined;
  if (goesOn && (scratch === undefined || scratch.version !== job.version?.from)) {
    return { id: job.id, outcome: "unknown-base" };
  }
  const doc = goesOn ? scratch!.doc : new Y.Doc();
  for (const update of job.base ?? []) Y.applyUpdate(doc, update);
  let tookMs = 0;
  for (let index = 0; index < job.steps.length; index++) {
    report(1, index, tookMs);
    const startMs = performance.now();
    Y.applyUpdate(doc, job.steps[index]!);
    tookMs = performance.now() - startMs;
  }
  report(2, job.steps.length, tookMs);
  const state = Y.encodeStateAsUpdate(doc);
  const depth = checkLoads(bench, state);
  if (job.key !== undefined) {
    keepScratch(bench, job.key, { doc, bytes: state.length, version: job.version?.to });
  }
  return { id: job.id, outcome: "ok", depth };
}

/** What a client does that opens the document, and goes on to work with it. */
export function checkLoads(
  { Y, setting }: Pick<Bench, "Y" | "setting">,
  state: Uint8Array,
): number {
  const fresh = new Y.Doc();
  Y.applyUpdate(fresh, state);
  const { pendingStructs, pendingDs } = fresh.store;
  if (pendingStructs !== null || pendingDs !== null) throw new Error("the state refers to nothing");
  const depth = deepestType(fresh);
  if (depth > setting.depthMax) throw new Error("shared types are nested too deep");
  Y.encodeStateAsUpdate(fresh);
  return depth;
}

/** Nesting of shared types; Yjs deletes recursively, so that an honest delete would overflow the stack. */
export function deepestType(doc: Yjs.Doc): number {
  const depths = new Map<unknown, number>();
  let deepest = 0;
  for (const structs of doc.store.clients.values()) {
    for (const struct of structs) {
      const { content } = struct as Yjs.Item;
      let type = content === undefined ? null : (content as Yjs.ContentType).type;
      const chain: unknown[] = [];
      for (let item = itemOf(type); item && !depths.has(type); item = itemOf(type)) {
        chain.push(type);
        type = item.parent as Yjs.AbstractType<unknown>;
      }
      let depth = depths.get(type) ?? 0;
      for (const inner of chain.toReversed()) depths.set(inner, ++depth);
      if (depth > deepest) deepest = depth;
    }
  }
  return deepest;
}

/** What holds a shared type; nothing holds a root, and what is no type. */
export function itemOf(type: Yjs.AbstractType<unknown> | null | undefined): Yjs.Item | null {
  // oxlint-disable-next-line eslint/no-underscore-dangle -- there is no public way up from a type
  return type?._item ?? null;
}

/** Keeps the documents that were used last, within the bound. */
function keepScratch({ kept, setting }: Bench, key: string, scratch: Scratch): void {
  kept.set(key, scratch);
  let bytes = 0;
  for (const { bytes: ofOne } of kept.values()) bytes += ofOne;
  for (const [oldest, { bytes: ofOldest }] of kept) {
    if (bytes <= setting.keptBytesMax) return;
    bytes -= ofOldest;
    kept.delete(oldest);
  }
}

function serveTrials(port: ProgramPort, bench: Omit<Bench, "report">, phases: number): void {
  port.onMessage((message) => {
    const job = message as TrialJob;
    const progress: TrialProgress = { phase: 0, index: 0, stepMs: [] };
    const report = (phase: number, index: number, ms: number): void => {
      if (phase !== 0 && index > 0) progress.stepMs[index - 1] = ms;
      progress.phase = phase;
      progress.index = index;
      port.report(job.id * phases + phase, index, ms);
    };
    let answer: TrialAnswer;
    try {
      answer = runTrial({ ...bench, report }, job);
    } catch (error) {
      answer = { id: job.id, outcome: "exception", reason: String(error).slice(0, 160) };
    }
    port.postMessage({ ...answer, progress });
  });
}

const functions = [runTrial, checkLoads, deepestType, itemOf, keepScratch, serveTrials];

/** The text that a {@link ProgramProcess} runs; its `setting` is a {@link TrialSetting}. */
export const trialProgram = `"use strict";
const { performance } = require("node:perf_hooks");
${functions.map(String).join("\n")}
const Y = require(setting.yjsPath);
serveTrials(port, { Y, setting, kept: new Map() }, ${phasesMax});
`;
