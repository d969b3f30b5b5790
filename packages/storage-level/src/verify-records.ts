import { toHex, type LaneId, type StoreId } from "@heddle/core";

import type { DeviceFile } from "./device-file.ts";
import type { Report } from "./finding.ts";
import {
  readDeviceRecord,
  readIncarnation,
  readJournalEntry,
  readRepairRequest,
  type StoredIncarnation,
} from "./history-records.ts";
import type { Entry } from "./level-database.ts";
import { readAck, readCursor, readFork, readRefused } from "./peer-records.ts";
import { damaged, openRecord } from "./record-codec.ts";
import { readAttribution } from "./attribution-records.ts";
import { readAudit } from "./audit-records.ts";
import type { KeyRange } from "./key-writer.ts";
import { ackKeys, cursorKeys, forkKeys, laneIxOfAckKey, refusedKeys } from "./peer-keys.ts";
import { describeKey } from "./key-kinds.ts";
import {
  arrivalKeys,
  attributionKeys,
  auditKeys,
  checkpointChunkKeys,
  checkpointKeys,
  dirtyKeys,
  documentKeys,
  envelopeKeys,
  floorKeys,
  incarnationKeys,
  journalKeys,
  laneAliasKeys,
  laneKeys,
  parkedKeys,
  quarantineKeys,
  repairKeys,
  vectorKeys,
} from "./key-ranges.ts";
import { isQuarantineUpdateKey, laneIxOfKey, numberOfKey, openingOfKey } from "./parts-of-key.ts";
import { deviceKey, feedFloorKey, headKey, markKey, storeKey } from "./record-keys.ts";
import { checked, type RecordVerification } from "./record-verification.ts";
import { emptyTail, readParkedRecord, readStoreId, type LogTail } from "./records.ts";
import { readQuarantined, readRecall } from "./refusal-records.ts";
import { verifyDocuments } from "./verify-documents.ts";
import { verifyGroups } from "./verify-groups.ts";
import { verifyLanes } from "./verify-lanes.ts";

export interface VerifiedRecords {
  readonly records: number;
  readonly lanes: number;
  readonly documents: number;
  readonly envelopes: number;
  readonly tail: LogTail;
}

/** An attribution says whose lane it is of by its key; that it is unknown was reported before. */
const unknownLane = "0".repeat(32) as LaneId;

/** Everything that has its own place in the checks; what else is in the log only has a checksum. */
const knownRanges: readonly KeyRange[] = [
  arrivalKeys,
  documentKeys,
  envelopeKeys,
  laneKeys,
  quarantineKeys,
  repairKeys,
  vectorKeys,
  journalKeys,
  dirtyKeys,
  incarnationKeys,
  laneAliasKeys,
  checkpointKeys,
  checkpointChunkKeys,
  floorKeys,
  attributionKeys,
  cursorKeys,
  ackKeys,
  forkKeys,
  refusedKeys,
  auditKeys,
  { gte: deviceKey, lt: Uint8Array.of(...deviceKey, 0) },
  { gte: feedFloorKey, lt: Uint8Array.of(...feedFloorKey, 0) },
  { gte: headKey, lt: Uint8Array.of(...headKey, 0) },
  { gte: markKey, lt: Uint8Array.of(...markKey, 0) },
  { gte: storeKey, lt: Uint8Array.of(...storeKey, 0) },
  parkedKeys,
];

/**
 * Reads every record of a log and compares what it says with all others: checksums, sequences without
 * gaps, chains of groups and lanes, vectors and digests. Finds what LevelDB lost as well as what it
 * changed. Goes on after each finding, and writes nothing.
 *
 * @param onStage names what is read next, for whoever has to say where LevelDB ended its process.
 */
