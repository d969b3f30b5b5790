import { cp, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";

import { logFolderName, type Entry } from "@heddle/storage-level";
import { testEnvironment, type TestEnvironment } from "@heddle/testkit";
import { afterAll, expect, test } from "vitest";

import { compileProgram, ProgramProcess, removePrograms } from "../processes/program.ts";
import { corrupt, fillStore, StoreFolder, surveyStore, type Survey } from "./store-survey.ts";

// Goal: what a store serves is what was written; damage is reported, and what is whole stays readable.
// Method: flip single bits, through LevelDB in records and behind its back in its files, and compare
// every way of reading with the same reading before the damage.

afterAll(removePrograms);

/** Where damage to a record of a kind shows. The store finds what is missing here in another record. */
const reportedBy: Readonly<Record<string, readonly string[]>> = {
  "store id": ["open"],
  head: ["open"],
  lane: ["readLanes"],
  document: ["readDocuments", "readDocument"],
  vector: ["readDocuments", "readDocument", "readLog"],
  envelope: ["readLog"],
  arrival: ["open", "readArrivals"],
  "parked update": ["readParked"],
};
const restored: ReadonlySet<string> = new Set(["mark", "lane alias", "incarnation"]);

test("[STO-3] a flipped bit in a record of any kind is reported where it is read, and only there", async () => {
  await using place = await StoreFolder.make();
  const environment = testEnvironment("bits in records");
  const names = await fillStore(place.folder, environment, { loose: true });
  const before = await surveyStore(place.folder, environment, names);
  const entries = await place.entries();
  const kinds = new Set(entries.map(([key]) => kindOf(key)));
  expect(kinds).toEqual(new Set([...Object.keys(reportedBy), ...restored, "dirty marker"]));
  for (const [key, value] of firstAndLastOfEachKind(entries)) {
    const record = flipAnyBit(value, environment);
    await place.raw((database) => database.write([{ type: "put", key, value: record }]));
    const after = await surveyStore(place.folder, environment, names);
    const kind = kindOf(key);
    const expected = kind === "dirty marker" ? allDirty(before) : before;
    const reports = differences(expected, after);
    for (const part of reports) {
      expect(after[part], `${kind}: ${part}`).toBe(corrupt);
      expect(reportedBy[kind], kind).toContain(part.split(" ")[0]);
    }
    expect(reports.length > 0, kind).toBe(kind in reportedBy);
    await place.raw((database) => database.write([{ type: "put", key, value }]));
  }
  expect(await surveyStore(place.folder, environment, names)).toEqual(before);
});

test("[STO-3][STO-6][STO-7] a flipped bit in any file of LevelDB makes it serve nothing else", async () => {
  await using place = await StoreFolder.make();
  const environment = testEnvironment("bits in files");
  const names = await fillStore(place.folder, environment, { loose: false });
  // Opening turns LevelDB's log into a table, which is where damage goes unnoticed by LevelDB.
  const before = await surveyStore(place.folder, environment, names);
  await using copies = await StoreFolder.make();
  const flips: Flip[] = [];
  for (let trial = 0; trial < fileTrials; trial++) {
    const folder = path.join(copies.folder, String(trial));
    await cp(place.folder, folder, { recursive: true });
    const file = await flipBitInFile(path.join(folder, logFolderName), environment, trial);
    flips.push({ folder, file });
  }
  const outcomes = { reported: 0, aborted: 0 };
  for (const { file, survey } of await surveyApart(names, flips)) {
    if (survey === undefined) outcomes.aborted++;
    for (const part of differences(before, survey ?? {})) {
      const allowed = [corrupt, allDirty(before)[part]];
      expect(allowed, `${part} after a flip in ${file}`).toContain(survey![part]);
      if (survey![part] === corrupt) outcomes.reported++;
    }
  }
  expect(outcomes.reported).toBeGreaterThan(fileTrials / 4);
  // LevelDB aborts on a few damaged tables. That serves nothing wrong, but it is not to become usual.
  expect(outcomes.aborted).toBeLessThan(fileTrials / 5);
});

const fileTrials = 60;

interface Flip {
  readonly folder: string;
  readonly file: string;
}

/** Surveys in processes of their own; no survey where LevelDB aborted its process. */
async function surveyApart(
  names: readonly string[],
  flips: readonly Flip[],
): Promise<(Flip & { readonly survey: Survey | undefined })[]> {
  const program = compileProgram("faults/survey-program");
  const surveys: (Survey | undefined)[] = [];
  while (surveys.length < flips.length) {
    const folders = flips.slice(surveys.length).map(({ folder }) => folder);
    const child = new ProgramProcess(program, [...names, "-", ...folders]);
    const signal = await child.finish();
    surveys.push(...child.rest.map((line) => JSON.parse(line) as Survey));
    if (surveys.length < flips.length) {
      expect(signal, flips[surveys.length]!.file).toBe("SIGABRT");
      surveys.push(undefined);
    }
  }
  return flips.map((flip, index) => ({ ...flip, survey: surveys[index] }));
}

const kindByPrefix: Readonly<Record<string, string>> = {
  L: "lane",
  l: "lane alias",
  D: "document",
  d: "dirty marker",
  V: "vector",
  E: "envelope",
  A: "arrival",
  p: "parked update",
  i: "incarnation",
  ms: "store id",
  mh: "head",
  mk: "mark",
};

function kindOf(key: Uint8Array): string {
  const prefix = String.fromCharCode(key[0]!);
  return kindByPrefix[prefix === "m" ? `m${String.fromCharCode(key[1]!)}` : prefix] ?? "unknown";
}

function firstAndLastOfEachKind(entries: readonly Entry[]): Entry[] {
  const groups = new Map<string, Entry[]>();
  for (const entry of entries) {
    const name = `${kindOf(entry[0])} ${entry[0].length}`;
    groups.set(name, [...(groups.get(name) ?? []), entry]);
  }
  return [...groups.values()].flatMap((group) =>
    group.length === 1 ? group : [group[0]!, group.at(-1)!],
  );
}

function allDirty(survey: Survey): Survey {
  const parts = Object.entries(survey);
  return Object.fromEntries(
    parts.map(([part, text]) => [part, text.replaceAll('"dirty":false', '"dirty":true')]),
  );
}

/** The parts that read otherwise. Where opening fails, nothing else was read and that is all. */
function differences(before: Survey, after: Survey): string[] {
  return Object.keys(after).filter((part) => after[part] !== before[part]);
}

function flipAnyBit(bytes: Uint8Array, { random }: TestEnvironment): Uint8Array {
  const draw = new DataView(random.bytes(4).buffer).getUint32(0);
  const copy = Uint8Array.from(bytes);
  const bit = draw % (copy.length * 8);
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
}

/** Tables in four trials out of five, the other files in turn. */
async function flipBitInFile(
  folder: string,
  environment: TestEnvironment,
  trial: number,
): Promise<string> {
  const names = (await readdir(folder)).toSorted();
  const tables = names.filter((name) => name.endsWith(".ldb"));
  const others = names.filter((name) => /^(CURRENT|MANIFEST-\d+|\d+\.log)$/.test(name));
  const pool = trial % 5 === 0 ? others : tables;
  const name = pool[((trial / 5 + (trial % 5)) % pool.length) | 0]!;
  const file = path.join(folder, name);
  await writeFile(file, flipAnyBit(await readFile(file), environment));
  return name;
}
