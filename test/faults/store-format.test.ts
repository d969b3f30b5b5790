import { cp, readdir, readFile } from "node:fs/promises";
import path from "node:path";

import { markerName, openLevelStore, verifyFolder } from "@heddle/storage-level";
import {
  collectLog,
  collectLogByArrival,
  testDocument,
  testEnvironment,
  testHash,
  TestWriter,
} from "@heddle/testkit";
import { expect, test } from "vitest";

import { repositoryFolder } from "../processes/relay-process.ts";
import { StoreFolder, surveyStore, type Survey } from "./store-survey.ts";

// Goal: every store that a released format wrote can be read, in every part, for ever.
// Method: folders that heddle wrote when the format was new, with what it read in them then. They are
// never edited; a new format adds one.

const folders = path.join(repositoryFolder, "test/fixtures/storage");
const formats = ["format-1", "format-2", "format-3"];

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

test.each(["format-1", "format-2"])(
  "[STO-14][STO-15] what %s wrote stands lane after lane, and before all that comes after it",
  async (format) => {
    await using place = await StoreFolder.make();
    await cp(path.join(folders, format), place.folder, { recursive: true });
    const environment = testEnvironment(format);
    const { id } = testDocument(environment, "notes");
    for (let opening = 1; opening <= 2; opening++) {
      const store = await openLevelStore(place.folder, { environment });
      const writers = [await TestWriter.open(environment), await TestWriter.open(environment)];
      await store.append({ lanes: writers.map(({ lane }) => lane) });
      const before = await collectLogByArrival(store, id);
      if (opening === 1) expect(before).toEqual(await collectLog(store, id));
      const added = [1, 0, 1].map((writer) => writers[writer]!.seal(id));
      await store.append({ envelopes: added });
      const all = [...before, ...added].map(({ lane, seq }) => `${lane} ${seq}`);
      const read = await collectLogByArrival(store, id);
      expect(read.map(({ lane, seq }) => `${lane} ${seq}`)).toEqual(all);
      await store.close();
    }
    const { findings } = await verifyFolder(place.folder, { hash: testHash });
    expect(findings.filter(({ severity }) => severity === "damage")).toEqual([]);
  },
);

test("[STO-14] every format has its folder", async () => {
  expect((await readdir(folders)).toSorted()).toEqual(formats);
});
