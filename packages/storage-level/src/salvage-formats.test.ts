import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { seededRandom } from "@heddle/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { openLevelDatabase } from "./level-database.ts";
import type { SalvagedEntry } from "./level-entries.ts";
import { readLevelFolder, tableName } from "./level-folder.ts";
import { sealRecord } from "./record-codec.ts";
import { documentKeys, envelopeKeys } from "./key-ranges.ts";
import { arrivalKey, envelopeKey } from "./record-keys.ts";
import { isRecordWhole } from "./record-shape.ts";
import { entriesOfPiece } from "./salvage-batch.ts";
import { entriesOfBlock } from "./salvage-block.ts";
import { SalvageDatabase } from "./salvage-database.ts";
import { SalvageFindings } from "./salvage-findings.ts";
import { piecesOfLog } from "./salvage-log-file.ts";
import { salvageLog } from "./salvage-log.ts";
import { blocksOfTable } from "./salvage-table-file.ts";
import { temporaryFolder, type TemporaryFolder } from "./temporary-folder.fixture.ts";

// Goal: a damage costs the records that it hits, and few others, wherever in a file it is.
// Method: let LevelDB write, flip bits all over its files, and count which records still prove themselves.

const random = seededRandom("salvage");
const perBatch = 10;
const batches = 60;
const whole = perBatch * batches;
let place: TemporaryFolder;
let log: Uint8Array;
let table: Uint8Array;

beforeAll(async () => {
  place = await temporaryFolder();
  const folder = join(place.folder, "written");
  await mkdir(folder);
  for (const opening of [1, 2]) {
    const database = await openLevelDatabase(folder, { createIfMissing: true });
    for (let batch = 0; batch < batches; batch++) {
      const operations = Array.from({ length: perBatch }, (_, index) => {
        const key = arrivalKey(opening * 10_000 + batch * perBatch + index);
        const payload = index % 2 ? random.bytes(150) : new Uint8Array(200).fill(index);
        return { type: "put", key, value: sealRecord(key, payload) } as const;
      });
      await database.write(operations);
    }
    await database.close();
  }
  const { logs, manifest } = await readLevelFolder(folder);
  const [number] = manifest.tables.keys();
  log = await readFile(join(folder, logs.at(-1)!));
  table = await readFile(join(folder, tableName(number!)));
});
afterAll(() => place.remove());

function provenIn(entries: Iterable<SalvagedEntry>): number {
  const keys = new Set<string>();
  for (const { key, value } of entries) {
    if (value && isRecordWhole(key, value)) keys.add(Buffer.from(key).toString("hex"));
  }
  return keys.size;
}

function inLog(file: Uint8Array): { proven: number; faults: number } {
  let faults = 0;
  const entries: SalvagedEntry[] = [];
  for (const piece of piecesOfLog(file, () => faults++)) entries.push(...entriesOfPiece(piece, 0n));
  return { proven: provenIn(entries), faults };
}

function inTable(file: Uint8Array): { proven: number; faults: number } {
  let faults = 0;
  const entries: SalvagedEntry[] = [];
  for (const { content, isWhole } of blocksOfTable(file, () => faults++)) {
    entries.push(...entriesOfBlock(content, isWhole));
  }
  return { proven: provenIn(entries), faults };
}

const flipped = (bytes: Uint8Array, bit: number): Uint8Array => {
  const copy = Uint8Array.from(bytes);
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
};

