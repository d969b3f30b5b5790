import { isHeddleError, toHex, type DocumentId, type Environment } from "@heddle/core";
import {
  encodeAuditEntry,
  isNamed,
  type AuditEntry,
  type DeadChange,
  type Sink,
  type SinkSource,
  type SourceChange,
} from "@heddle/reconcile";

import type { DeadChanges, KeptDead } from "./dead-changes.ts";
import { attemptDelivery } from "./sink-attempts.ts";

/** What an operator has done with one dead change. */
export interface SettledDead {
  readonly id: string;
  /** `kept`: it was tried, and is dead still. */
  readonly outcome: "delivered" | "dropped" | "kept" | "unknown";
  /** Why it is kept. */
  readonly reason?: string;
}

/** Of which sink, and who settles. */
export interface SettleParts {
  readonly dead: DeadChanges;
  /** Name of the sink. */
  readonly name: string;
  readonly environment: Pick<Environment, "clock" | "random" | "scheduler" | "hash">;
  /** Who decides, for the journal. */
  readonly by: string;
}

/** Where a dead change can be tried again. */
export interface RetryParts extends SettleParts {
  readonly sink: Sink;
  readonly source: SinkSource;
  readonly signal: AbortSignal;
}

/**
 * Hands a dead change to the outside once more, now, whatever the breaker says, and out of the order of its document.
 * What came of it is written down in the batch that changes the list.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function retryDead(parts: RetryParts, id: string): Promise<SettledDead> {
  const { dead, sink, environment, signal } = parts;
  const kept = await dead.get(id);
  if (kept === undefined) return { id, outcome: "unknown" };
  const change = kept.change && (await findChange(parts.source, kept.change));
  if (kept.change === undefined || change === undefined) {
    const reason = "the log does not have it any more, or cannot be read";
    return { id, outcome: "kept", reason };
  }
  const attempt = await attemptDelivery(sink, change, environment, signal);
  if (attempt.outcome === "stopped") return { id, outcome: "kept", reason: "stopped" };
  if (attempt.outcome === "delivered") {
    await dead.remove(id, { audit: [entryOf(parts, kept, "redelivered", "verified", "")] });
    return { id, outcome: "delivered" };
  }
  const { reason } = attempt;
  const again = { ...kept.change, reason, attempts: kept.change.attempts + 1 };
  const audit = [entryOf(parts, kept, "redelivered", "failed", reason)];
  await dead.keep(again, { audit });
  return { id, outcome: "kept", reason };
}

/** Takes a dead change off the list: somebody has seen to it. Written down in the same batch. */
export async function dropDead(parts: SettleParts, id: string): Promise<SettledDead> {
  const kept = await parts.dead.get(id);
  if (kept === undefined) return { id, outcome: "unknown" };
  const was = kept.change?.reason ?? "it could not be read";
  const audit = [entryOf(parts, kept, "dropped", "applied", `it was dead as: ${was}`)];
  await parts.dead.remove(id, { audit });
  return { id, outcome: "dropped" };
}

/** The change itself is in the log, at its place. */
async function findChange(
  source: SinkSource,
  { id, document, lane, seq }: DeadChange,
): Promise<SourceChange | undefined> {
  const accept = ["pending", "quarantine", "degraded"] as const;
  const known = document as DocumentId;
  const described = seq > 0 ? await source.describe(known) : undefined;
  if (!isNamed(described)) return undefined;
  const extent = await source.readExtent(known, accept);
  if (extent.outcome !== "whole") return undefined;
  const above = new Map([...extent.vector, [lane, seq - 1]]);
  const reading = await source.readChanges(known, above, accept);
  if (reading.outcome !== "whole") return undefined;
  try {
    for await (const chunk of reading.changes) {
      const found = chunk.find((change) => toHex(change.id) === id);
      if (found) return found;
    }
  } catch (error) {
    if (!isHeddleError(error)) throw error;
  }
  return undefined;
}

function entryOf(
  { name, environment, by }: SettleParts,
  { id, change }: KeptDead,
  action: AuditEntry["action"],
  result: AuditEntry["result"],
  detail: string,
): Uint8Array {
  const document = change?.document as DocumentId | undefined;
  return encodeAuditEntry({
    id: environment.random.bytes(16),
    atMs: Math.floor(environment.clock.nowMs()),
    by,
    subject: { of: "change", sink: name, change: id, ...(document && { document }) },
    cause: "undelivered",
    action,
    result,
    detail,
  });
}
