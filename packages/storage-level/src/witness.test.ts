import { copyFile, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { newStoreId } from "@heddle/core";
import { seededRandom } from "@heddle/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { temporaryFolder, type TemporaryFolder } from "./temporary-folder.fixture.ts";
import { parseWitness, readWitness, witnessName, writeWitness, type Witness } from "./witness.ts";

const random = seededRandom("witness");
const witness: Witness = {
  storeId: newStoreId(random),
  incarnation: random.bytes(16),
  number: 301,
  chain: random.bytes(16),
  writtenAtMs: Date.UTC(2026, 10, 21),
  restored: false,
};

describe("witness", () => {
  let place: TemporaryFolder;
  let file: string;
  beforeEach(async () => {
    place = await temporaryFolder();
    file = join(place.folder, witnessName);
  });
  afterEach(() => place.remove());

  it("is read as it was written, and a later one takes its place", async () => {
    expect(await readWitness(place.folder)).toEqual({ found: "none" });
    await writeWitness(place.folder, witness);
    const later = { ...witness, number: 302, chain: random.bytes(16) };
    await writeWitness(place.folder, later);
    const found = { found: "whole", witness: later, isOriginal: true };
    expect(await readWitness(place.folder)).toEqual(found);
    expect(await readdir(place.folder)).toEqual([witnessName]);
  });

  it("knows a copy of itself, and that a moved folder is no copy", async () => {
    await writeWitness(place.folder, witness);
    const moved = `${place.folder}-moved`;
    await rename(place.folder, moved);
    expect(await readWitness(moved)).toMatchObject({ found: "whole", isOriginal: true });
    await rename(moved, place.folder);
    await copyFile(file, `${file}.copy`);
    await rename(`${file}.copy`, file);
    expect(await readWitness(place.folder)).toMatchObject({ found: "whole", isOriginal: false });
  });

  it("[STO-9] reports every flipped bit, and every length that it may be cut to", async () => {
    await writeWitness(place.folder, witness);
    const bytes = await readFile(file);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = Buffer.from(bytes);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      const parsed = parseWitness(damaged.toString());
      // White space between the fields and after them carries nothing.
      const isHarmless = typeof parsed !== "string" && isSame(parsed.witness);
      expect(typeof parsed === "string" || isHarmless, `bit ${bit}`).toBe(true);
    }
    for (let length = 0; length < bytes.length - 1; length++) {
      expect(parseWitness(bytes.subarray(0, length).toString())).toBeTypeOf("string");
    }
    await writeFile(file, "{}");
    expect(await readWitness(place.folder)).toMatchObject({ found: "damaged" });
  });

  it("[STO-9] reads no more than a witness can have", async () => {
    await writeFile(file, " ".repeat(100_000));
    expect(await readWitness(place.folder)).toMatchObject({ found: "damaged" });
  });
});

function isSame(found: Witness): boolean {
  return JSON.stringify(found, plain) === JSON.stringify(witness, plain);
}

function plain(_key: string, value: unknown): unknown {
  return value instanceof Uint8Array ? [...value] : value;
}
