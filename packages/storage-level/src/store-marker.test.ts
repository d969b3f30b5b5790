import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { HeddleErrorCode, newStoreId } from "@heddle/core";
import { seededRandom } from "@heddle/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import {
  makeFolder,
  markerName,
  readMarker,
  storeFormat,
  writeMarker,
  type StoreMarker,
} from "./store-marker.ts";
import { temporaryFolder, type TemporaryFolder } from "./temporary-folder.fixture.ts";

const marker: StoreMarker = {
  format: storeFormat,
  storeId: newStoreId(seededRandom(1)),
  createdAtMs: Date.UTC(2026, 10, 20, 12),
  state: "ready",
};

describe("store marker", () => {
  let place: TemporaryFolder;
  beforeEach(async () => {
    place = await temporaryFolder();
  });
  afterEach(() => place.remove());

  it("is read as it was written, and a later one takes its place", async () => {
    expect(await readMarker(place.folder)).toBeUndefined();
    await writeMarker(place.folder, { ...marker, state: "creating" });
    await writeMarker(place.folder, marker);
    expect(await readMarker(place.folder)).toEqual(marker);
    expect(await readdir(place.folder)).toEqual([markerName]);
  });

  it("has this form on disk", async () => {
    await writeMarker(place.folder, marker);
    expect(await readFile(join(place.folder, markerName), "utf8")).toBe(
      [
        "{",
        '  "format": 3,',
        '  "needs": "heddle 0.1 or later",',
        `  "storeId": "${marker.storeId}",`,
        '  "createdAt": "2026-11-20T12:00:00.000Z",',
        '  "state": "ready",',
        '  "check": "5ead53b0"',
        "}\n",
      ].join("\n"),
    );
  });

  it("is read in the format before, and written anew in this one", async () => {
    const { createdAtMs, storeId } = marker;
    const createdAt = new Date(createdAtMs).toISOString();
    const old = JSON.stringify({ format: 1, storeId, createdAt, state: "ready" });
    await writeFile(join(place.folder, markerName), old);
    const read = await readMarker(place.folder);
    expect(read).toEqual({ ...marker, format: 1 });
    await writeMarker(place.folder, read!);
    expect(await readMarker(place.folder)).toEqual(marker);
  });

  it("asks for the release that a newer format needs", async () => {
    const newer = { format: 4, needs: "heddle 4.1" };
    await writeFile(join(place.folder, markerName), JSON.stringify(newer));
    await expect(readMarker(place.folder)).rejects.toMatchObject({
      code: HeddleErrorCode.storageVersion,
      message: expect.stringMatching(/storage format 4 \(heddle 4\.1\).*reads 3/),
    });
  });

  it("[STO-6] is refused with a bit of it flipped, wherever", async () => {
    await writeMarker(place.folder, marker);
    const path = join(place.folder, markerName);
    const bytes = await readFile(path);
    for (let bit = 0; bit < bytes.length * 8; bit += 5) {
      const flipped = Uint8Array.from(bytes);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      await writeFile(path, flipped);
      const { storageCorrupt } = HeddleErrorCode;
      await expect(readMarker(place.folder), `${bit}`).rejects.toMatchObject({
        code: storageCorrupt,
      });
    }
  });

  const whole = { format: 1, storeId: marker.storeId, createdAt: "2026-11-20", state: "ready" };
  it.each([
    ["nothing", ""],
    ["half of it", '{ "format": 1, "sto'],
    ["null", "null"],
    ["a list", "[]"],
    ["no format", JSON.stringify({ ...whole, format: undefined })],
    ["format zero", JSON.stringify({ ...whole, format: 0 })],
    ["a wrong id", JSON.stringify({ ...whole, storeId: "ABC" })],
    ["no date", JSON.stringify({ ...whole, createdAt: "yesterday" })],
    ["a field that nobody knows", JSON.stringify({ ...whole, chdck: "1" })],
    ["an unknown state", JSON.stringify({ ...whole, state: "perhaps" })],
  ])("[STO-6] is refused when the file holds %s", async (_what, content) => {
    await writeFile(join(place.folder, markerName), content);
    const { storageCorrupt } = HeddleErrorCode;
    await expect(readMarker(place.folder)).rejects.toMatchObject({ code: storageCorrupt });
  });

  it("makes all folders above it", async () => {
    const folder = join(place.folder, "a", "b", "c");
    await makeFolder(folder);
    await makeFolder(folder);
    await writeMarker(folder, marker);
    expect(await readMarker(folder)).toEqual(marker);
  });
});
