import { copyFile, readdir, rm } from "node:fs/promises";
import path from "node:path";

import {
  HeddleErrorCode,
  isHeddleError,
  type DocumentId,
  type Environment,
  type Hash,
  type LaneId,
} from "@heddle/core";
import { ephemeralDeviceKey, nodeVerifier } from "@heddle/replica/node";
import {
  assertNotHalfReplaced,
  assertReplaceable,
  isHalfReplaced,
  isMissing,
  lockFolder,
  logFolderName,
  newFolder,
  openLevelStore,
  readMarker,
  readWitness,
  replaceStore,
  resumeReplacement,
  SalvagedStore,
  storageError,
  syncFolder,
  writeWitness,
  type LevelLogStore,
  type Replaced,
} from "@heddle/storage-level";

import { deviceKeyName } from "./device-key-name.ts";
import { rebuildDocument } from "./rebuild-document.ts";
import { isRepairComplete, type RepairedDocument, type RepairReport } from "./repair-report.ts";
import { RescueLane } from "./rescue-lane.ts";

export interface RepairTarget {
  /** A folder that is missing or empty; beside the store unless said otherwise. */
  readonly to?: string | undefined;
  /** Put the new store in the place of the damaged one, whose files go to its quarantine. */
  readonly replace: boolean;
}

export type RepairOutcome =
  | { readonly report: RepairReport; readonly target: string; readonly replaced?: Replaced }
  /** An earlier repair was interrupted while it replaced the store: that was ended, and nothing else done. */
  | { readonly report?: undefined; readonly target: string; readonly replaced: Replaced };

/** Made in the data folder itself, so that it can be put in place by renaming. */
const inPlaceName = "repair";

/**
 * Writes what can be saved of the store in `folder` to a new store. The damaged one is only read, and
 * nobody may have it open; with `replace` it gives its place to the new one at the end.
 */
export async function repairStore(
  folder: string,
  { to, replace }: RepairTarget,
  environment: Environment,
): Promise<RepairOutcome> {
  await assertReadable(folder);
  const lock = await lockFolder(folder, environment.hash);
  try {
    if (replace) {
      const ended = await resumeReplacement(folder);
      if (ended) return { target: folder, replaced: ended };
      await removeLeftovers(folder);
    }
    await assertNotHalfReplaced(folder);
    const inPlace = path.join(folder, inPlaceName);
    const target = path.resolve(to ?? (replace ? inPlace : `${folder}-repaired`));
    const made = await newFolder(target, environment.hash);
    try {
      if (replace) await assertReplaceable(folder, made.partial);
      const report = await repairTo(made.partial, folder, environment);
      if (!replace) {
        await made.finish();
        return { report, target };
      }
      const outcome = { atMs: environment.clock.nowMs(), ok: isRepairComplete(report) };
      const replaced = await replaceStore(folder, made.partial, outcome);
      return { report, target: folder, replaced };
    } catch (error) {
      // Half replaced, they are the store.
      if (!(await isHalfReplaced(folder))) await made.discard();
      throw error;
    }
  } finally {
    await lock.release();
  }
}

async function repairTo(
  partial: string,
  folder: string,
  environment: Environment,
): Promise<RepairReport> {
  const { hash } = environment;
  const work = path.join(partial, "salvage");
  const report = await inSalvage(folder, work, hash, async (salvage) => {
    const store = await openLevelStore(partial, { environment });
    try {
      return await rebuild(salvage, store, environment);
    } finally {
      await store.close();
    }
  });
  await markRestored(partial);
  await copyDeviceKey(folder, partial);
  await syncFolder(path.join(partial, logFolderName));
  await syncFolder(partial);
  return report;
}

async function inSalvage<Value>(
  folder: string,
  work: string,
  hash: Hash,
  use: (salvage: SalvagedStore) => Promise<Value>,
): Promise<Value> {
  await using salvage = await SalvagedStore.open(folder, work, { hash, verifier: nodeVerifier });
  return await use(salvage);
}

async function rebuild(
  salvage: SalvagedStore,
  store: LevelLogStore,
  environment: Environment,
): Promise<RepairReport> {
  const recalls = await documentsWithRecalls(salvage);
  const rescue = new RescueLane(environment, ephemeralDeviceKey);
  const tools = { salvage, store, environment, rescue, opened: new Set<LaneId>() };
  const documents: RepairedDocument[] = [];
  for (const id of salvage.documents) {
    const salvaged = await salvage.document(id);
    documents.push(await rebuildDocument(tools, salvaged, recalls.has(id)));
  }
  const known = new Set(salvage.documents);
  for await (const batch of salvage.notes()) {
    const { park = [], quarantine = [], recall = [], forks = [], refused = [] } = batch;
    const [note] = [...park, ...quarantine, ...recall, ...forks, ...refused];
    // The audit journal is of all documents, those that are lost included.
    const isKept = batch.audit ? true : note !== undefined && known.has(note.document);
    if (isKept) await store.append(batch);
  }
  const { records, damages, findings, history } = salvage;
  return { documents, groupsLost: history.groupsLost, records, damages, findings };
}

async function documentsWithRecalls(salvage: SalvagedStore): Promise<Set<DocumentId>> {
  const documents = new Set<DocumentId>();
  for await (const { recall = [] } of salvage.notes()) {
    for (const { document } of recall) documents.add(document);
  }
  return documents;
}

/** Of repairs that were killed; nobody else makes any while the folder is locked. */
async function removeLeftovers(folder: string): Promise<void> {
  try {
    for (const name of await readdir(folder)) {
      if (!name.startsWith(`${inPlaceName}.partial-`)) continue;
      await rm(path.join(folder, name), { recursive: true, force: true });
    }
  } catch (error) {
    throw storageError(error, "what an earlier repair left could not be removed");
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
    if (!isMissing(error)) throw storageError(error, "the device key could not be copied");
  }
}
