import {
  bytesOfId,
  cutUtf8,
  HeddleErrorCode,
  isHeddleError,
  limits,
  rollbackReasons,
  toHex,
  type DocumentId,
  type HeddleError,
  type Incarnation,
  type LaneId,
  type RepairRequest,
} from "@heddle/core";
import { decodeUtf8, encodeUtf8 } from "lib0/string";

import type { Entry, LogDatabase, Operation } from "./level-database.ts";
import { decodeRecord, encodeFields } from "./record-fields.ts";
import type { KeyRange } from "./key-writer.ts";
import { incarnationKeys, journalKeys, repairKeys } from "./key-ranges.ts";
import { damageOfKey, numberOfKey, openingOfKey } from "./parts-of-key.ts";
import { deviceKey, incarnationKey, journalKey } from "./record-keys.ts";
import { putRecord } from "./records.ts";

/** Records about the store itself: kinds i, X and R, written and read as those of records.ts. */

/** Tags from 32 on are skipped by readers that do not know them. */
const IncarnationTag = {
  nonce: 1,
  firstArrival: 2,
  openedAtMs: 3,
  rollback: 32,
  hasWitness: 33,
} as const;

export interface StoredIncarnation extends Incarnation {
  readonly opening: number;
  /** A witness file was kept from this opening on: its absence means something. */
  readonly hasWitness: boolean;
}

export function putIncarnation(incarnation: StoredIncarnation): Operation {
  const { opening, nonce, firstArrival, openedAtMs, rollback, hasWitness } = incarnation;
  const fields = {
    [IncarnationTag.nonce]: nonce,
    [IncarnationTag.firstArrival]: firstArrival,
    [IncarnationTag.openedAtMs]: openedAtMs,
    [IncarnationTag.rollback]: rollback && rollbackReasons.indexOf(rollback) + 1,
    [IncarnationTag.hasWitness]: Number(hasWitness),
  };
  return putRecord(incarnationKey(opening), encodeFields(fields));
}

export function readIncarnation(key: Uint8Array, record: Uint8Array): StoredIncarnation {
  return decodeRecord(key, record, IncarnationTag, (fields) => {
    const reason = rollbackReasons[fields.uint(IncarnationTag.rollback) - 1];
    return {
      opening: openingOfKey(key),
      nonce: fields.bytes(IncarnationTag.nonce, 16),
      firstArrival: fields.uint(IncarnationTag.firstArrival),
      openedAtMs: fields.uint(IncarnationTag.openedAtMs),
      hasWitness: fields.uint(IncarnationTag.hasWitness) === 1,
      ...(reason && { rollback: reason }),
    };
  });
}

export const journalEvents = [
  "store-rolled-back",
  "store-restored",
  "log-set-aside",
  "damage-found",
  "damage-gone",
  "scrub-failed",
  "device-changed",
  "record-mended",
] as const;

/** What happened to the store, for whoever has to explain it later. Never removed. */
export interface JournalEntry {
  readonly event: (typeof journalEvents)[number];
  readonly atMs: number;
  /** For people; at most `limits.reasonBytesMax` bytes of UTF-8 are kept. No content. */
  readonly detail: string;
}

export interface NumberedJournalEntry extends JournalEntry {
  readonly number: number;
}

const JournalTag = { event: 1, atMs: 2, detail: 3 } as const;

export function putJournalEntry({ number, event, atMs, detail }: NumberedJournalEntry): Operation {
  const fields = {
    [JournalTag.event]: encodeUtf8(event),
    [JournalTag.atMs]: atMs,
    [JournalTag.detail]: cutUtf8(detail, limits.reasonBytesMax),
  };
  return putRecord(journalKey(number), encodeFields(fields));
}

export function readJournalEntry(key: Uint8Array, record: Uint8Array): NumberedJournalEntry {
  return decodeRecord(key, record, JournalTag, (fields) => ({
    number: numberOfKey(key),
    event: textOf(fields.optionalBytes(JournalTag.event, 64)) as JournalEntry["event"],
    atMs: fields.uint(JournalTag.atMs),
    detail: textOf(fields.optionalBytes(JournalTag.detail, limits.reasonBytesMax)),
  }));
}

