import {
  isHeddleError,
  limits,
  logDigest,
  type DocumentId,
  type Envelope,
  type Environment,
  type LaneId,
  type LanePosition,
  type LogStore,
  type VersionVector,
} from "@heddle/core";
import { decodeStateVector, digestState, type ParsedUpdate } from "@heddle/document";
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
  /** Yjs clocks by client. */
  readonly clocks: ReadonlyMap<number, number>;
  readonly digests: ContentDigests;
}

/** What came of a fold: the log refers to what is not in it, or nothing that can be told. */
export type DocumentFold = FoldedDocument | "lacking" | undefined;

const payloadBytesMaxDefault = 32 * 1024 * 1024;

/**
 * Puts a document together from its checkpoint and its log, away from this thread, and takes its digests.
 * Everything is read from the disk and proven on the way.
 *
 * @param withCheckpoint false: from the log alone, to see whether the checkpoint says the same.
 * @returns `undefined` where the log alone is not all of it, it is too much, or the fold failed; `lacking`
 * where the log refers to what is not in it.
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function foldDocument(
  tools: FoldTools,
  id: DocumentId,
  withCheckpoint = true,
): Promise<DocumentFold> {
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
    const part = partOf(reading, envelope);
    if (part === "lacking") return part;
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
  if (folded.outcome === "pending") return "lacking";
  if (folded.outcome !== "folded") return undefined;
  const { stateVector, deletes, digestC } = folded.built;
  const clocks = decodeStateVector(stateVector);
  const without = hashCoveredRecalls(tools, positions, { floors, recalls });
  return {
    log: logDigest(hash, positions),
    vector: positions,
    clocks,
    digests: {
      engine: engineWithout(folded.engine, without),
      state: digestState(hash, clocks, deletes),
      content: digestC,
    },
  };
}

/** What was admitted leaves no gap; of a log that does, something is gone. */
function partOf(reading: LogReading, envelope: Envelope): ParsedUpdate | "lacking" | undefined {
  try {
    return reading.add(envelope);
  } catch (error) {
    if (isHeddleError(error)) throw error;
    return "lacking";
  }
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
