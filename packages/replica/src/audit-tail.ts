import { equalBytes, isWorthHolding, type Envelope } from "@heddle/core";
import type { ParsedUpdate } from "@heddle/document";

import { LogSize } from "./log-size.ts";
import { PackedPayloads } from "./packed-payloads.ts";

/**
 * How much may be logged without having been tried before the document is audited. Structs, because
 * each may cost as much as there are at its place; types, because each may lie in the one before.
 */
export const auditAfter = {
  envelopes: 1024,
  bytes: 128 * 1024,
  structs: 2048,
  types: 256,
} as const;

/** Payloads are kept for the audit up to here; beyond, it looks at the whole document instead. */
const keptBytesMax = 4 * auditAfter.bytes;

/** Envelopes of one document that were logged since its last audit. */
export class AuditTail {
  #payloads = new PackedPayloads();
  #size: LogSize;
  /** Nothing was logged before the payloads that are kept here. */
  #isWhole: boolean;
  #isKept = true;
  #typesMax: number = auditAfter.types;

  /**
   * @param loaded what the log held when the document was loaded; it counts as never audited.
   * @param hasBase there was a checkpoint below it.
   */
  constructor(loaded: LogSize, hasBase = false) {
    this.#size = loaded;
    this.#isWhole = loaded.envelopes === 0 && !hasBase;
  }

  get isDue(): boolean {
    return this.#size.reaches(auditAfter, this.#typesMax);
  }

  /** An audit found types nested this deep: as many more may follow as could not make it too deep. */
  sound(depth: number): void {
    this.#typesMax = Math.max(1, auditAfter.types - depth);
  }

  /** @param updates what the envelopes were sealed from. */
  add(envelopes: readonly Envelope[], updates: readonly ParsedUpdate[]): void {
    for (let index = 0; index < updates.length; index++) this.#size.addUpdate(updates[index]!);
    for (let index = 0; index < envelopes.length; index++) {
      const { payload } = envelopes[index]!;
      this.#size.addEnvelope(payload);
      this.#isKept &&= this.#size.bytes <= keptBytesMax;
      if (this.#isKept) this.#payloads.add(asInTheFold(payload, updates));
    }
    if (!this.#isKept) this.#payloads.clear();
  }

  /** There is more below than what was logged here: nothing short of the whole document tells. */
  adopted(update: ParsedUpdate): void {
    this.#size.addUpdate(update);
    this.#isWhole = false;
    this.#isKept = false;
    this.#payloads.clear();
  }

  /**
   * What an audit tries, and begins anew.
   * - `isWhole`: the payloads are all of the document.
   * - `payloads` missing: there were too many; only the whole document can be looked at.
   */
  take(): { readonly isWhole: boolean; readonly payloads: readonly Uint8Array[] | undefined } {
    const payloads = this.#isKept ? this.#payloads.list() : undefined;
    const taken = { isWhole: this.#isWhole, payloads };
    this.#payloads.clear();
    this.#size = new LogSize();
    this.#isWhole = false;
    this.#isKept = true;
    return taken;
  }
}

/** A paste is in memory twice already, as an update and as its envelope: the fold holds the first. */
function asInTheFold(payload: Uint8Array, updates: readonly ParsedUpdate[]): Uint8Array {
  const [update] = updates;
  if (updates.length !== 1 || update === undefined || !isWorthHolding(payload)) return payload;
  return equalBytes(update.bytes, payload) ? update.bytes : payload;
}
