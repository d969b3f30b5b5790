import {
  fromHex,
  parseStoreId,
  rollbackReasons,
  toHex,
  type StoreId,
  type StoreRollback,
} from "@heddle/core";

import { encodeChecked, parseChecked } from "./checked-json.ts";
import { chainBytes, type LogMark } from "./records.ts";

/**
 * How far the log was at some moment, kept outside LevelDB: `heddle-witness.json` on a disk. When LevelDB loses
 * the end of its log, it loses the head record with it, and the log is simply shorter; the witness
 * remembers. It may be behind the log, by what {@link WitnessKeeper} waits; it is never ahead of a
 * log that has lost nothing (STO-9).
 */
export interface Witness extends LogMark {
  readonly storeId: StoreId;
  /** Nonce of the incarnation that wrote it. */
  readonly incarnation: Uint8Array;
  readonly writtenAtMs: number;
  /** Left by a restore in place of the store's own. */
  readonly restored: boolean;
  /** What an opening found, until one of them was of use to somebody who could be told (STO-9). */
  readonly untold?: StoreRollback | undefined;
  /** Kept while LevelDB drops what it cannot read of its log: an opening that ends there leaves it behind. */
  readonly dropping?: DroppedLog | undefined;
}

/** What was seen in damaged logs of LevelDB before it was given them (STO-9). */
export interface DroppedLog {
  /** The last commit group in them, past what is damaged; 0 for none. */
  readonly lastGroup: number;
  /** For the journal. */
  readonly details: readonly string[];
}

export type FoundWitness =
  | { readonly found: "none" }
  | { readonly found: "damaged"; readonly why: string }
  | { readonly found: "whole"; readonly witness: Witness; readonly isOriginal: boolean };

/** Where the witness of a store is kept. */
export interface WitnessPlace {
  /** Whether what is written stays: where it does not, its absence says nothing. */
  readonly isKept: boolean;
  /** @throws HeddleError `HEDDLE_STORAGE_IO`. */
  read(): Promise<FoundWitness>;
  /** Puts it in the place of the one before. @throws HeddleError `HEDDLE_STORAGE_FULL`, `..._IO`. */
  write(witness: Witness): Promise<void>;
}

const witnessFormat = 1;

/** @param file what tells this file from a copy of it. */
export function encodeWitness(witness: Witness, file: string): string {
  const { storeId, incarnation, number, chain, writtenAtMs, restored, untold, dropping } = witness;
  const fields = {
    format: witnessFormat,
    storeId,
    incarnation: toHex(incarnation),
    group: number,
    chain: toHex(chain),
    writtenAt: new Date(writtenAtMs).toISOString(),
    restored,
    ...(untold && { untold }),
    ...(dropping && { dropping }),
    file,
  };
  return encodeChecked(fields);
}

/** The witness and the file that it says it is in; else why it is damaged. */
export function parseWitness(json: string): { witness: Witness; file: unknown } | string {
  const parsed = parseChecked(json);
  if (!parsed) return "it is no JSON";
  const { fields, check } = parsed;
  if (check !== "right") return "its checksum differs";
  if (fields["format"] !== witnessFormat) return `its format is ${String(fields["format"])}`;
  const storeId = parseStoreId(String(fields["storeId"]));
  const incarnation = fromHex(String(fields["incarnation"]));
  const chain = fromHex(String(fields["chain"]));
  const number = Number(fields["group"]);
  const writtenAtMs = Date.parse(String(fields["writtenAt"]));
  const isSound = incarnation?.length === bytesOfNonce && chain?.length === chainBytes;
  if (!storeId || !isSound || !Number.isSafeInteger(number) || Number.isNaN(writtenAtMs)) {
    return "a field is missing";
  }
  const restored = fields["restored"] === true;
  const untold = rollbackOf(fields["untold"]);
  const dropping = droppedLogOf(fields["dropping"]);
  const place = { storeId, incarnation, number, chain, writtenAtMs };
  const witness = { ...place, restored, untold, ...(dropping && { dropping }) };
  return { witness, file: fields["file"] };
}

/** `undefined` also for a reason that a newer heddle has: it is told by what it wrote into the log. */
function rollbackOf(value: unknown): StoreRollback | undefined {
  const { reason, groupsLost } = Object(value) as Record<string, unknown>;
  const known = rollbackReasons.find((name) => name === reason);
  return known && { reason: known, groupsLost: Number(groupsLost) };
}

function droppedLogOf(value: unknown): DroppedLog | undefined {
  const { lastGroup, details } = Object(value) as Record<string, unknown>;
  if (!Array.isArray(details)) return undefined;
  return { lastGroup: Number(lastGroup), details: details.map(String) };
}

const bytesOfNonce = 16;
