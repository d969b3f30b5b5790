import { equalBytes, type DocumentId, type Hash } from "@heddle/core";

import { decodeRuns, nextChain, readArrival } from "./arrival-record.ts";
import { readIncarnation, readJournalEntry } from "./history-records.ts";
import { arrivalKeys, incarnationKeys, journalKeys, vectorKeys } from "./key-ranges.ts";
import { documentOfKey, isVectorDigestKey, laneIxOfKey, numberOfKey } from "./parts-of-key.ts";
import { arrivalKey, feedFloorKey, headKey, storeKey } from "./record-keys.ts";
import { emptyTail, readFeedFloor, readHead, readPosition, readStoreId } from "./records.ts";
import { readable } from "./readable.ts";
import type { SalvageDatabase } from "./salvage-database.ts";
import type { SalvageFindings } from "./salvage-findings.ts";
import type { SalvagedNames } from "./salvaged-names.ts";
import type { FoundWitness } from "./witness-record.ts";

export interface SalvagedHistory {
  /** Number of the last commit group that anything names: a record, the head, the witness. */
  readonly lastGroup: number;
  /** Groups up to that one of which nothing is left. What was in them nobody may know. */
  readonly groupsLost: number;
}

interface Salvaged {
  readonly database: SalvageDatabase;
  readonly names: SalvagedNames;
  readonly hash: Hash;
  readonly findings: SalvageFindings;
}

/**
 * Compares the commit groups that were salvaged with each other, with the head and with the witness, and
 * notes which envelopes they name. What does not lead from the first group to the last is damage.
 */
export async function readSalvagedHistory(
  salvaged: Salvaged,
  documents: Set<DocumentId>,
  witness: FoundWitness,
): Promise<SalvagedHistory> {
  const groups = await readGroups(salvaged, documents);
  await readVectors(salvaged, documents);
  await salvaged.names.flush();
  const named = Math.max(await checkHead(salvaged, groups), await checkWitness(salvaged, witness));
  await checkOpenings(salvaged);
  const lastGroup = Math.max(groups.last, named);
  const groupsLost = lastGroup - groups.floor - groups.count;
  if (groupsLost > 0) {
    const what = `${groupsLost} commit groups are lost; the last one known of is ${lastGroup}`;
    salvaged.findings.damage("group", what);
  }
  return { lastGroup, groupsLost };
}

interface Groups {
  /** Groups up to here had been dropped on purpose. */
  readonly floor: number;
  readonly last: number;
  readonly count: number;
}

async function readGroups(
  { database, names, hash, findings }: Salvaged,
  documents: Set<DocumentId>,
): Promise<Groups> {
  const record = await database.get(feedFloorKey);
  const floor = (record && readable(() => readFeedFloor(record))) || emptyTail;
  let before: { readonly number: number; readonly chain: Uint8Array } = floor;
  let count = 0;
  for await (const [[key, stored]] of database.entries(arrivalKeys)) {
    const number = numberOfKey(key);
    const group = readable(() => readArrival(key, stored));
    if (!group || number <= floor.number) continue;
    for (const { document, laneIx, toSeq, head } of readable(() => decodeRuns(group.runs)) ?? []) {
      documents.add(document);
      await names.add(document, { laneIx, seq: toSeq, head });
    }
    const follows = number === before.number + 1;
    if (follows && !equalBytes(nextChain(hash, before.chain, number, group.runs), group.chain)) {
      findings.damage("group", `group ${number} does not follow the one before it`);
    }
    before = { number, chain: group.chain };
    count++;
  }
  return { floor: floor.number, last: before.number, count };
}

async function readVectors(
  { database, names }: Salvaged,
  documents: Set<DocumentId>,
): Promise<void> {
  for await (const [[key, record]] of database.entries(vectorKeys)) {
    if (isVectorDigestKey(key)) continue;
    const position = readable(() => readPosition(key, record));
    if (!position) continue;
    documents.add(documentOfKey(key));
    await names.add(documentOfKey(key), { laneIx: laneIxOfKey(key), ...position });
  }
}

/** Returns the number of the last group that the head names. */
async function checkHead({ database, findings }: Salvaged, groups: Groups): Promise<number> {
  const record = await database.get(headKey);
  const head = record && readable(() => readHead(record));
  if (head) {
    if (head.number < groups.last) {
      const what = `the head names group ${head.number}, and there is group ${groups.last}`;
      findings.damage("group", what);
    }
    await checkChain({ database, findings }, head, "head");
    return head.number;
  }
  if (groups.last > 0) findings.damage("group", "the record that names the last group is lost");
  return 0;
}

/** Returns the number of the last group that the witness names. */
async function checkWitness(
  { database, findings }: Salvaged,
  found: FoundWitness,
): Promise<number> {
  if (found.found !== "whole") {
    const state =
      found.found === "none" ? "there is no witness" : `the witness is damaged (${found.why})`;
    findings.damage("witness", `${state}: nobody knows whether newer groups are lost`);
    return 0;
  }
  const { witness } = found;
  const record = await database.get(storeKey);
  const storeId = record && readable(() => readStoreId(record));
  if (storeId === undefined) findings.damage("record", "the record of the store id is lost");
  else if (storeId !== witness.storeId) {
    findings.damage("witness", "the witness is of another store");
    return 0;
  }
  if (witness.restored) {
    const what = "a restore left the witness: it does not say how far the log should reach";
    findings.damage("witness", what);
    return 0;
  }
  if (!(await isKnown(database, witness.incarnation))) {
    findings.damage("witness", "the opening of which the witness is cannot be found in the log");
  }
  await checkChain({ database, findings }, witness, "witness");
  const { number, dropping } = witness;
  for (const detail of dropping?.details ?? []) {
    findings.damage("history", `an opening that did not end lost a log: ${detail}`);
  }
  return Math.max(number, dropping?.lastGroup ?? 0);
}

async function checkChain(
  { database, findings }: Pick<Salvaged, "database" | "findings">,
  { number, chain }: { readonly number: number; readonly chain: Uint8Array },
  part: "head" | "witness",
): Promise<void> {
  const key = arrivalKey(number);
  const record = number > 0 ? await database.get(key) : undefined;
  const group = record && readable(() => readArrival(key, record));
  if (!group || equalBytes(group.chain, chain)) return;
  findings.damage("group", `group ${number} is not the one that the ${part} names`);
}

async function isKnown(database: SalvageDatabase, nonce: Uint8Array): Promise<boolean> {
  for await (const [[key, record]] of database.entries(incarnationKeys)) {
    const incarnation = readable(() => readIncarnation(key, record));
    if (incarnation && equalBytes(incarnation.nonce, nonce)) return true;
  }
  return false;
}

/** What was lost before is not found again by looking at what is left. */
async function checkOpenings({ database, findings }: Salvaged): Promise<void> {
  for await (const [[key, record]] of database.entries(incarnationKeys)) {
    const { opening, rollback } = readable(() => readIncarnation(key, record)) ?? {};
    if (rollback === undefined || rollback === "restored" || rollback === "copied") continue;
    findings.damage("history", `opening ${opening} found the store rolled back: ${rollback}`);
  }
  for await (const [[key, record]] of database.entries(journalKeys)) {
    const { event, detail } = readable(() => readJournalEntry(key, record)) ?? {};
    if (event === "log-set-aside") findings.damage("history", `an opening lost a log: ${detail}`);
  }
}
