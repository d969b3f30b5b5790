import { copyFile, mkdir, rename, rm } from "node:fs/promises";
import path from "node:path";

import {
  compareHlc,
  HeddleErrorCode,
  isHeddleError,
  PayloadCodec,
  type DocumentEntry,
  type DocumentId,
  type Envelope,
  type Environment,
  type LaneDescriptor,
  type LaneId,
} from "@heddle/core";
import { admitUpdate, DocumentKnowledge, parseStored } from "@heddle/document";
import {
  beginFolder,
  comparePlaces,
  finishFolder,
  lockFolder,
  logFolderName,
  markerName,
  openLevelStore,
  quarantineFolderName,
  readMarker,
  readWitness,
  SalvagedStore,
  witnessName,
  writeWitness,
  type Finding,
  type LevelLogStore,
  type SalvagedDocument,
  type SalvagedEnvelope,
} from "@heddle/storage-level";

import { deviceKeyName } from "./device-key-name.ts";

export interface RepairReport {
  readonly documents: readonly RepairedDocument[];
  /** Documents of which only an id is left; whoever opens them under their name brings them back. */
  readonly documentsLost: number;
  readonly records: number;
  readonly findings: readonly Finding[];
  /** Where the damaged files are now, if they were moved out of the way. */
  readonly setAside?: string;
}

export interface RepairedDocument {
  readonly name: string;
  readonly id: DocumentId;
  readonly envelopes: number;
  readonly missing: readonly MissingRange[];
}

/** What has to come from other replicas or a backup. */
export interface MissingRange {
  readonly lane: LaneId;
  readonly fromSeq: number;
  readonly toSeq: number;
}

const batchEnvelopesMax = 512;

/**
 * Writes what can be saved of the store in `folder` to a new store in `target`: of every document all
 * that proves itself and lacks nothing it depends on, above the checkpoint where the log was pruned. The damaged store is only read.
 */
export async function repairStore(
  folder: string,
  target: string,
  environment: Environment,
): Promise<RepairReport> {
  await assertReadable(folder);
  const lock = await lockFolder(folder, environment.hash);
  const partial = await beginFolder(target);
  try {
    const work = path.join(partial, "salvage");
    const { documents, ...report } = await inSalvage(folder, work, environment, async (salvage) => {
      const store = await openLevelStore(partial, { environment });
      try {
        return await rebuild(salvage, store, environment);
      } finally {
        await store.close();
      }
    });
    await markRestored(partial);
    await copyDeviceKey(folder, partial);
    await finishFolder(partial, target);
    return { documents, ...report };
  } finally {
    await rm(partial, { recursive: true, force: true });
    await lock.release();
  }
}

/** A marker that is damaged or missing is one more damage; one of a newer heddle is a reason to stop. */
async function assertReadable(folder: string): Promise<void> {
  try {
    await readMarker(folder);
  } catch (error) {
    if (!isHeddleError(error, HeddleErrorCode.storageCorrupt)) throw error;
  }
}

/** Puts a repaired store in the place of the damaged one, which stays in the folder's quarantine. */
export async function replaceStore(
  folder: string,
  repaired: string,
  atMs: number,
): Promise<string> {
  const stamp = new Date(atMs).toISOString().replaceAll(":", "-");
  const aside = path.join(folder, quarantineFolderName, stamp);
  await mkdir(aside, { recursive: true, mode: 0o700 });
  for (const name of [markerName, witnessName, logFolderName]) {
    await renameIfThere(path.join(folder, name), path.join(aside, name));
  }
  // The marker last: without it the folder is refused, never taken for an empty store.
  for (const name of [logFolderName, witnessName, markerName]) {
    await rename(path.join(repaired, name), path.join(folder, name));
  }
  return aside;
}

async function inSalvage<Value>(
  folder: string,
  work: string,
  { hash }: Environment,
  use: (salvage: SalvagedStore) => Promise<Value>,
): Promise<Value> {
  await using salvage = await SalvagedStore.open(folder, work, hash);
  return await use(salvage);
}

async function rebuild(
  salvage: SalvagedStore,
  store: LevelLogStore,
  environment: Environment,
): Promise<RepairReport> {
  const recalled = new Set<string>();
  const held = new Set<DocumentId>();
  for await (const { recall = [] } of salvage.notes()) {
    for (const { document, envelope } of recall) {
      recalled.add(envelope.id);
      held.add(document);
    }
  }
  const documents: RepairedDocument[] = [];
  const lanes = new Set<LaneId>();
  for (const entry of await salvage.documents()) {
    const salvaged = await salvage.document(entry.id);
    // What depends on recalled parts is held aside when the document is loaded, not refused here.
    const kept = held.has(entry.id)
      ? everything(salvaged)
      : completeOnes(salvaged, await knowledgeOf(salvaged, environment));
    await appendDocument(store, entry, { salvaged, kept, lanes });
    documents.push(describe(entry, salvaged, kept));
  }
  const names = new Set(documents.map(({ id }) => id));
  for await (const batch of salvage.notes()) {
    const { park = [], quarantine = [], recall = [], forks = [], refused = [] } = batch;
    const [note] = [...park, ...quarantine, ...recall, ...forks, ...refused];
    if (note && names.has(note.document)) await store.append(batch);
  }
  const documentsLost = (await salvage.namelessDocuments()).length;
  const { records, findings } = salvage;
  return { documents, documentsLost, records, findings };
}

