import type { Envelope } from "@heddle/core";
import type { ParsedUpdate } from "@heddle/document";

/**
 * How much may be logged without having been tried before the document is audited. Structs, because
 * each may cost as much as there are at its place; types, because each may lie in the one before.
 */
export const auditAfter = {
  envelopes: 1024,
  bytes: 256 * 1024,
  structs: 2048,
  types: 256,
} as const;

/** Payloads are kept for the audit up to here; beyond, it looks at the whole document instead. */
const keptBytesMax = 8 * auditAfter.bytes;

/** Envelopes of one document that were logged since its last audit. */
export class AuditTail {
  #payloads: Uint8Array[] = [];
  #envelopes: number;
  #bytes: number;
  #structs = 0;
  #types = 0;
  /** Nothing was logged before the payloads that are kept here. */
  #isWhole: boolean;
  #isKept = true;

  /** @param envelopes how many the log held when the document was loaded, and their bytes. */
  constructor(envelopes: number, bytes: number) {
    this.#envelopes = envelopes;
    this.#bytes = bytes;
    this.#isWhole = envelopes === 0;
  }

  get isDue(): boolean {
    return (
      this.#envelopes >= auditAfter.envelopes ||
      this.#bytes >= auditAfter.bytes ||
      this.#structs >= auditAfter.structs ||
      this.#types >= auditAfter.types
    );
  }

  /** @param updates what the envelopes were sealed from. */
  add(envelopes: readonly Envelope[], updates: readonly ParsedUpdate[]): void {
    for (const { runs, typeCount } of updates) {
      this.#types += typeCount;
      for (const { structCount } of runs) this.#structs += structCount;
    }
    for (const { payload } of envelopes) {
      this.#envelopes++;
      this.#bytes += payload.length;
      this.#isKept &&= this.#bytes <= keptBytesMax;
      if (this.#isKept) this.#payloads.push(payload);
    }
    if (!this.#isKept) this.#payloads = [];
  }

  /**
   * What an audit tries, and begins anew.
   * - `isWhole`: the payloads are all of the document.
   * - `payloads` missing: there were too many; only the whole document can be looked at.
   */
  take(): { readonly isWhole: boolean; readonly payloads: readonly Uint8Array[] | undefined } {
    const taken = { isWhole: this.#isWhole, payloads: this.#isKept ? this.#payloads : undefined };
    this.#payloads = [];
    this.#envelopes = 0;
    this.#bytes = 0;
    this.#structs = 0;
    this.#types = 0;
    this.#isWhole = false;
    this.#isKept = true;
    return taken;
  }
}