describe("a log", () => {
  it("is read whole", () => {
    expect(inLog(log)).toEqual({ proven: whole, faults: 0 });
  });

  it("[STO-11] loses two records at most to a flipped bit, and says that something is wrong", () => {
    for (let bit = 5; bit < log.length * 8; bit += 3989) {
      const { proven, faults } = inLog(flipped(log, bit));
      expect(faults, `bit ${bit}`).toBeGreaterThan(0);
      expect(proven, `bit ${bit}`).toBeGreaterThanOrEqual(whole - 2);
    }
  });

  it("[STO-11] loses what a page of zeros covers, and the records at its ends", () => {
    for (let at = 0; at < log.length - 4096; at += 10_007) {
      const { proven, faults } = inLog(Uint8Array.from(log).fill(0, at, at + 4096));
      expect(faults).toBeGreaterThan(0);
      // The shortest record has some 190 bytes with its key.
      expect(proven, `at ${at}`).toBeGreaterThanOrEqual(whole - Math.ceil(4096 / 190) - 12);
    }
  });

  it("of nothing but noise takes no time to speak of, and gives nothing", () => {
    for (const noise of [random.bytes(200_000), new Uint8Array(200_000).fill(4)]) {
      expect(inLog(noise).proven).toBe(0);
    }
  });
});

describe("a table", () => {
  it("is read whole", () => {
    expect(inTable(table)).toEqual({ proven: whole, faults: 0 });
  });

  it("[STO-11] loses at most what shares a restart with a flipped bit, or is packed behind it", () => {
    let lost = 0;
    let flips = 0;
    for (let bit = 5; bit < (table.length - 2000) * 8; bit += 3989) {
      const { proven, faults } = inTable(flipped(table, bit));
      expect(faults, `bit ${bit}`).toBeGreaterThan(0);
      // A block has some 20 records.
      expect(proven, `bit ${bit}`).toBeGreaterThanOrEqual(whole - 24);
      lost += whole - proven;
      flips++;
    }
    expect(lost / flips).toBeLessThan(8);
  });

  it("[STO-11] loses nothing with its index, its footer or all that follows the records", () => {
    for (const bytes of [1, 8, 48, 60]) {
      const file = Uint8Array.from(table).fill(0, table.length - bytes);
      expect(inTable(file), `${bytes} bytes`).toMatchObject({ proven: whole });
      expect(inTable(file).faults).toBeGreaterThan(0);
    }
  });

  it("[STO-11] without an index is searched past what is damaged", () => {
    for (let at = 0; at < table.length - 10_000; at += 9001) {
      const file = Uint8Array.from(table)
        .fill(0, at, at + 100)
        .fill(0, table.length - 48);
      expect(inTable(file).proven, `at ${at}`).toBeGreaterThanOrEqual(whole - 60);
    }
  });
});

describe("what is found by searching", () => {
  it("[STO-11] counts for envelopes and lanes only: content can be made to look like records", async () => {
    const document = documentKeys.gte;
    const forged = Uint8Array.of(...document, ...new Uint8Array(16).fill(7));
    const envelope = envelopeKey("07".repeat(16) as Parameters<typeof envelopeKey>[0], 1, 1);
    const entries: number[] = [];
    for (const key of [forged, envelope]) {
      const record = sealRecord(key, Uint8Array.of(1, 2, 3));
      entries.push(1, key.length, ...key, record.length, ...record);
    }
    const payload = Uint8Array.from([...random.bytes(30), ...entries]);
    // One full record whose checksum is wrong.
    const file = Uint8Array.of(
      1,
      2,
      3,
      4,
      payload.length & 0xff,
      payload.length >> 8,
      1,
      ...payload,
    );
    const folder = join(place.folder, "forged");
    await mkdir(folder);
    await writeFile(join(folder, "000003.log"), file);
    const work = join(place.folder, "work");
    await mkdir(work);
    const database = new SalvageDatabase(await openLevelDatabase(work, { createIfMissing: true }));
    const findings = new SalvageFindings();
    await salvageLog(folder, database, findings);
    expect(findings.damages).toBeGreaterThan(0);
    const documents = [];
    for await (const version of database.versions(documentKeys)) documents.push(version);
    expect(documents).toEqual([]);
    const envelopes = [];
    for await (const version of database.versions(envelopeKeys)) envelopes.push(version);
    expect(envelopes).toMatchObject([{ isFound: true }]);
    await database.close();
  });
});