function everything({ lanes }: SalvagedDocument): SalvagedEnvelope[] {
  return lanes.flatMap(({ envelopes }) => envelopes).toSorted(byArrival);
}

/**
 * The envelopes that lack nothing: a log holds only complete updates, and what a damage took may be
 * what others stand on. In the order of arrival nothing precedes what it depends on.
 */
function completeOnes(salvaged: SalvagedDocument, knowledge: DocumentKnowledge): Envelope[] {
  const ended = new Set<LaneId>();
  return everything(salvaged).filter((envelope) => {
    if (ended.has(envelope.lane)) return false;
    // The state of the checkpoint holds it already.
    if (envelope.seq <= (salvaged.base?.vector.get(envelope.lane)?.seq ?? 0)) return true;
    if (envelope.codec !== PayloadCodec.yjsV1) return true;
    const isComplete = learn(knowledge, envelope);
    if (!isComplete) ended.add(envelope.lane);
    return isComplete;
  });
}

async function knowledgeOf(
  { base }: SalvagedDocument,
  { compression }: Environment,
): Promise<DocumentKnowledge> {
  const knowledge = new DocumentKnowledge();
  if (!base) return knowledge;
  const { checkpoint, header } = base;
  const state = await compression.inflateRaw(checkpoint.state, header.stateBytes);
  knowledge.learn(parseStored(state));
  return knowledge;
}

function learn(knowledge: DocumentKnowledge, { payload }: Envelope): boolean {
  try {
    const { admitted, parked } = admitUpdate(knowledge, parseStored(payload));
    if (parked) return false;
    if (admitted) knowledge.learn(admitted);
    return true;
  } catch (error) {
    // No update at all: the document would not load with it.
    if (isHeddleError(error)) return false;
    throw error;
  }
}

/** Those of older stores do not say when they arrived; their clock readings come close. */
function byArrival(a: SalvagedEnvelope, b: SalvagedEnvelope): number {
  return comparePlaces(a.place, b.place) || compareHlc(a.hlc, b.hlc) || a.seq - b.seq;
}

async function appendDocument(
  store: LevelLogStore,
  entry: DocumentEntry,
  parts: { salvaged: SalvagedDocument; kept: readonly Envelope[]; lanes: Set<LaneId> },
): Promise<void> {
  const { salvaged, kept, lanes } = parts;
  const opened: LaneDescriptor[] = [];
  for (const { lane } of salvaged.lanes) {
    if (lanes.has(lane.id)) continue;
    lanes.add(lane.id);
    opened.push(lane);
  }
  await store.append({ documents: [entry], lanes: opened });
  if (salvaged.base) await appendBase(store, entry.id, salvaged);
  for (let from = 0; from < kept.length; from += batchEnvelopesMax) {
    await store.append({ envelopes: kept.slice(from, from + batchEnvelopesMax) });
  }
}

/** What the document stands on, in the order in which the store checks it. */
async function appendBase(
  store: LevelLogStore,
  document: DocumentId,
  { base, lanes }: SalvagedDocument,
): Promise<void> {
  const { checkpoint, vector, attributions } = base!;
  const floors = new Map<LaneId, number>();
  for (const { lane, floor } of lanes) if (floor > 0) floors.set(lane.id, floor);
  await store.append({ checkpoints: [checkpoint] });
  await store.append({ prune: [{ document, floors, attributions }] });
  await store.append({ vectors: [{ document, vector }] });
}

function describe(
  { id, name }: DocumentEntry,
  { lanes, base }: SalvagedDocument,
  kept: readonly Envelope[],
): RepairedDocument {
  const lastSeqs = new Map<LaneId, number>();
  for (const [lane, { seq }] of base?.vector ?? []) lastSeqs.set(lane, seq);
  for (const { lane, seq } of kept) lastSeqs.set(lane, Math.max(seq, lastSeqs.get(lane) ?? 0));
  const missing = lanes.flatMap(({ lane, lastSeq }): MissingRange[] => {
    const saved = lastSeqs.get(lane.id) ?? 0;
    return saved < lastSeq ? [{ lane: lane.id, fromSeq: saved + 1, toSeq: lastSeq }] : [];
  });
  return { id, name, envelopes: kept.length, missing };
}

/** The first opening of what was repaired says so, to this machine and to other replicas. */
async function markRestored(folder: string): Promise<void> {
  const found = await readWitness(folder);
  if (found.found !== "whole") throw new Error("a store that was just written has a witness");
  await writeWitness(folder, { ...found.witness, restored: true });
}

async function copyDeviceKey(from: string, to: string): Promise<void> {
  try {
    await copyFile(path.join(from, deviceKeyName), path.join(to, deviceKeyName));
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

async function renameIfThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOENT";
}
