import {
  assert,
  HeddleErrorCode,
  isHeddleError,
  limits,
  type AuditRecord,
  type HeddleError,
  type WholeAuditRecord,
} from "@heddle/core";

import type { LogDatabase, Operation } from "./level-database.ts";
import { auditKeys } from "./key-ranges.ts";
import { numberOfKey } from "./parts-of-key.ts";
import { decodeRecord, encodeFields } from "./record-fields.ts";
import { auditKey } from "./record-keys.ts";
import { putRecord } from "./records.ts";

/** Records of kind j: the audit journal. What an entry says is known to `@heddle/reconcile` alone. */
const AuditTag = { entry: 1 } as const;

export function putAudit({ number, bytes }: WholeAuditRecord): Operation {
  return putRecord(auditKey(number), encodeFields({ [AuditTag.entry]: bytes }));
}

export function readAudit(key: Uint8Array, record: Uint8Array): WholeAuditRecord {
  return decodeRecord(key, record, AuditTag, (fields) => ({
    number: numberOfKey(key),
    bytes: fields.optionalBytes(AuditTag.entry, limits.auditEntryBytesMax) ?? new Uint8Array(),
  }));
}

/** Oldest first. One that is damaged is told to `onDamage`, and hides no other. */
export async function* readAuditAfter(
  { database }: { readonly database: LogDatabase },
  after: number,
  onDamage: (error: HeddleError) => void,
): AsyncIterable<readonly AuditRecord[]> {
  const range = { gte: auditKey(after + 1), lt: auditKeys.lt };
  for await (const chunk of database.entries(range)) {
    yield chunk.map(([key, record]) => {
      try {
        return readAudit(key, record);
      } catch (error) {
        if (!isHeddleError(error, HeddleErrorCode.storageCorrupt)) throw error;
        onDamage(error);
        return { number: numberOfKey(key), bytes: undefined };
      }
    });
  }
}

/** Gives entries their numbers, and makes room for them where the journal is full. */
export class AuditNumbers {
  readonly #entriesMax: number;
  #first: number;
  #last: number;

  private constructor(first: number, last: number, entriesMax: number) {
    this.#first = first;
    this.#last = last;
    this.#entriesMax = entriesMax;
  }

  static async load(
    database: LogDatabase,
    entriesMax: number = limits.auditEntriesMax,
  ): Promise<AuditNumbers> {
    const last = await database.lastKey(auditKeys);
    let first: Uint8Array | undefined;
    for await (const [entry] of database.entries(auditKeys)) {
      first = entry?.[0];
      break;
    }
    const lastNumber = last ? numberOfKey(last) : 0;
    return new AuditNumbers(first ? numberOfKey(first) : lastNumber + 1, lastNumber, entriesMax);
  }

  /** What adds `entries`, and takes away the oldest beyond the bound. */
  add(entries: readonly Uint8Array[]): Operation[] {
    const operations: Operation[] = [];
    for (const bytes of entries) {
      assert(bytes.length <= limits.auditEntryBytesMax, "an audit entry keeps its cap");
      operations.push(putAudit({ number: ++this.#last, bytes }));
    }
    for (; this.#last - this.#first >= this.#entriesMax; this.#first++) {
      operations.push({ type: "del", key: auditKey(this.#first) });
    }
    return operations;
  }
}
