import { cp, readdir, readFile } from "node:fs/promises";
import path from "node:path";

import { markerName, verifyFolder } from "@heddle/storage-level";
import { testEnvironment, testHash } from "@heddle/testkit";
import { expect, test } from "vitest";

import { repositoryFolder } from "../processes/relay-process.ts";
import { StoreFolder, surveyStore, type Survey } from "./store-survey.ts";

// Goal: every store that a released format wrote can be read, in every part, for ever.
// Method: folders that heddle wrote when the format was new, with what it read in them then. They are
// never edited; a new format adds one.

const folders = path.join(repositoryFolder, "test/fixtures/storage");
const formats = ["format-1", "format-2"];

interface Expected {
  readonly names: readonly string[];
  readonly parts: Survey;
}

test.each(formats)(
  "[STO-14] a store of %s is whole, opens, and reads as it did",
  async (format) => {
    await using place = await StoreFolder.make();
    const source = path.join(folders, format);
    await cp(source, place.folder, { recursive: true });
    const { names, parts } = JSON.parse(
      await readFile(path.join(source, "expected.json"), "utf8"),
    ) as Expected;
    const { findings, totals } = await verifyFolder(place.folder, { hash: testHash });
    expect(findings.filter(({ severity }) => severity === "damage")).toEqual([]);
    expect(totals.documents).toBe(names.length);
    for (let opening = 1; opening <= 2; opening++) {
      const survey = await surveyStore(place.folder, testEnvironment(format), names);
      // A copy of a folder from before witnesses cannot know that it is one.
      const isCopy = format !== "format-1" && opening === 1;
      expect(survey["open"]).toBe(isCopy ? '"copied"' : '"open"');
      expect(survey).toMatchObject(parts);
    }
    expect(await readFile(path.join(place.folder, markerName), "utf8")).toMatch(/"format": 3/);
  },
);

test("[STO-14] every format has its folder", async () => {
  expect((await readdir(folders)).toSorted()).toEqual(formats);
});
