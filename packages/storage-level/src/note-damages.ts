import { fromHex, toHex, type Hash, type RepairRequest } from "@heddle/core";
import { encodeUtf8 } from "lib0/string";

import type { Finding } from "./finding.ts";
import { encodeRepairRequest, type JournalEntry } from "./history-records.ts";
import type { Operation } from "./level-database.ts";
import { repairKey } from "./record-keys.ts";
import { putRecord } from "./records.ts";

export interface DamageChange {
  /** Not known before. */
  readonly found: readonly Finding[];
  /** How many are known and were not found any more. */
  readonly gone: number;
}

export interface DamageNotes extends DamageChange {
  readonly operations: readonly Operation[];
  readonly journal: readonly JournalEntry[];
}

/** Compares what was found with what is on record: new damages are asked for, mended ones no longer. */
export function notesOfDamages(
  hash: Hash,
  findings: readonly Finding[],
  known: readonly RepairRequest[],
  foundAtMs: number,
): DamageNotes {
  const before = new Map(known.map((request) => [request.id, request]));
  const found: Finding[] = [];
  const operations: Operation[] = [];
  for (const finding of findings) {
    const damage = damageOf(hash, finding);
    const id = toHex(damage);
    if (before.delete(id)) continue;
    const { what, document, lane, fromSeq, toSeq } = finding;
    const request = { what, document, lane, fromSeq, toSeq, foundAtMs };
    operations.push(putRecord(repairKey(damage), encodeRepairRequest(request)));
    found.push(finding);
  }
  for (const { id } of before.values()) {
    operations.push({ type: "del", key: repairKey(fromHex(id)!) });
  }
  // What a read met is named more exactly by a scrub: that is no damage gone.
  const stillDamaged = new Set(findings.map(({ document }) => document));
  const gone = [...before.values()].filter(({ document }) => {
    return document === undefined || !stillDamaged.has(document);
  });
  const journal: JournalEntry[] = [
    ...found.map(({ what }) => ({ event: "damage-found", atMs: foundAtMs, detail: what }) as const),
    ...gone.map(({ what }) => ({ event: "damage-gone", atMs: foundAtMs, detail: what }) as const),
  ];
  return { found, gone: gone.length, operations, journal };
}

/** As {@link notesOfDamages}, for findings that say nothing about what else is on record. */
export function notesOfNewDamages(
  hash: Hash,
  findings: readonly Finding[],
  known: readonly RepairRequest[],
  foundAtMs: number,
): DamageNotes {
  const unknown = findings.filter((finding) => {
    return !known.some(({ document, what }) => {
      return finding.document === undefined ? what === finding.what : document === finding.document;
    });
  });
  return notesOfDamages(hash, unknown, [], foundAtMs);
}

/** The same damage has the same name in every scrub, whatever else is wrong beside it. */
function damageOf(
  hash: Hash,
  { part, document, lane, fromSeq, toSeq, file, what }: Finding,
): Uint8Array {
  const isPlaced = document !== undefined && fromSeq !== undefined;
  const place = isPlaced ? `${document} ${lane} ${fromSeq} ${toSeq}` : `${file ?? ""} ${what}`;
  return hash.sha256(encodeUtf8(`heddle/damage/1 ${part} ${place}`)).slice(0, 16);
}
