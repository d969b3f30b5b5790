import type {
  DocumentEntry,
  DocumentHistory,
  Environment,
  LaneId,
  LanePosition,
  LogStore,
} from "@heddle/core";
import type { DocumentKnowledge, HeldClocks, UpdateFold } from "@heddle/document";

import { LogReading } from "./log-reading.ts";
import type { LogSize } from "./log-size.ts";
import { Parking } from "./parking.ts";
import { Quarantine } from "./quarantine.ts";
import { openBase, readCheckpoint } from "./read-checkpoint.ts";
import { recallsInForce } from "./recalls-in-force.ts";
import { isUncounted } from "./space/member-recalls.ts";
import type { StateCache } from "./state-cache.ts";
import { walkLog } from "./walk-log.ts";

/** What the log says about a document, as loaded. */
export interface LoadedLog {
  readonly entry: DocumentEntry;
  /** False while the store has never heard of the document. */
  readonly isStored: boolean;
  /** True when the log reaches beyond the vector that was last kept. */
  readonly hasNewPositions: boolean;
  readonly positions: Map<LaneId, LanePosition>;
  /** All that is accepted, on disk or on its way there. */
  readonly knowledge: DocumentKnowledge;
  /** All that is on disk, and so all that may be shown. */
  readonly fold: UpdateFold;
  readonly parking: Parking;
  readonly quarantine: Quarantine;
  /** What recalls keep out of the document (DOC-9). */
  readonly held: HeldClocks;
  /** Ids of the envelopes that recalls kept out when it was loaded. */
  readonly recalled: ReadonlySet<string>;
  /** Lane → first seq that does not count in the space, or builds on what does not. */
  readonly uncountedFrom: ReadonlyMap<LaneId, number>;
  /** Envelopes that are held aside, in whole or in part. */
  heldEnvelopes: number;
  /** Of the log that was read: what lies above the checkpoint, when there is one. */
  readonly size: LogSize;
  readonly history: DocumentHistory;
  /** Bytes of the checkpoint that the document was loaded from, as stored; 0 without one. */
  readonly checkpointBytes: number;
}

/**
 * Reads a document into memory, without a Y.Doc: from its newest checkpoint and the log above that, or
 * from its whole log. A document that the store has never
 * heard of loads empty, and stays unknown to the store until something is written.
 *
 * @throws HeddleError `HEDDLE_STORAGE_CORRUPT` when the log does not prove itself.
 */
export async function loadDocument(
  store: LogStore,
  environment: Environment,
  entry: DocumentEntry,
  cache?: StateCache,
): Promise<LoadedLog> {
  const stored = await store.readDocument(entry.id);
  const recalls = stored ? await recallsInForce(store, entry.id) : [];
  const recalled = new Set(recalls.map(({ id }) => id));
  const uncounted = new Set(recalls.filter(isUncounted).map(({ id }) => id));
  const reading = new LogReading(recalled, uncounted);
  const tools = { store, environment };
  const checkpoint = stored && (await readCheckpoint(tools, entry.id, recalls));
  if (checkpoint) reading.begin(await openBase(tools, checkpoint, cache));
  const positions = new Map<LaneId, LanePosition>(checkpoint?.vector);
  if (stored) {
    const walk = { store, hash: environment.hash, document: stored, positions };
    for await (const envelope of walkLog(walk)) reading.add(envelope);
  }
  const { knowledge, fold, held, heldEnvelopes, size, uncountedFrom } = reading;
  return {
    entry,
    isStored: stored !== undefined,
    hasNewPositions: stored?.dirty ?? false,
    positions,
    knowledge,
    fold,
    parking: new Parking(environment, stored ? await store.readParked(entry.id) : []),
    quarantine: new Quarantine(environment, stored ? await store.readQuarantine(entry.id) : []),
    held,
    recalled,
    uncountedFrom,
    heldEnvelopes,
    size,
    history: (stored ?? entry).history ?? "keep",
    checkpointBytes: checkpoint?.header.payloadBytes ?? 0,
  };
}
