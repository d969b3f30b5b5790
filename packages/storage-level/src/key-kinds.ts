import { documentOfKey } from "./parts-of-key.ts";
import { Prefix } from "./record-keys.ts";

/** What is known of a record by its key alone; see record-keys.ts. */

const kindByPrefix: ReadonlyMap<number, string> = new Map([
  [Prefix.meta, "meta"],
  [Prefix.lane, "lane"],
  [Prefix.laneAlias, "lane alias"],
  [Prefix.document, "document"],
  [Prefix.dirty, "dirty marker"],
  [Prefix.vector, "vector"],
  [Prefix.envelope, "envelope"],
  [Prefix.arrival, "arrival"],
  [Prefix.parked, "parked update"],
  [Prefix.incarnation, "incarnation"],
  [Prefix.quarantine, "quarantine"],
  [Prefix.journal, "journal"],
  [Prefix.repair, "repair request"],
  [Prefix.checkpoint, "checkpoint"],
  [Prefix.checkpointChunk, "checkpoint chunk"],
  [Prefix.floor, "floor"],
  [Prefix.attribution, "attribution"],
  [Prefix.cursor, "peer cursor"],
  [Prefix.ack, "acknowledgement"],
  [Prefix.fork, "fork"],
  [Prefix.refused, "refused envelope"],
  [Prefix.audit, "audit entry"],
]);

const prefixesWithDocument: ReadonlySet<number> = new Set([
  Prefix.document,
  Prefix.dirty,
  Prefix.vector,
  Prefix.envelope,
  Prefix.parked,
  Prefix.quarantine,
  Prefix.checkpoint,
  Prefix.checkpointChunk,
  Prefix.floor,
  Prefix.attribution,
  Prefix.fork,
  Prefix.refused,
]);

/** The highest version of a record under `key` that this heddle reads. */
export function recordVersionOf(key: Uint8Array): number {
  return key[0] === Prefix.envelope ? 2 : 1;
}

const lengthsByPrefix: ReadonlyMap<number, readonly number[]> = new Map([
  [Prefix.meta, [2]],
  [Prefix.lane, [5]],
  [Prefix.laneAlias, [17]],
  [Prefix.document, [17]],
  [Prefix.dirty, [17]],
  [Prefix.vector, [17, 21]],
  [Prefix.envelope, [29]],
  [Prefix.arrival, [9]],
  [Prefix.parked, [33]],
  [Prefix.incarnation, [5]],
  [Prefix.quarantine, [34, 50]],
  [Prefix.journal, [9]],
  [Prefix.repair, [17]],
  [Prefix.checkpoint, [21]],
  [Prefix.checkpointChunk, [26]],
  [Prefix.floor, [21]],
  [Prefix.attribution, [29]],
  [Prefix.cursor, [17]],
  [Prefix.ack, [37]],
  [Prefix.fork, [41]],
  [Prefix.refused, [57]],
  [Prefix.audit, [9]],
]);

/** How long the keys are that begin with `prefix`; none for what begins no key. */
export function keyLengthsOf(prefix: number | undefined): readonly number[] {
  return lengthsByPrefix.get(prefix ?? 0) ?? [];
}

/**
 * Keys whose records name themselves beyond their checksum: an envelope by the hash that its successor
 * has of it, a lane by its signature.
 */
export function isSelfProving(key: Uint8Array): boolean {
  return key[0] === Prefix.envelope || key[0] === Prefix.lane;
}

/** Whether {@link documentOfKey} has an answer. */
export function hasDocument(key: Uint8Array): boolean {
  return prefixesWithDocument.has(key[0]!) && key.length >= 17;
}

/** What a person reads when a record is damaged: its kind, and its document when it has one. */
export function describeKey(key: Uint8Array): string {
  const kind = kindByPrefix.get(key[0] ?? 0) ?? "unknown";
  return hasDocument(key) ? `${kind} record of document ${documentOfKey(key)}` : `${kind} record`;
}
