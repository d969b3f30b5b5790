import {
  decodeCheckpointVector,
  decodeEnvelope,
  equalBytes,
  HeddleError,
  HeddleErrorCode,
  isCheckpointWhole,
  isHeddleError,
  limits,
  logDigest,
  PayloadCodec,
  splitCheckpointVector,
  type Attribution,
  type Checkpoint,
  type CheckpointVector,
  type DocumentEntry,
  type DocumentId,
  type LaneId,
  type StoredDocument,
  type VersionVector,
} from "@heddle/core";
import { decodeStateVector, digestState, parseStored, type ParsedUpdate } from "@heddle/document";
import { reachesFloors, type CheckpointRefusal, type OfferedCheckpoint } from "@heddle/sync";

import { attributionOf, coalesce } from "../attribution-journal.ts";
import { buildCheckpoint, type CheckpointBuilder } from "../build-checkpoint.ts";
import { loadDocument, type LoadedLog } from "../load-document.ts";
import { parsePayload } from "../log-reading.ts";
import { changesOf } from "../prune-log.ts";
import { readCheckpoint } from "../read-checkpoint.ts";
import { recallsInForce } from "../recalls-in-force.ts";
import type { FoldedState, StateFacts } from "../state-folder.ts";
import { missingIn } from "./known-content.ts";

export interface CheckpointAdopting extends Omit<CheckpointBuilder, "folder"> {
  /** Without one nothing can be checked, and so nothing is adopted. */
  readonly folder: CheckpointBuilder["folder"] | undefined;
  /** What this process writes: nobody else can be ahead of it there. */
  readonly writtenLane: LaneId | undefined;
}

export type Adoption =
  | { readonly outcome: "refused"; readonly reason: CheckpointRefusal; readonly why: string }
  | {
      readonly outcome: "adopted";
      /** What the checkpoint covers. */
      readonly vector: VersionVector;
      readonly state: ParsedUpdate;
      /** Number of the commit group. */
      readonly arrival: number;
    };

/** A checkpoint of a peer that is what it says. */
export interface Proved extends CheckpointVector {
  readonly chunks: readonly Uint8Array[];
  readonly state: ParsedUpdate;
  readonly folded: FoldedState;
}

/** Why a checkpoint is not taken. */
export class Refusal extends Error {
  readonly reason: CheckpointRefusal;

  constructor(reason: CheckpointRefusal, why: string) {
    super(why);
    this.reason = reason;
  }
}

/**
 * Takes a checkpoint that a peer served into the document: proves that it is what it says and lacks
 * nothing that is known here, and puts it in the place of what its lanes lack, in one batch (CKP-12).
 * Where the log here begins above what it covers, both are folded into a checkpoint of our own (I6).
 *
 * The caller keeps everybody else away from the log of the document, and from lanes of others in it.
 *
 * @param entry as it is to be written where the store has never heard of the document.
 * @throws HeddleError `HEDDLE_STORAGE_*`: nobody knows then whether it is on disk.
 */
export async function adoptCheckpoint(
  adopting: CheckpointAdopting,
  entry: DocumentEntry,
  offered: OfferedCheckpoint,
): Promise<Adoption> {
  try {
    return await adopt(adopting, entry, offered);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { outcome: "refused", reason: error.reason, why: error.message };
  }
}

async function adopt(
  adopting: CheckpointAdopting,
  entry: DocumentEntry,
  offered: OfferedCheckpoint,
): Promise<Adoption> {
  const { store, environment } = adopting;
  const { id } = entry;
  const proved = await prove(adopting, offered);
  const { vector, state } = proved;
  const floors = await store.readFloors(id);
  const stored = await store.readDocument(id);
  const log = stored && (await loadDocument(store, environment, stored));
  await assertWelcome(adopting, { offered, proved, stored, log, floors });
  const raised = new Map<LaneId, number>();
  for (const [lane, { seq }] of vector) {
    if (seq > (log?.positions.get(lane)?.seq ?? 0)) raised.set(lane, seq);
  }
  const isReached = reachesFloors(vector, floors);
  const asItIs = isReached || stored === undefined;
  const checkpoint = asItIs
    ? await unchanged(adopting, offered, proved)
    : await joined(adopting, stored, proved);
  const arrival = await store.append({
    documents: stored ? [] : [entry],
    adopt: [
      {
        document: id,
        checkpoint,
        floors: raised,
        ...(await attributionsOfDropped(adopting, id, lanesOf(raised, log))),
      },
    ],
  });
  await dropOlder(adopting, checkpoint);
  return { outcome: "adopted", vector, state, arrival };
}

