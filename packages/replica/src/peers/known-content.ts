import {
  decodeEnvelope,
  PayloadCodec,
  type Environment,
  type LaneId,
  type LogStore,
  type StoredDocument,
  type VersionVector,
} from "@heddle/core";
import { ClockRanges, type ClientDeletes } from "@heddle/document";

import type { LoadedLog } from "../load-document.ts";
import { parsePayload } from "../log-reading.ts";
import { readCheckpoint } from "../read-checkpoint.ts";

export interface KnownContent {
  readonly store: LogStore;
  readonly environment: Environment;
  readonly document: StoredDocument;
  /** What is on disk of it. */
  readonly log: LoadedLog;
  readonly floors: ReadonlyMap<LaneId, number>;
}

/** What a state holds: where each client ends, and what is deleted. */
export interface GivenState {
  readonly clocks: ReadonlyMap<number, number>;
  readonly deletes: readonly ClientDeletes[];
}

/**
 * What is known here, covered by `vector`, and not in the state that is said to stand for it; `undefined`
 * when nothing is. What lies above the vector is no reason, and neither is what only a checkpoint here
 * holds of lanes whose log was dropped beyond the vector: nobody can tell it apart from the rest.
 */
export async function missingIn(
  { store, environment, document, log, floors }: KnownContent,
  vector: VersionVector,
  given: GivenState,
): Promise<string | undefined> {
  const { id } = document;
  const above = new LogPart();
  const seqs = new Map([...vector].map(([lane, { seq }]) => [lane, seq]));
  for await (const chunk of store.readLogByArrival(id, { above: seqs })) {
    for (const { bytes } of chunk) above.add(environment, bytes);
  }
  const base = await readCheckpoint({ store, environment }, id, []);
  const isBeyond = (lane: LaneId, seq: number): boolean => seq > (seqs.get(lane) ?? 0);
  const hidden = new Set<number>();
  for (const [lane, floor] of floors) {
    if (!isBeyond(lane, floor)) continue;
    for (const client of base?.clients.get(lane) ?? []) hidden.add(client);
  }
  for (const [client, clock] of log.knowledge.clocks) {
    const needed = Math.min(clock, above.firstClocks.get(client) ?? clock);
    if (hidden.has(client) || (given.clocks.get(client) ?? 0) >= needed) continue;
    return `structs of client ${client} up to ${needed}`;
  }
  // Deletes that followed from others are in the state of a checkpoint, and may follow from what is above.
  const isBaseCovered = [...(base?.vector ?? [])].every(([lane, { seq }]) => !isBeyond(lane, seq));
  const written = isBaseCovered
    ? log.knowledge.deletes.entries()
    : await deletesUpTo(store, environment, { document: id, seqs });
  return missingDelete(written, [...given.deletes, ...above.deletes]);
}

/** Some envelopes of a log, for what they bring. */
class LogPart {
  /** Where each client begins in it. */
  readonly firstClocks = new Map<number, number>();
  readonly deletes: ClientDeletes[] = [];

  add({ hash }: Environment, bytes: Uint8Array): void {
    const envelope = decodeEnvelope(hash, bytes);
    if (envelope.codec !== PayloadCodec.yjsV1) return;
    const { runs, deletes } = parsePayload(envelope);
    for (const { client, clock } of runs) {
      this.firstClocks.set(client, Math.min(clock, this.firstClocks.get(client) ?? clock));
    }
    this.deletes.push(...deletes);
  }
}

/** Of the envelopes that are in the log and not above `seqs`. */
async function deletesUpTo(
  store: LogStore,
  environment: Environment,
  { document, seqs }: { document: StoredDocument["id"]; seqs: ReadonlyMap<LaneId, number> },
): Promise<readonly ClientDeletes[]> {
  const part = new LogPart();
  for await (const chunk of store.readLogByArrival(document)) {
    for (const { lane, seq, bytes } of chunk) {
      if (seq <= (seqs.get(lane) ?? 0)) part.add(environment, bytes);
    }
  }
  return part.deletes;
}

function missingDelete(
  written: readonly ClientDeletes[],
  there: readonly ClientDeletes[],
): string | undefined {
  const deleted = new Map<number, ClockRanges>();
  for (const { client, ranges } of there) {
    const known = deleted.get(client);
    if (known) known.addAll(ranges);
    else deleted.set(client, new ClockRanges([...ranges]));
  }
  for (const { client, ranges } of written) {
    for (let index = 0; index < ranges.length; index += 2) {
      if (deleted.get(client)?.covers(ranges[index]!, ranges[index + 1]!)) continue;
      return `a delete of client ${client} at ${ranges[index]}`;
    }
  }
  return undefined;
}
