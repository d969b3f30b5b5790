import {
  HeddleError,
  HeddleErrorCode,
  isHeddleError,
  unreachable,
  verifyLane,
  verifyRun,
  type DocumentEntry,
  type DocumentId,
  type Environment,
  type LogStore,
  type Signer,
  type StoredDocument,
  type Verifier,
} from "@heddle/core";
import type {
  AdoptAnswer,
  DigestAnswer,
  LoadedDocument,
  StoreAnswer,
  SyncRequest,
} from "@heddle/sync";

import type { DriftWatch } from "../drift/drift-watch.ts";
import type { Replica } from "../replica.ts";
import { countedPositions, countedSeqs, isCounted, signedByCut } from "../space/peer-view.ts";
import { changedDocuments } from "./changed-documents.ts";
import type { KnownLanes } from "./known-lanes.ts";
import type { OfferedDocuments } from "./offered-documents.ts";
import type { PeerNotes } from "./peer-notes.ts";
import { readDigests, readLibrary } from "./read-library.ts";
import { readForPeer } from "./read-for-peer.ts";
import type { RecentEnvelopes } from "./recent-envelopes.ts";
import type { ServedCheckpoints } from "./serve-checkpoint.ts";

export interface PeerRequestTools {
  readonly replica: Replica;
  readonly store: LogStore;
  readonly environment: Environment;
  readonly signer: Signer;
  readonly verifier: Verifier;
  readonly lanes: KnownLanes;
  readonly recent: RecentEnvelopes;
  readonly notes: PeerNotes;
  readonly checkpoints: ServedCheckpoints;
  readonly drift?: DriftWatch | undefined;
  /** Who has to know the names of documents. */
  readonly offered?: OfferedDocuments | undefined;
}

/**
 * Does what the state machine of the wire asks for, and answers it.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*` when a document cannot be read. A store that fails as a whole
 * is told by the replica, and ends the machine.
 */
export async function answerPeerRequest(
  tools: PeerRequestTools,
  request: SyncRequest,
): Promise<unknown> {
  const { store, environment, signer, verifier, lanes, recent, checkpoints } = tools;
  const { hash } = environment;
  if (request.type === "load") return loadNamed(tools, request);
  if (tools.drift && isDegraded(tools.drift, request)) {
    return answerOfDegraded(tools, tools.drift, request);
  }
  switch (request.type) {
    case "sign":
      return signer.sign(request.bytes);
    case "verify":
      return verifier.verify(request.devicePublicKey, request.bytes, request.signature);
    case "verifyLane":
      return verifyLane(request.lane, verifier);
    case "verifyRun": {
      const { lane, isLaneNew, run } = request;
      if (isLaneNew && !(await verifyLane(lane, verifier))) return false;
      return verifyRun(run, lane.devicePublicKey, verifier);
    }
    case "changes":
      return changedEntries(store, request.after);
    case "library":
      return libraryOf(tools);
    case "digests":
      return readDigests(hash, request.documents, async (id) => {
        return (await readPositions(tools, id))?.vector;
      });
    case "read": {
      const counted = countedSeqs(tools, request.document);
      const { members } = tools.replica;
      if (!counted || !members) return readForPeer({ store, hash, signer, lanes, recent }, request);
      const signed = signedByCut(members, verifier);
      return readForPeer({ store, hash, signer, lanes, recent, signed }, { ...request, counted });
    }
    case "store":
      return take(tools, request);
    case "readCheckpoint":
      return checkpoints.read(request);
    case "adoptCheckpoint":
      return adopt(tools, request);
    case "digest":
      return digestOf(tools, request);
    default:
      return unreachable(request);
  }
}

/** What of a document that is damaged peers are answered another way. */
type DegradedRequest = Extract<
  SyncRequest,
  { readonly type: "read" | "store" | "adoptCheckpoint" }
>;

function isDegraded(drift: DriftWatch, request: SyncRequest): request is DegradedRequest {
  switch (request.type) {
    case "read":
      return drift.isDegraded(request.document);
    case "store":
    case "adoptCheckpoint":
      return drift.isDegraded(request.entry.id);
    default:
      return false;
  }
}

async function answerOfDegraded(
  tools: PeerRequestTools,
  drift: DriftWatch,
  request: DegradedRequest,
): Promise<unknown> {
  const { store, environment, signer, lanes } = tools;
  switch (request.type) {
    case "read": {
      const reach = await drift.reach(request.document);
      return readForPeer({ store, hash: environment.hash, signer, lanes }, { ...request, reach });
    }
    case "store":
      return drift.take(request);
    case "adoptCheckpoint":
      // As of one that is whole.
      if (tools.replica.members) return { outcome: "refused", reason: "content" };
      return drift.adopt(request);
    default:
      return unreachable(request);
  }
}