/** Compares a checkpoint with what its header says, the state by a fold away from this thread. */
export async function prove(
  { environment: { hash, compression }, folder }: CheckpointAdopting,
  { header, vector: joinedVector, payload }: OfferedCheckpoint,
): Promise<Proved> {
  const { chunks, vector, clients } = readVector(joinedVector);
  if (!isCheckpointWhole(hash, header, { vector: chunks, payload })) {
    throw new Refusal("damaged", "its hashes are of something else");
  }
  const isNamed =
    header.lanes === vector.size && equalBytes(header.digestL, logDigest(hash, vector));
  if (!isNamed) throw new Refusal("content", "its vector is not the one that digest L names");
  if ([...vector.values()].some(({ seq }) => seq >= limits.clockMax)) {
    throw new Refusal("content", "a lane is longer than any can be");
  }
  if (header.recallsHash || header.held) {
    throw new Refusal("content", "it leaves out what was recalled over there");
  }
  if (folder === undefined) throw new Refusal("content", "there is nobody to fold it");
  const { stateBytes } = header;
  const state = await compression.inflateRaw(payload, stateBytes).then(
    (inflated) => readState(inflated, stateBytes),
    () => {
      throw new Refusal("content", "its state is no deflate, or longer than it says");
    },
  );
  const base = { state: payload, stateBytes };
  const folded = await folder.fold({ base, updates: [], stateBytesMax: stateBytesCap });
  if (folded.outcome !== "folded") {
    const why = "reason" in folded ? folded.reason : folded.outcome;
    throw new Refusal("content", `its state cannot be folded: ${why}`);
  }
  const digestS = ({ stateVector, deletes }: StateFacts): Uint8Array => {
    return digestState(hash, decodeStateVector(stateVector), deletes);
  };
  const { built, loaded, engine } = folded;
  const isStable =
    equalBytes(digestS(built), digestS(loaded)) && equalBytes(built.digestC, loaded.digestC);
  // Digests of another engine, or of another version of this one, cannot be compared.
  const isSame =
    engine !== header.engine ||
    (equalBytes(digestS(built), header.digestS) && equalBytes(built.digestC, header.digestC));
  if (!isStable || !isSame) throw new Refusal("content", "its state has other digests");
  return { chunks, vector, clients, state, folded };
}

const stateBytesCap = limits.checkpointStateBytesMax;

function readVector(joinedVector: Uint8Array): CheckpointVector & Pick<Proved, "chunks"> {
  try {
    const chunks = splitCheckpointVector(joinedVector);
    return { chunks, ...decodeCheckpointVector(chunks) };
  } catch (error) {
    if (!isHeddleError(error)) throw error;
    throw new Refusal("damaged", error.message);
  }
}

function readState(inflated: Uint8Array, stateBytes: number): ParsedUpdate {
  if (inflated.length !== stateBytes) {
    throw new Refusal("content", "its state is shorter than it says");
  }
  try {
    return parseStored(inflated);
  } catch (error) {
    if (!isHeddleError(error)) throw error;
    throw new Refusal("content", `its state is no valid update: ${error.message}`);
  }
}

interface Situation {
  readonly offered: OfferedCheckpoint;
  readonly proved: Proved;
  readonly stored: StoredDocument | undefined;
  readonly log: LoadedLog | undefined;
  readonly floors: ReadonlyMap<LaneId, number>;
}

