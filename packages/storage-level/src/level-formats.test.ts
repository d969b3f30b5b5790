import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { seededRandom } from "@heddle/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { crc32c, maskedCrc32c } from "./crc32c.ts";
import { openLevelDatabase } from "./level-database.ts";
import { readLevelFolder, tableName } from "./level-folder.ts";
import { readLevelLog } from "./level-log-format.ts";
import { checkTable } from "./level-table-format.ts";
import { unpackSnappy } from "./snappy.ts";
import { temporaryFolder, type TemporaryFolder } from "./temporary-folder.fixture.ts";

// Goal: LevelDB's files are understood without LevelDB, and no flipped bit in them passes.
// Method: let LevelDB write, with content that Snappy packs and content that it does not.

const random = seededRandom("formats");
let place: TemporaryFolder;

beforeAll(async () => {
  place = await temporaryFolder();
  for (let opening = 1; opening <= 2; opening++) {
    const database = await openLevelDatabase(place.folder, { createIfMissing: true });
    for (let batch = 0; batch < 20; batch++) {
      const operations = Array.from({ length: 20 }, (_, index) => {
        const key = Uint8Array.of(opening, batch, index);
        const value = index % 2 ? random.bytes(700) : new Uint8Array(900).fill(index);
        return { type: "put", key, value } as const;
      });
      await database.write(operations);
    }
    await database.close();
  }
});
afterAll(() => place.remove());

const flipped = (bytes: Uint8Array, bit: number): Uint8Array => {
  const copy = Uint8Array.from(bytes);
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
};

describe("crc32c", () => {
  it("is that of RFC 3720, whole and in pieces", () => {
    const text = Buffer.from("123456789");
    expect(crc32c(text)).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
    expect(crc32c(text.subarray(4), crc32c(text.subarray(0, 4)))).toBe(crc32c(text));
    expect(maskedCrc32c(0)).toBe(0xa282ead8);
  });
});

describe("the log format", () => {
  it("is read whole, through records that are longer than a block", async () => {
    const { logs, manifest } = await readLevelFolder(place.folder);
    const { records, faults } = readLevelLog(await readFile(join(place.folder, logs.at(-1)!)));
    expect(faults).toEqual([]);
    expect(records).toHaveLength(20);
    expect(manifest.tables.size).toBeGreaterThan(0);
    const tables = (await readdir(place.folder)).filter((name) => name.endsWith(".ldb"));
    expect([...manifest.tables.keys()].map(tableName)).toEqual(tables);
  });

  it("[STO-10] reports a flipped bit anywhere, and knows the end from the middle", async () => {
    const { logs } = await readLevelFolder(place.folder);
    const bytes = await readFile(join(place.folder, logs.at(-1)!));
    for (let bit = 3; bit < bytes.length * 8; bit += 4001) {
      const { faults, records } = readLevelLog(flipped(bytes, bit));
      expect(faults.length, `bit ${bit}`).toBeGreaterThan(0);
      expect(records.length).toBeLessThan(20);
    }
    const middle = readLevelLog(flipped(bytes, 40_000 * 8));
    expect(middle.faults[0]).toMatchObject({ isAtEnd: false });
    const end = readLevelLog(flipped(bytes, bytes.length * 8 - 1));
    expect(end.faults).toMatchObject([{ isAtEnd: true }]);
  });

  it("takes a cut end for a cut end, at every length", async () => {
    const { logs } = await readLevelFolder(place.folder);
    const bytes = await readFile(join(place.folder, logs.at(-1)!));
    const whole = readLevelLog(bytes).records.length;
    for (let length = bytes.length - 1; length > bytes.length - 20_000; length -= 61) {
      const { records, faults } = readLevelLog(bytes.subarray(0, length));
      expect(records.length).toBeLessThan(whole);
      expect(faults.every(({ isAtEnd }) => isAtEnd)).toBe(true);
    }
    const zeros = readLevelLog(Buffer.concat([bytes, new Uint8Array(4096)]));
    expect(zeros.records).toHaveLength(whole);
    expect(zeros.faults).toMatchObject([{ why: "a stretch of zeros", isAtEnd: true }]);
  });
});

describe("a table", () => {
  it("[STO-10] is whole as LevelDB wrote it, and no flipped bit but of the padding passes", async () => {
    const { manifest } = await readLevelFolder(place.folder);
    for (const number of manifest.tables.keys()) {
      const bytes = await readFile(join(place.folder, tableName(number)));
      expect(checkTable(bytes)).toEqual([]);
      const passed: number[] = [];
      for (let bit = 0; bit < bytes.length * 8; bit += bit < (bytes.length - 400) * 8 ? 4001 : 1) {
        if (checkTable(flipped(bytes, bit)).length === 0) passed.push(bytes.length - (bit >> 3));
      }
      // Between the handles and the magic number of the footer there is nothing.
      expect(passed.every((fromEnd) => fromEnd > 8 && fromEnd <= 48)).toBe(true);
    }
  });

  it("[STO-10] is damaged when it is empty, cut, or too long", async () => {
    const { manifest } = await readLevelFolder(place.folder);
    const [number] = manifest.tables.keys();
    const bytes = await readFile(join(place.folder, tableName(number!)));
    for (const length of [0, 10, 48, 100, bytes.length - 1]) {
      expect(checkTable(bytes.subarray(0, length)), `${length} bytes`).not.toEqual([]);
    }
    const longer = Buffer.concat([new Uint8Array(1), bytes]);
    expect(checkTable(longer)).not.toEqual([]);
  });
});

describe("unpackSnappy", () => {
  it("unpacks literals and copies that reach into themselves", () => {
    const packed = Uint8Array.of(11, (2 << 2) | 0, 0x61, 0x62, 0x63, ((8 - 4) << 2) | 1, 3);
    expect(Buffer.from(unpackSnappy(packed, 100)).toString()).toBe("abcabcabcab");
  });

  it("refuses what is cut, too long or copies from nowhere", () => {
    for (const packed of [
      [],
      [5, 16, 1],
      [200, 1, 0, 1],
      [4, 1, 9],
      [0xff, 0xff, 0xff, 0xff, 0xff],
    ]) {
      expect(() => unpackSnappy(Uint8Array.from(packed), 100)).toThrow(RangeError);
    }
  });
});
