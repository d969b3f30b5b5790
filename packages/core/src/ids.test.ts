import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { sha256 } from "./environment.fixture.ts";
import { HeddleErrorCode } from "./errors.ts";
import {
  bytesOfId,
  documentId,
  documentIdOf,
  newStoreId,
  openSpaceId,
  parseDocumentId,
  parseDocumentName,
  parseStoreId,
} from "./ids.ts";

const refused = expect.objectContaining({ code: HeddleErrorCode.frameMalformed });

describe("ids", () => {
  test("are 16 bytes as 32 lower-case hex digits, there and back", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
        const id = documentId(bytes);
        expect(id).toMatch(/^[0-9a-f]{32}$/);
        expect(bytesOfId(id)).toEqual(bytes);
        expect(parseDocumentId(id)).toBe(id);
      }),
    );
    expect(() => documentId(new Uint8Array(15))).toThrow("16 bytes");
  });

  test("typed by a person are read or refused, never mended", () => {
    const digits = "00112233445566778899aabbccddeeff";
    expect(parseStoreId(digits)).toBe(digits);
    for (const text of ["", digits.toUpperCase(), digits.slice(2), `${digits}00`, ` ${digits}`]) {
      expect(parseStoreId(text)).toBeUndefined();
      expect(parseDocumentId(text)).toBeUndefined();
    }
  });

  test("of stores are random", () => {
    const random = { bytes: (length: number) => new Uint8Array(length).fill(7) };
    expect(newStoreId(random)).toBe("07".repeat(16));
  });

  test("of documents follow from space and name, so that offline replicas mean the same one", () => {
    const space = openSpaceId(sha256);
    const composed = documentIdOf(sha256, space, parseDocumentName("caf\u00e9"));
    expect(documentIdOf(sha256, space, parseDocumentName("cafe\u0301"))).toBe(composed);
    expect(documentIdOf(sha256, space, parseDocumentName("cafe"))).not.toBe(composed);
    // Changing either constant would orphan every stored document.
    expect(space).toBe("13a169251c9d86890e4996e62c91abe6");
    expect(composed).toBe("10801c44399afa749a18c70681ad3052");
  });
});

describe("document names", () => {
  test("may hold slashes, blanks and any script, because a name never becomes a path", () => {
    for (const name of ["a", "../../etc/passwd", "meeting 2026", "日記", "👩‍👩‍👧"]) {
      expect(parseDocumentName(name)).toBe(name.normalize("NFC"));
    }
  });

  test("are refused with a control character or half a surrogate pair", () => {
    for (const name of ["a\0", "\n", "a\u007f", "a\u0085b", "\ud800", "x\udfff", "\udc00\ud800"]) {
      expect(() => parseDocumentName(name)).toThrow(refused);
    }
  });

  test("are 1 to 128 units long after normalisation", () => {
    expect(parseDocumentName("n".repeat(128))).toHaveLength(128);
    expect(() => parseDocumentName("n".repeat(129))).toThrow(refused);
    expect(() => parseDocumentName("")).toThrow(refused);
    // Four units that become one, and one that becomes three.
    expect(parseDocumentName("\u03b1\u0313\u0300\u0345".repeat(128))).toHaveLength(128);
    expect(() => parseDocumentName("\ufb2c".repeat(43))).toThrow(refused);
    expect(() => parseDocumentName("n".repeat(10_000_000))).toThrow(refused);
  });

  test("keep their reading: what was accepted is accepted again and is the same", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 140 }), (text) => {
        let name: string;
        try {
          name = parseDocumentName(text);
        } catch (error) {
          expect(error).toEqual(refused);
          return;
        }
        expect(parseDocumentName(name)).toBe(name);
        expect(parseDocumentName(text.normalize("NFD"))).toBe(name);
      }),
    );
  });
});