/** What is here has to be in it, or may not be touched. */
async function assertWelcome(
  { store, environment, writtenLane }: CheckpointAdopting,
  { proved: { vector, folded }, stored, log, floors }: Situation,
): Promise<void> {
  const written = writtenLane && vector.get(writtenLane);
  if (written && written.seq > (log?.positions.get(writtenLane)?.seq ?? 0)) {
    throw new Refusal("forked", "it covers more of the lane that is written here than was written");
  }
  if (stored === undefined || log === undefined) return;
  if (vector.size + log.positions.size > limits.lanesPerVectorMax) {
    throw new Refusal("content", "with the lanes that are here it would name too many");
  }
  // The log is what recalls point into. What they keep out would come back with the state, and what is
  // dropped could not be released any more.
  const recalls = await recallsInForce(store, stored.id);
  if (recalls.some(({ lane, seq }) => seq > (floors.get(lane) ?? 0))) {
    throw new Refusal("content", "a part of the document is recalled here");
  }
  const clocks = new Map(decodeStateVector(folded.built.stateVector));
  const { deletes } = folded.built;
  const known = { store, environment, document: stored, log, floors };
  const missing = await missingIn(known, vector, { clocks, deletes });
  if (missing !== undefined) {
    throw new Refusal("content", `it covers and does not hold what is known here: ${missing}`);
  }
}

async function unchanged(
  { store }: CheckpointAdopting,
  { entry: { id }, header, payload }: OfferedCheckpoint,
  { chunks }: Proved,
): Promise<Checkpoint> {
  const [newest] = await store.readCheckpoints(id);
  const number = (newest?.number ?? 0) + 1;
  return { document: id, number, header: header.bytes, vector: chunks, state: payload };
}

/** What is held here and what is offered, in one checkpoint of our own. */
async function joined(
  { folder, ...builder }: CheckpointAdopting,
  document: StoredDocument,
  { vector, clients, state }: Proved,
): Promise<Checkpoint> {
  const built = await buildCheckpoint({ ...builder, folder: folder! }, document, {
    vector,
    clients,
    state,
  });
  if (built.outcome === "built") return built.checkpoint;
  const why = "reason" in built ? built.reason : built.outcome;
  throw new Refusal("content", `it cannot be joined with what is held here: ${why}`);
}

/** Those of which something is in the log. */
function lanesOf(raised: ReadonlyMap<LaneId, number>, log: LoadedLog | undefined): LaneId[] {
  return [...raised.keys()].filter((lane) => log?.positions.has(lane));
}

/** Who wrote what leaves the log here. Of envelopes that never came, nobody here knows it. */
async function attributionsOfDropped(
  { store, environment: { hash } }: CheckpointAdopting,
  document: DocumentId,
  lanes: readonly LaneId[],
): Promise<{ forget: readonly Attribution[]; attributions: readonly Attribution[] }> {
  let dropped: Attribution[] = [];
  for (const lane of lanes) {
    for await (const chunk of store.readLogByArrival(document, { lane })) {
      for (const { bytes } of chunk) {
        const envelope = decodeEnvelope(hash, bytes);
        const update = envelope.codec === PayloadCodec.yjsV1 ? parsePayload(envelope) : undefined;
        dropped.push(attributionOf(envelope, update));
        if (dropped.length >= attributionsAtOnce) dropped = coalesce(dropped);
      }
    }
  }
  if (dropped.length === 0) return { forget: [], attributions: [] };
  return changesOf(await store.readAttributions(document), dropped);
}

const attributionsAtOnce = 2_048;

/** Once what was adopted has been read back, those before it are of no use: they reach no floor of now. */
async function dropOlder(
  { store, environment }: CheckpointAdopting,
  { document, number }: Checkpoint,
): Promise<void> {
  const recalls = await recallsInForce(store, document);
  const read = await readCheckpoint({ store, environment }, document, recalls);
  if (read?.number !== number) {
    const message = `checkpoint ${number} of document ${document} was adopted and is not what was written`;
    throw new HeddleError(HeddleErrorCode.storageCorrupt, message);
  }
  if ((await store.readCheckpoints(document)).length === 1) return;
  const floors = new Map<LaneId, number>();
  await store.append({ prune: [{ document, floors, checkpointsBelow: number }] });
}