export async function verifyRecords(
  verification: RecordVerification,
  storeId: StoreId | undefined,
  onStage: (stage: string) => void,
): Promise<VerifiedRecords> {
  let records = 0;
  const counting: RecordVerification = {
    ...verification,
    pace: async (bytes) => {
      records++;
      await verification.pace(bytes);
    },
  };
  onStage("meta");
  await verifyStoreId(counting, storeId);
  await verifyDevice(counting);
  onStage("lanes");
  const lanes = await verifyLanes(counting);
  onStage("groups");
  const groups = await verifyGroups(counting, lanes);
  onStage("documents");
  const documents = await verifyDocuments(counting, lanes, groups);
  onStage("history");
  await verifyDense(counting, incarnationKeys, openingOfKey, (key, record) => {
    noteRollback(counting.report, readIncarnation(key, record));
  });
  await verifyDense(counting, journalKeys, numberOfKey, readJournalEntry);
  onStage("notes");
  await verifyEach(counting, parkedKeys, readParkedRecord);
  await verifyEach(counting, quarantineKeys, (key, record) => {
    return isQuarantineUpdateKey(key) ? readQuarantined(key, record) : readRecall(key, record);
  });
  await verifyEach(counting, attributionKeys, (key, record) => {
    return readAttribution(key, record, lanes.byIx.get(laneIxOfKey(key)) ?? unknownLane);
  });
  await verifyEach(counting, repairKeys, readRepairRequest);
  await verifyEach(counting, cursorKeys, readCursor);
  await verifyEach(counting, ackKeys, (key, record) => {
    const laneIx = laneIxOfAckKey(key);
    if (!lanes.byIx.has(laneIx)) throw damaged(key, `its lane ${laneIx} is unknown`);
    return readAck(key, record);
  });
  await verifyEach(counting, forkKeys, (key, record) => readFork(counting.hash, key, record));
  await verifyEach(counting, refusedKeys, readRefused);
  await verifyAudit(counting);
  for (const range of between(knownRanges)) await verifyEach(counting, range, openRecord);
  const { count, envelopes } = documents;
  return {
    records,
    lanes: lanes.count,
    documents: count,
    envelopes,
    tail: groups.tail ?? emptyTail,
  };
}

/** What was lost before is not found again by looking at what is left; it is for whoever reads this to know. */
function noteRollback(report: Report, { opening, openedAtMs, rollback }: StoredIncarnation): void {
  if (rollback === undefined || rollback === "restored" || rollback === "copied") return;
  const at = new Date(openedAtMs).toISOString();
  const what = `opening ${opening}, at ${at}, found the store rolled back (${rollback})`;
  report({ severity: "notice", part: "history", what });
}

async function verifyStoreId(
  { database, report }: RecordVerification,
  storeId: StoreId | undefined,
): Promise<void> {
  const record = await database.get(storeKey);
  if (!record) {
    report({ severity: "damage", part: "record", what: "the record of the store id is missing" });
    return;
  }
  const found = checked(report, storeKey, () => readStoreId(record));
  if (found !== undefined && storeId !== undefined && found !== storeId) {
    report({ severity: "damage", part: "record", what: "the log belongs to another store" });
  }
}

async function verifyDevice({ database, report, deviceFile }: RecordVerification): Promise<void> {
  const record = await database.get(deviceKey);
  const known = record && checked(report, deviceKey, () => readDeviceRecord(deviceKey, record));
  const fault = deviceFile && faultOfDevice(deviceFile, known);
  if (fault) report({ severity: "damage", part: "device-key", what: fault });
}

function faultOfDevice(file: DeviceFile, known: Uint8Array | undefined): string | undefined {
  if (file.found === "damaged") return `the device key cannot be read: ${file.why}`;
  if (!known) return undefined;
  if (file.found === "none") return "the device key is missing";
  const isSame = file.publicKey === toHex(known);
  return isSame ? undefined : "the device key is another one than this store was written with";
}

/** Where it is full the oldest entries go: it begins anywhere, and has no gaps. */
async function verifyAudit(verification: RecordVerification): Promise<void> {
  const { database } = verification;
  let before = 0;
  for await (const [first] of database.entries(auditKeys)) {
    before = first ? numberOfKey(first[0]) - 1 : 0;
    break;
  }
  await verifyDense(verification, auditKeys, numberOfKey, readAudit, before);
}

async function verifyEach(
  { database, report, pace }: RecordVerification,
  range: KeyRange,
  read: (...entry: Entry) => unknown,
): Promise<void> {
  for await (const chunk of database.entries(range)) {
    for (const [key, record] of chunk) {
      await pace(record.length);
      checked(report, key, () => read(key, record));
    }
  }
}

/** As {@link verifyEach}, for records that are numbered without gaps, from `before` on. */
async function verifyDense(
  verification: RecordVerification,
  range: KeyRange,
  numberOf: (key: Uint8Array) => number,
  read: (...entry: Entry) => unknown,
  before = 0,
): Promise<void> {
  const { report } = verification;
  let number = before;
  await verifyEach(verification, range, (key, record) => {
    read(key, record);
    const found = numberOf(key);
    if (found !== number + 1) {
      const what = `${describeKey(key)}s ${number + 1} to ${found - 1} are missing`;
      report({ severity: "damage", part: "history", what });
    }
    number = found;
  });
}

/** The ranges of keys that none of `ranges` covers. */
function between(ranges: readonly KeyRange[]): KeyRange[] {
  const sorted = ranges.toSorted((a, b) => Buffer.compare(a.gte, b.gte));
  let gte: Uint8Array = new Uint8Array();
  const gaps: KeyRange[] = [];
  for (const range of sorted) {
    if (Buffer.compare(gte, range.gte) < 0) gaps.push({ gte, lt: range.gte });
    gte = range.lt;
  }
  return [...gaps, { gte, lt: Uint8Array.of(0xff, 0xff) }];
}