const DeviceTag = { publicKey: 1 } as const;
const publicKeyBytes = 32;

/** The device whose key signs here; without it nobody could tell that the key file was lost. */
export function putDevice(publicKey: Uint8Array): Operation {
  return putRecord(deviceKey, encodeFields({ [DeviceTag.publicKey]: publicKey }));
}

export function readDeviceRecord(key: Uint8Array, record: Uint8Array): Uint8Array {
  return decodeRecord(key, record, DeviceTag, (fields) =>
    fields.bytes(DeviceTag.publicKey, publicKeyBytes),
  );
}

const RepairTag = { what: 1, foundAtMs: 2, document: 3, lane: 4, fromSeq: 5, toSeq: 6 } as const;

export function encodeRepairRequest(request: Omit<RepairRequest, "id">): Uint8Array {
  const { what, foundAtMs, document, lane, fromSeq, toSeq } = request;
  return encodeFields({
    [RepairTag.what]: cutUtf8(what, limits.reasonBytesMax),
    [RepairTag.foundAtMs]: foundAtMs,
    [RepairTag.document]: document && bytesOfId(document),
    [RepairTag.lane]: lane && bytesOfId(lane),
    [RepairTag.fromSeq]: fromSeq,
    [RepairTag.toSeq]: toSeq,
  });
}

export function readRepairRequest(key: Uint8Array, record: Uint8Array): RepairRequest {
  return decodeRecord(key, record, RepairTag, (fields) => {
    const document = fields.optionalBytes(RepairTag.document, 16);
    const lane = fields.optionalBytes(RepairTag.lane, 16);
    const fromSeq = fields.uint(RepairTag.fromSeq);
    const toSeq = fields.uint(RepairTag.toSeq);
    return {
      id: toHex(damageOfKey(key)),
      what: textOf(fields.optionalBytes(RepairTag.what, limits.reasonBytesMax)),
      foundAtMs: fields.uint(RepairTag.foundAtMs),
      ...(document && { document: toHex(document) as DocumentId }),
      ...(lane && { lane: toHex(lane) as LaneId }),
      ...(fromSeq > 0 && { fromSeq }),
      ...(toSeq > 0 && { toSeq }),
    };
  });
}

function textOf(bytes: Uint8Array | undefined): string {
  return bytes ? decodeUtf8(bytes) : "";
}

/**
 * Openings, oldest first, from behind the last one whose record is damaged: without it nobody knows how far the
 * one before it reaches, and whoever followed any of them begins anew.
 *
 * @throws HeddleError `HEDDLE_STORAGE_CORRUPT` where that is the present one.
 */
export async function readIncarnations(database: LogDatabase): Promise<StoredIncarnation[]> {
  let incarnations: StoredIncarnation[] = [];
  let damage: HeddleError | undefined;
  for await (const chunk of database.entries(incarnationKeys)) {
    for (const [key, record] of chunk) {
      try {
        incarnations.push(readIncarnation(key, record));
      } catch (error) {
        if (!isHeddleError(error, HeddleErrorCode.storageCorrupt)) throw error;
        damage = error;
        incarnations = [];
      }
    }
  }
  if (damage && incarnations.length === 0) throw damage;
  return incarnations;
}

export async function readJournal(database: LogDatabase): Promise<NumberedJournalEntry[]> {
  return readAll(database, journalKeys, readJournalEntry);
}

export async function readRepairRequests(database: LogDatabase): Promise<RepairRequest[]> {
  const requests = await readAll(database, repairKeys, readRepairRequest);
  return requests.toSorted((a, b) => a.foundAtMs - b.foundAtMs || (a.id < b.id ? -1 : 1));
}

async function readAll<Value>(
  database: LogDatabase,
  range: KeyRange,
  read: (...entry: Entry) => Value,
): Promise<Value[]> {
  const values: Value[] = [];
  for await (const chunk of database.entries(range)) {
    for (const [key, record] of chunk) values.push(read(key, record));
  }
  return values;
}
