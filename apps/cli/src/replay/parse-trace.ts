import { HeddleError, HeddleErrorCode } from "@heddle/core";

import type { Patch, Trace, TraceTransaction } from "./trace.ts";

/** An agent costs a column in the plan's table of causal pasts and a Y.Doc. */
const agentsMax = 1_000;

/**
 * Reads the JSON of an editing trace, sequential or concurrent (shared/data/README.md).
 *
 * @throws HeddleError `HEDDLE_CONFIG_INVALID`, which says what is wrong where.
 */
export function parseTrace(json: unknown, name: string): Trace {
  if (!isRecord(json)) throw badTrace("is not an object");
  const { txns, endContent, startContent = "" } = json;
  if (typeof endContent !== "string") throw badTrace("has no text `endContent`");
  if (typeof startContent !== "string") throw badTrace("has a `startContent` that is not a text");
  if (!Array.isArray(txns) || txns.length === 0) throw badTrace("has no list `txns`");

  const isConcurrent = isRecord(txns[0]) && "agent" in txns[0];
  const read = isConcurrent ? readConcurrent : readSequential;
  const transactions = txns.map((txn, index) => read(txn, index));
  const agents = transactions.reduce((most, txn) => Math.max(most, txn.agent + 1), 1);
  return { name, agents, endContent, transactions: withStart(transactions, startContent) };
}

function readSequential(txn: unknown, index: number): TraceTransaction {
  return { agent: 0, parents: index === 0 ? [] : [index - 1], patches: readPatches(txn, index) };
}

function readConcurrent(txn: unknown, index: number): TraceTransaction {
  const patches = readPatches(txn, index);
  const { agent, parents } = txn as Record<string, unknown>;
  if (!isCount(agent) || agent >= agentsMax) {
    throw badTrace(`transaction ${index}: \`agent\` is not a number below ${agentsMax}`);
  }
  if (!Array.isArray(parents) || !parents.every((parent) => isCount(parent) && parent < index)) {
    throw badTrace(`transaction ${index}: \`parents\` are not indexes of earlier transactions`);
  }
  return { agent, parents, patches };
}

function readPatches(txn: unknown, index: number): Patch[] {
  const patches = isRecord(txn) ? txn["patches"] : undefined;
  if (!Array.isArray(patches)) throw badTrace(`transaction ${index}: no list \`patches\``);
  for (const patch of patches) {
    if (!isPatch(patch)) {
      throw badTrace(`transaction ${index}: a patch is not [position, deleteCount, text]`);
    }
    // Positions count code points, ours count UTF-16 units: equal only while no pair occurs.
    if (/[\ud800-\udfff]/.test(patch[2])) {
      throw badTrace(`transaction ${index}: characters above U+FFFF are not supported`);
    }
  }
  return patches;
}

/** Puts the start content in front as a transaction of its own, so that nobody has it for free. */
function withStart(transactions: TraceTransaction[], startContent: string): TraceTransaction[] {
  if (startContent === "") return transactions;
  const first: TraceTransaction = { agent: 0, parents: [], patches: [[0, 0, startContent]] };
  const rest = transactions.map((txn) => ({
    ...txn,
    parents: txn.parents.length === 0 ? [0] : txn.parents.map((parent) => parent + 1),
  }));
  return [first, ...rest];
}

function isPatch(value: unknown): value is Patch {
  return (
    Array.isArray(value) &&
    value.length === 3 &&
    isCount(value[0]) &&
    isCount(value[1]) &&
    typeof value[2] === "string"
  );
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function badTrace(why: string): HeddleError {
  return new HeddleError(HeddleErrorCode.configInvalid, `the trace ${why}`);
}
