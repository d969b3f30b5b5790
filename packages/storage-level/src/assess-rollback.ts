import { equalBytes, type StoreId, type StoreRollback } from "@heddle/core";

import type { StoredIncarnation } from "./history-records.ts";
import type { LogTail } from "./records.ts";
import type { FoundWitness } from "./witness-record.ts";

export interface OpenedHistory {
  readonly storeId: StoreId;
  readonly tail: LogTail;
  /** As far as they can be read. */
  readonly incarnations: readonly StoredIncarnation[];
  /** There are others, which nobody can read. */
  readonly hasUnreadable?: boolean | undefined;
  /** Chain hash of a group that is not above the tail; `undefined` when it cannot be read. */
  readonly chainOf: (number: number) => Promise<Uint8Array | undefined>;
  /** The last group that LevelDB's own log showed before LevelDB dropped what is damaged in it. */
  readonly lastGroup?: number;
  /** That log was damaged in a place which an unfinished write does not explain. */
  readonly hasDamagedLog?: boolean;
}

/**
 * Compares a log with its witness. The log may be ahead, by what the witness was waiting for when the
 * process died; everything else means that the store is not what was last written (STO-9).
 */
export async function assessRollback(
  found: FoundWitness,
  history: OpenedHistory,
): Promise<StoreRollback | undefined> {
  const { tail, lastGroup = 0 } = history;
  const isOwn = found.found === "whole" && found.witness.storeId === history.storeId;
  const { number = 0, dropping } = isOwn ? found.witness : {};
  const known = Math.max(lastGroup, number, dropping?.lastGroup ?? 0);
  const hasDamagedLog = history.hasDamagedLog || dropping !== undefined;
  if (known > tail.number) return { reason: "groups-lost", groupsLost: known - tail.number };
  const rollback = await compareWithWitness(found, history);
  // What a witness cannot tell is then no reason to say less.
  return rollback ?? (hasDamagedLog ? { reason: "log-damaged", groupsLost: 0 } : undefined);
}

async function compareWithWitness(
  found: FoundWitness,
  { storeId, incarnations, hasUnreadable, chainOf }: OpenedHistory,
): Promise<StoreRollback | undefined> {
  if (found.found === "none") {
    // A heddle before witnesses leaves none, and a store that is being made has none yet.
    const isExpected = hasUnreadable || incarnations.some(({ hasWitness }) => hasWitness);
    return isExpected ? { reason: "witness-missing", groupsLost: 0 } : undefined;
  }
  if (found.found === "damaged") return { reason: "witness-damaged", groupsLost: 0 };
  const { witness, isOriginal } = found;
  const isKnown = incarnations.some(({ nonce }) => equalBytes(nonce, witness.incarnation));
  if (witness.storeId !== storeId) return { reason: "history-differs", groupsLost: 0 };
  if (witness.restored) return { reason: "restored", groupsLost: 0 };
  const chain = await chainOf(witness.number);
  const isSame = chain === undefined || equalBytes(chain, witness.chain);
  if (!isSame || !isKnown) return { reason: "history-differs", groupsLost: 0 };
  return isOriginal ? undefined : { reason: "copied", groupsLost: 0 };
}
