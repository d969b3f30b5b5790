import { readFileSync } from "node:fs";

import { documentId, fromHex, HeddleErrorCode, isHeddleError, storeId, toHex } from "@heddle/core";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import {
  auditActions,
  auditCauses,
  auditEntryVersion,
  auditResults,
  decodeAuditEntry,
  encodeAuditEntry,
  type AuditEntry,
  type AuditValue,
} from "./audit-entry.ts";
import { auditLimits } from "./audit-limits.ts";

// Goal: what was found and done can be read in years, and a damaged entry is told from a whole one.

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const text = (lengthMax: number) => fc.string({ unit: "grapheme-ascii", maxLength: lengthMax });
const value: fc.Arbitrary<AuditValue> = fc.record({
  digest: bytes(32),
  size: fc.nat(),
  bytes: fc.uint8Array({ maxLength: 40 }),
});
const document = bytes(16).map(documentId);
const subject = fc.oneof(
  fc.record(
    { of: fc.constant("document" as const), document, peer: bytes(16).map(storeId) },
    { requiredKeys: ["of", "document"] },
  ),
  fc.record(
    {
      of: fc.constant("row" as const),
      projection: text(20).map((name) => `p${name}`),
      partition: text(20).map((name) => `p${name}`),
      key: text(20).map((name) => `k${name}`),
      document,
    },
    { requiredKeys: ["of", "projection"] },
  ),
  fc.record(
    {
      of: fc.constant("change" as const),
      sink: text(20).map((name) => `s${name}`),
      change: text(20),
      document,
    },
    { requiredKeys: ["of", "sink", "change"] },
  ),
);
const entry: fc.Arbitrary<AuditEntry> = fc.record(
  {
    id: bytes(16),
    atMs: fc.nat(),
    hlc: fc.record({ wallMs: fc.nat(), counter: fc.nat(65_535) }),
    by: text(64),
    subject,
    cause: fc.constantFrom(...auditCauses),
    action: fc.constantFrom(...auditActions),
    result: fc.constantFrom(...auditResults),
    before: value,
    after: value,
    against: value,
    correlationId: fc.uint8Array({ minLength: 1, maxLength: 16 }),
    detail: text(200),
  },
  { requiredKeys: ["id", "atMs", "by", "subject", "cause", "action", "result", "detail"] },
);

interface Golden {
  readonly what: string;
  readonly bytes: string;
  readonly entry: unknown;
}

/** Bytes as hex, for a file. */
function readableOf(read: AuditEntry): unknown {
  return JSON.parse(JSON.stringify(read, asHex));
}

function asHex(_key: string, part: unknown): unknown {
  return part instanceof Uint8Array ? toHex(part) : part;
}

describe("audit entries", () => {
  test("[DRF-4] come back as they were written, and have one writing", () => {
    fc.assert(
      fc.property(entry, (written) => {
        const encoded = encodeAuditEntry(written);
        const read = decodeAuditEntry(encoded);
        expect(read).toEqual(written);
        expect(encodeAuditEntry(read)).toEqual(encoded);
      }),
      { numRuns: 200 },
    );
  });

  test("[DRF-4] keep their bounds whatever they are given", () => {
    const long = "🧵".repeat(2_000);
    const digest = new Uint8Array(32).fill(7);
    const large = { digest, size: 1_000_000, bytes: new Uint8Array(1_000_000) };
    const encoded = encodeAuditEntry({
      id: new Uint8Array(16).fill(1),
      atMs: 1,
      by: long,
      subject: { of: "row", projection: long, partition: long, key: long },
      cause: "tampered",
      action: "corrected",
      result: "verified",
      before: large,
      after: large,
      against: large,
      detail: long,
    });
    expect(encoded.length).toBeLessThanOrEqual(auditLimits.entryBytesMax);
    const read = decodeAuditEntry(encoded);
    expect(read.before).toMatchObject({ size: 1_000_000, digest });
    expect(read.before!.bytes).toHaveLength(auditLimits.valueBytesMax);
    expect(long.startsWith(read.detail) && read.detail.length > 100).toBe(true);
  });

  test("[DRF-4] damaged bytes are refused with a code, or read as another entry, and never throw else", () => {
    const damaged = fc.tuple(entry.map(encodeAuditEntry), fc.nat(), fc.nat(7), fc.boolean());
    fc.assert(
      fc.property(damaged, ([whole, place, bit, isCut]) => {
        const at = place % whole.length;
        const other = isCut ? whole.slice(0, at) : whole.with(at, whole[at]! ^ (1 << bit));
        try {
          decodeAuditEntry(other);
        } catch (error) {
          const { frameMalformed, protocolVersion } = HeddleErrorCode;
          const isCoded =
            isHeddleError(error, frameMalformed) || isHeddleError(error, protocolVersion);
          expect(isCoded, String(error)).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });

  const fixture = new URL(
    `../../../test/fixtures/reconcile/audit-entry-v${auditEntryVersion}.json`,
    import.meta.url,
  );
  const golden = JSON.parse(readFileSync(fixture, "utf8")) as readonly Golden[];
  test.each(golden)("[DRF-4] of version 1 are read for ever: $what", (kept) => {
    const written = fromHex(kept.bytes)!;
    expect(readableOf(decodeAuditEntry(written))).toEqual(kept.entry);
    expect(toHex(encodeAuditEntry(decodeAuditEntry(written)))).toBe(kept.bytes);
  });

  test("[DRF-4] of a later heddle are told from damaged ones", () => {
    const whole = fromHex(golden[0]!.bytes)!;
    const { protocolVersion, frameMalformed } = HeddleErrorCode;
    expect(() => decodeAuditEntry(whole.with(1, 2))).toThrow(
      expect.objectContaining({ code: protocolVersion }),
    );
    expect(decodeAuditEntry(whole.with(0, 2))).toEqual(decodeAuditEntry(whole));
    expect(() => decodeAuditEntry(new Uint8Array())).toThrow(
      expect.objectContaining({ code: frameMalformed }),
    );
  });
});
