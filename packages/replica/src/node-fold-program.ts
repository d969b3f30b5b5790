import type { createHash as CreateHash } from "node:crypto";
import type { deflateRawSync as Deflate, inflateRawSync as Inflate } from "node:zlib";

import { contentProgram } from "@heddle/document";
import type * as Yjs from "yjs";

import type { ProgramPort } from "./node-program-process.ts";
import type { FoldJob, FoldResult, StateFacts } from "./state-folder.ts";

/**
 * What runs in the process that folds. As in `node-trial-program.ts`, functions are handed over
 * as text: none may use anything from outside of this file but types and the content of digest C.
 */

export interface FoldRequest extends FoldJob {
  readonly id: number;
}

export interface FoldAnswer {
  readonly id: number;
  readonly result: FoldResult;
}

/** What the program is started with. */
export interface FoldSetting {
  readonly yjsPath: string;
  readonly engine: string;
}

interface FoldTools extends FoldSetting {
  readonly Y: typeof Yjs;
  readonly createHash: typeof CreateHash;
  readonly deflateRawSync: typeof Deflate;
  readonly inflateRawSync: typeof Inflate;
}

declare function contentBytes(doc: Yjs.Doc): Uint8Array;

/** As `yjsEngine` folds: one transaction, no operations of its own. */
function foldInto({ Y }: FoldTools, doc: Yjs.Doc, updates: readonly Uint8Array[]): void {
  doc.on("afterTransaction", (transaction) => {
    // oxlint-disable-next-line eslint/no-underscore-dangle -- there is no public switch
    if (!transaction.local) transaction._needFormattingCleanup = false;
  });
  doc.transact(() => {
    for (const update of updates) Y.applyUpdate(doc, update);
  });
}

function factsOf({ Y, createHash }: FoldTools, doc: Yjs.Doc): StateFacts {
  const deletes = [];
  for (const [client, items] of Y.createDeleteSetFromStructStore(doc.store).clients) {
    const ranges: number[] = [];
    for (const { clock, len } of items) {
      if (ranges.at(-1) === clock) ranges[ranges.length - 1] = clock + len;
      else ranges.push(clock, clock + len);
    }
    deletes.push({ client, ranges });
  }
  return {
    stateVector: Y.encodeStateVector(doc),
    deletes,
    digestC: new Uint8Array(createHash("sha256").update(contentBytes(doc)).digest()),
  };
}

function hasPending(doc: Yjs.Doc): boolean {
  return doc.store.pendingStructs !== null || doc.store.pendingDs !== null;
}

function runFold(tools: FoldTools, { base, updates, stateBytesMax }: FoldJob): FoldResult {
  const { Y, inflateRawSync, deflateRawSync } = tools;
  const doc = new Y.Doc();
  let baseVector: Uint8Array = new Uint8Array([0]);
  if (base !== undefined) {
    const maxOutputLength = Math.max(1, base.stateBytes);
    foldInto(tools, doc, [inflateRawSync(base.state, { maxOutputLength })]);
    if (hasPending(doc)) return { outcome: "pending" };
    baseVector = Y.encodeStateVector(doc);
  }
  foldInto(tools, doc, updates);
  if (hasPending(doc)) return { outcome: "pending" };
  const state = Y.encodeStateAsUpdate(doc);
  if (state.length > stateBytesMax) return { outcome: "too-large" };
  const built = factsOf(tools, doc);
  doc.destroy();
  const fresh = new Y.Doc();
  foldInto(tools, fresh, [state]);
  if (hasPending(fresh)) return { outcome: "pending" };
  const loaded = factsOf(tools, fresh);
  const { engine } = tools;
  const deflated = new Uint8Array(deflateRawSync(state));
  const { length: stateBytes } = state;
  return { outcome: "folded", engine, state: deflated, stateBytes, baseVector, built, loaded };
}

function serveFolds(port: ProgramPort, tools: FoldTools): void {
  port.onMessage((message) => {
    const request = message as FoldRequest;
    let result: FoldResult;
    try {
      result = runFold(tools, request);
    } catch (error) {
      result = { outcome: "failed", reason: String(error).slice(0, 160) };
    }
    port.postMessage({ id: request.id, result });
  });
}

const functions = [foldInto, factsOf, hasPending, runFold, serveFolds];

/** The text that a {@link ProgramProcess} runs; its `setting` is a {@link FoldSetting}. */
export const foldProgram = `"use strict";
const { createHash } = require("node:crypto");
const { deflateRawSync, inflateRawSync } = require("node:zlib");
${contentProgram}
${functions.map(String).join("\n")}
const Y = require(setting.yjsPath);
serveFolds(port, { ...setting, Y, createHash, deflateRawSync, inflateRawSync });
`;
