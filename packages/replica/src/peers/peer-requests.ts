import {
  isHeddleError,
  unreachable,
  verifyLane,
  verifyRun,
  type DocumentEntry,
  type DocumentId,
  type Environment,
  type LogStore,
  type Signer,
  type Verifier,
} from "@heddle/core";
import type { LoadedDocument, StoreAnswer, SyncRequest } from "@heddle/sync";

import type { Replica } from "../replica.ts";
import { changedDocuments } from "./changed-documents.ts";
import type { KnownLanes } from "./known-lanes.ts";
import type { PeerNotes } from "./peer-notes.ts";
import { readForPeer } from "./read-for-peer.ts";

export interface PeerRequestTools {
  readonly replica: Replica;
  readonly store: LogStore;
  readonly environment: Environment;
  readonly signer: Signer;
  readonly verifier: Verifier;
  readonly lanes: KnownLanes;
  readonly notes: PeerNotes;
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
  const { store, environment, signer, verifier, lanes } = tools;
  const { hash } = environment;
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
    case "load":
      return load(tools, request.document);
    case "changes":
      return changedEntries(store, request.after);
    case "read":
      return readForPeer({ store, hash, signer, lanes }, request);
    case "store":
      return take(tools, request);
    // Nothing is offered here so far, so nobody asks; what a peer offers is not taken.
    case "readCheckpoint":
      return { outcome: "gone" };
    case "adoptCheckpoint":
      return { outcome: "refused", reason: "content" };
    case "digest":
      return { outcome: "unavailable" };
    default:
      return unreachable(request);
  }
}

async function changedEntries(store: LogStore, after: number): Promise<readonly DocumentEntry[]> {
  const entries: DocumentEntry[] = [];
  const { documents } = await changedDocuments(store, after);
  for await (const chunk of documents) entries.push(...chunk);
  return entries;
}

/** A document that is in use knows its positions; that of one that is not, the store has kept. */
async function load(
  { replica, store, notes }: PeerRequestTools,
  id: DocumentId,
): Promise<LoadedDocument | undefined> {
  // First: a fork that is found meanwhile is told to the machine as well.
  const forks = await notes.readForks(id);
  const loaded = replica.loaded(id);
  if (loaded?.isStored) {
    return { entry: loaded.entry, vector: await loaded.whenDurable(), forks };
  }
  const stored = await store.readDocument(id);
  if (stored === undefined) return undefined;
  if (!stored.dirty) return { entry: stored, vector: stored.vector, forks };
  const document = await replica.acquire(stored.name);
  try {
    return { entry: stored, vector: await document.whenDurable(), forks };
  } finally {
    replica.release(document);
  }
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