/** Where the record of a document is lost, and whoever opens it says its name, it is written anew. */
async function loadNamed(
  tools: PeerRequestTools,
  { document, name }: Extract<SyncRequest, { readonly type: "load" }>,
): Promise<LoadedDocument | undefined> {
  const { drift, replica, offered } = tools;
  const loaded = await replica.restored.reading(document, name, async () => {
    if (!drift?.isDegraded(document)) return load(tools, document);
    const forks = await tools.notes.readForks(document);
    return { ...(await drift.soundPart(document)), forks };
  });
  if (loaded) offered?.note(loaded.entry);
  return loaded;
}

/** Without anybody to compare them, documents are not put together for it. */
async function digestOf(
  { drift }: PeerRequestTools,
  { document, log, isThorough }: Extract<SyncRequest, { readonly type: "digest" }>,
): Promise<DigestAnswer> {
  if (drift === undefined || drift.isDegraded(document)) return { outcome: "unavailable" };
  return drift.digests.answer(document, log, isThorough);
}

async function changedEntries(store: LogStore, after: number): Promise<readonly DocumentEntry[]> {
  const entries: DocumentEntry[] = [];
  const { documents } = await changedDocuments(store, after);
  for await (const chunk of documents) entries.push(...chunk);
  // Who holds one branch is told of the other, however long ago it was found.
  const listed = new Set(entries.map(({ id }) => id));
  for await (const forked of store.readForkedDocuments()) {
    for (const id of forked) {
      const document = listed.has(id) ? undefined : await store.readDocument(id);
      if (document) entries.push(document);
    }
  }
  return entries;
}

/**
 * What is on disk of a document. Floors and checkpoint are read before the positions, which are never
 * lower than these.
 */
async function load(tools: PeerRequestTools, id: DocumentId): Promise<LoadedDocument | undefined> {
  // Most documents of a first sync: nothing more is looked for.
  const isKnown = tools.replica.loaded(id) !== undefined || (await tools.store.readDocument(id));
  if (!isKnown) return undefined;
  // First: a fork that is found meanwhile is told to the machine as well.
  const forks = await tools.notes.readForks(id);
  const offerable = await tools.checkpoints.held(id);
  const positioned = await readPositions(tools, id);
  const given = tools.replica.members ? { floors: offerable.floors } : offerable;
  return positioned && { ...positioned, ...given, forks };
}

/** What is on disk of all documents, as far as it counts. */
function libraryOf({
  replica,
  store,
  environment: { hash },
  offered,
}: PeerRequestTools): ReturnType<typeof readLibrary> {
  const { members, space } = replica;
  const counted = members && isCounted.bind(undefined, members);
  const onDocument = (document: StoredDocument): void => offered?.note(document);
  return readLibrary({ store, hash, space, isCounted: counted, onDocument });
}

/** What is on disk of a document, as far as it counts. */
async function readPositions(
  { replica, store, environment: { hash } }: PeerRequestTools,
  id: DocumentId,
): Promise<Pick<LoadedDocument, "entry" | "vector"> | undefined> {
  const loaded = replica.loaded(id);
  if (loaded?.isStored && replica.members === undefined) {
    const entry = { ...loaded.entry, history: loaded.logged.history };
    return { entry, vector: await loaded.whenDurable() };
  }
  const entry = await store.readDocument(id);
  return entry && { entry, vector: await countedPositions({ replica, store, hash }, entry) };
}

async function adopt(
  tools: PeerRequestTools,
  offered: Extract<SyncRequest, { readonly type: "adoptCheckpoint" }>,
): Promise<AdoptAnswer> {
  // Whose work it holds, and how much of it counts, cannot be told from a state.
  if (tools.replica.members) return { outcome: "refused", reason: "content" };
  const adoption = await tools.replica.adopt(offered);
  if (adoption.outcome === "refused") return { outcome: "refused", reason: adoption.reason };
  const { id } = offered.entry;
  const { vector, floors, checkpoint } = (await load(tools, id)) ?? {};
  if (vector && floors && checkpoint) {
    return { outcome: "adopted", vector, floors, checkpoint, arrival: adoption.arrival };
  }
  // It was recalled in part meanwhile: another session loads what is there.
  const message = `the checkpoint of document ${id} that was adopted cannot be served`;
  throw new HeddleError(HeddleErrorCode.documentReset, message);
}

async function take(
  { replica, lanes, environment }: PeerRequestTools,
  { entry, runs }: Extract<SyncRequest, { readonly type: "store" }>,
): Promise<StoreAnswer> {
  try {
    const { verdicts, arrival } = await replica.takeRuns(entry.name, runs);
    for (const [index, { lane }] of runs.entries())
      if (verdicts[index] === "stored") lanes.add(lane);
    return { outcome: "stored", verdicts, arrival };
  } catch (error) {
    if (!isHeddleError(error)) throw error;
    // This document cannot take anything now: it is damaged, or was opened anew meanwhile.
    const fields = { document: entry.id, code: error.code };
    environment.logger.warn("peer.runs_put_off", fields);
    return { outcome: "stored", verdicts: runs.map(() => "incomplete"), arrival: 0 };
  }
}
