import { isHeddleError, type Hash, type StoreId } from "@heddle/core";

import { readArrival } from "./arrival-record.ts";
import { assessRollback } from "./assess-rollback.ts";
import { checkLevelFolder, type Pace } from "./check-level-folder.ts";
import type { DeviceFile } from "./device-file.ts";
import type { Report, VerifiedTotals } from "./finding.ts";
import { readIncarnation, type StoredIncarnation } from "./history-records.ts";
import { openLevelDatabase, type LogDatabase } from "./level-database.ts";
import { incarnationKeys } from "./key-ranges.ts";
import { arrivalKey } from "./record-keys.ts";
import { emptyTail } from "./records.ts";
import { readMarker } from "./store-marker.ts";
import { verifyRecords, type VerifiedRecords } from "./verify-records.ts";
import type { FoundWitness } from "./witness-record.ts";

export interface StoreVerification {
  /** The data folder; only its marker and its witness are read, and nothing is written. */
  readonly folder: string;
  /** A snapshot of its log, which LevelDB may open and write to. */
  readonly snapshot: string;
  /** As it was before the snapshot was made; later it may be ahead of it. */
  readonly witness: FoundWitness;
  readonly hash: Hash;
  readonly deviceFile?: DeviceFile | undefined;
  readonly report: Report;
  readonly pace: Pace;
  readonly onStage: (stage: string) => void;
}

/** Reads all of a store, files first: what LevelDB makes of damaged ones is anybody's guess. */
export async function verifyStore(verification: StoreVerification): Promise<VerifiedTotals> {
  const { folder, snapshot, report, pace, onStage } = verification;
  onStage("marker");
  const storeId = await verifyMarker(folder, report);
  onStage("files");
  const { isDangerous, ...files } = await checkLevelFolder(snapshot, report, pace);
  if (isDangerous) return { ...files, ...countsOf(nothingRead) };
  onStage("open");
  const records = await inDatabase(verification, async (database) => {
    const found = await verifyRecords({ ...verification, database }, storeId, onStage);
    onStage("witness");
    if (storeId) await verifyWitness(verification, database, { storeId, tail: found.tail });
    return found;
  });
  return { ...files, ...countsOf(records ?? nothingRead) };
}

function countsOf({
  tail,
  ...counts
}: VerifiedRecords): Omit<VerifiedTotals, "tables" | "fileBytes"> {
  return { ...counts, lastGroup: tail.number };
}

const nothingRead: VerifiedRecords = {
  records: 0,
  lanes: 0,
  documents: 0,
  envelopes: 0,
  tail: emptyTail,
};

async function verifyMarker(folder: string, report: Report): Promise<StoreId | undefined> {
  try {
    const marker = await readMarker(folder);
    if (marker) return marker.storeId;
    report({ severity: "damage", part: "marker", what: "the marker of the store is missing" });
  } catch (error) {
    if (!isHeddleError(error)) throw error;
    report({ severity: "damage", part: "marker", what: error.message });
  }
  return undefined;
}

/** `undefined` where LevelDB cannot open or read it at all. */
async function inDatabase<Value>(
  { snapshot, report }: StoreVerification,
  work: (database: LogDatabase) => Promise<Value>,
): Promise<Value | undefined> {
  try {
    const database = await openLevelDatabase(snapshot, { createIfMissing: false });
    try {
      return await work(database);
    } finally {
      await database.close();
    }
  } catch (error) {
    if (!isHeddleError(error)) throw error;
    report({ severity: "damage", part: "leveldb", what: error.message });
    return undefined;
  }
}

async function verifyWitness(
  { witness, report }: StoreVerification,
  database: LogDatabase,
  { storeId, tail }: { readonly storeId: StoreId; readonly tail: VerifiedRecords["tail"] },
): Promise<void> {
  const incarnations: StoredIncarnation[] = [];
  for await (const chunk of database.entries(incarnationKeys)) {
    for (const [key, record] of chunk) {
      const incarnation = quietly(() => readIncarnation(key, record));
      if (incarnation) incarnations.push(incarnation);
    }
  }
  const chainOf = async (number: number): Promise<Uint8Array | undefined> => {
    const key = arrivalKey(number);
    const record = number > 0 ? await database.get(key) : undefined;
    return record && quietly(() => readArrival(key, record).chain);
  };
  const history = { storeId, tail, incarnations, chainOf };
  const rollback = await assessRollback(witness, history);
  if (!rollback) return;
  const { reason, groupsLost } = rollback;
  const isLoss = reason === "groups-lost" || reason === "history-differs";
  const lost = groupsLost > 0 ? `: ${groupsLost} commit groups are gone` : "";
  report({
    severity: isLoss || reason === "witness-damaged" ? "damage" : "notice",
    part: "witness",
    what: `the store would open as rolled back (${reason})${lost}`,
  });
}

/** Whatever is wrong with it has been reported by then. */
function quietly<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch (error) {
    if (isHeddleError(error)) return undefined;
    throw error;
  }
}
