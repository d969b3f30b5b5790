import {
  limits,
  logDigest,
  type DocumentId,
  type Environment,
  type LaneId,
  type LanePosition,
  type LogStore,
  type VersionVector,
} from "@heddle/core";
import { decodeStateVector, digestState } from "@heddle/document";
import type { ContentDigests } from "@heddle/reconcile";

import { LogReading } from "../log-reading.ts";
import { hashCoveredRecalls, openBase, readCheckpoint } from "../read-checkpoint.ts";
import { recallsInForce } from "../recalls-in-force.ts";
import type { StateFolder } from "../state-folder.ts";
import { walkLog } from "../walk-log.ts";

export interface FoldTools {
  readonly store: LogStore;
  readonly environment: Environment;
  readonly folder: StateFolder;
  /** Payloads above a checkpoint that one fold takes. */
  readonly payloadBytesMax?: number;
}

/** What the disk says that a document is. */
export interface FoldedDocument {
  /** Digest L of what was folded. */
  readonly log: Uint8Array;
  readonly vector: VersionVector;
  readonly digests: ContentDigests;
}

const payloadBytesMaxDefault = 32 * 1024 * 1024;

/**
 * Puts a document together from its checkpoint and its log, away from this thread, and takes its digests.
 * Everything is read from the disk and proven on the way.
 *
 * @param withCheckpoint false: from the log alone, to see whether the checkpoint says the same.
 * @returns `undefined` where the log alone is not all of it, it is too much, or the fold failed.
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function foldDocument(
  tools: FoldTools,
  id: DocumentId,
  withCheckpoint = true,
): Promise<FoldedDocument | undefined> {
  const { store, environment, folder, payloadBytesMax = payloadBytesMaxDefault } = tools;
  const { hash } = environment;
  const document = await store.readDocument(id);
  if (document === undefined) return undefined;
  const recalls = await recallsInForce(store, id);
  const floors = await store.readFloors(id);
  if (!withCheckpoint && floors.size > 0) return undefined;
  const base = withCheckpoint ? await readCheckpoint(tools, id, recalls) : undefined;
  const reading = new LogReading(new Set(recalls.map(({ id: recalled }) => recalled)));
  if (base) reading.begin(await openBase(tools, base));
  const positions = new Map<LaneId, LanePosition>(base?.vector);
  const updates: Uint8Array[] = [];
  let bytes = 0;
  for await (const envelope of walkLog({ store, hash, document, positions })) {
    const part = reading.add(envelope);
    if (part === undefined) continue;
    // Views of a whole chunk of the log, which would be sent along.
    updates.push(part.bytes.slice());
    bytes += part.bytes.length;
    if (bytes > payloadBytesMax) return undefined;
  }
  const folded = await folder.fold({
    base: base && { state: base.state, stateBytes: base.header.stateBytes },
    updates,
    stateBytesMax: limits.checkpointStateBytesMax,
  });
  if (folded.outcome !== "folded") return undefined;
  const { stateVector, deletes, digestC } = folded.built;
  const without = hashCoveredRecalls(tools, positions, { floors, recalls });
  return {
    log: logDigest(hash, positions),
    vector: positions,
    digests: {
      engine: engineWithout(folded.engine, without),
      state: digestState(hash, decodeStateVector(stateVector), deletes),
      content: digestC,
    },
  };
}

const withoutMark = " without ";

/**
 * What is left out makes another document, as another engine does: only those who leave the same out
 * can be compared.
 */
export function engineWithout(engine: string, recalls: Uint8Array | undefined): string {
  if (recalls === undefined) return engine;
  const name = Array.from(recalls.subarray(0, 8), (byte) => byte.toString(16).padStart(2, "0"));
  return `${engine}${withoutMark}${name.join("")}`;
}

/** The name of the engine, whatever is left out. */
export function engineAlone(engine: string): string {
  return engine.split(withoutMark)[0]!;
}
