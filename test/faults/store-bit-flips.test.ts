import { cp, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";

import { openDeviceKey } from "@heddle/replica/node";
import {
  deviceKeyName,
  logFolderName,
  markerName,
  readWitness,
  witnessName,
  writeWitness,
  type Finding,
  type Witness,
} from "@heddle/storage-level";
import { testEnvironment } from "@heddle/testkit";
import { afterAll, expect, test } from "vitest";

import { compileProgram, ProgramProcess, removePrograms } from "../processes/program.ts";
import {
  allDirty,
  corrupt,
  differences,
  fillStore,
  flipAnyBit,
  StoreFolder,
  surveyStore,
  type Survey,
} from "./store-survey.ts";

// Goal: one flipped bit in any file of a store serves no wrong value and loses nothing in silence.
// Method: for every kind of file 200 copies of a store with a bit of it flipped behind LevelDB's back; each is
// verified, then opened and read in every way, in a process of its own. What differs from before has to
// be reported, by the store and by the verification.

afterAll(removePrograms);

const kinds = [
  "table",
  "log of LevelDB",
  "manifest",
  "CURRENT",
  "marker",
  "witness",
  "device key",
] as const;
type Kind = (typeof kinds)[number];
const flipsOfEach = 200;

const environment = testEnvironment(process.env["HEDDLE_SEED"] ?? "bits in files");

test("[STO-3][STO-6][STO-7][STO-9][STO-10] a flipped bit in any file is without effect or reported, never silent", async () => {
  await using closed = await StoreFolder.makeQuick();
  await using crashed = await StoreFolder.makeQuick();
  await using copies = await StoreFolder.makeQuick();
  const names = await fillStore(closed.folder, environment, { loose: false });
  await openDeviceKey(path.join(closed.folder, deviceKeyName));
  // Before the next opening LevelDB has everything in its log; opening makes a table of it.
  await cp(closed.folder, crashed.folder, { recursive: true });
  const before = await surveyStore(closed.folder, environment, names);
  const witness = await witnessOf(closed.folder);
  const trials: Trial[] = [];
  for (const kind of kinds) {
    for (let index = 0; index < flipsOfEach; index++) {
      const folder = path.join(copies.folder, `${kind}-${index}`.replaceAll(" ", "-"));
      const isLog = kind === "log of LevelDB";
      await cp(isLog ? crashed.folder : closed.folder, folder, { recursive: true });
      await writeWitness(folder, isLog ? await witnessOf(crashed.folder) : witness);
      const file = await fileOf(folder, kind, index);
      await writeFile(file, flipAnyBit(await readFile(file), environment));
      trials.push({ kind, folder });
    }
  }
  const table = new Map<Kind, Outcomes>();
  for (const result of await examine(names, trials)) {
    const outcomes = table.get(result.kind) ?? noOutcomes();
    outcomes[outcomeOf(before, result)]++;
    table.set(result.kind, outcomes);
  }
  console.table(Object.fromEntries(table));
  const sum = (name: keyof Outcomes) => [...table.values()].reduce((n, row) => n + row[name], 0);
  expect(trials).toHaveLength(kinds.length * flipsOfEach);
  expect(sum("wrong value")).toBe(0);
  expect(sum("silent")).toBe(0);
  expect(sum("verified as whole")).toBe(0);
  expect(sum("reported")).toBeGreaterThan(trials.length / 4);
  // It would at some tables, and is not given those.
  expect(sum("LevelDB aborted")).toBe(0);
});

interface Trial {
  readonly kind: Kind;
  readonly folder: string;
}

interface Result extends Trial {
  readonly verified: readonly Finding[] | undefined;
  /** Missing where LevelDB aborted its process. */
  readonly survey: Survey | undefined;
}

function noOutcomes() {
  return {
    "no effect": 0,
    reported: 0,
    "LevelDB aborted": 0,
    "verified as whole": 0,
    silent: 0,
    "wrong value": 0,
  };
}
type Outcomes = ReturnType<typeof noOutcomes>;

function outcomeOf(before: Survey, { verified, survey }: Result): keyof Outcomes {
  if (verified === undefined || survey === undefined) return "LevelDB aborted";
  const dirty = allDirty(before);
  const changed = differences(before, survey).filter((part) => {
    return part !== "open" && !isBehind(survey[part]!, before[part]!);
  });
  const isRefused = survey["open"]?.startsWith("HEDDLE_") ?? false;
  const isRolledBack = !isRefused && survey["open"] !== '"open"';
  // A rolled-back store has less, and says so; all that it has is what it had.
  const isOld = (part: string) => isRolledBack && isPartOf(survey[part]!, before[part]!);
  const isOther = (part: string) => part === "device" && survey[part] === '"changed"';
  const isFine = (part: string) => {
    return [corrupt, dirty[part]].includes(survey[part]) || isOld(part) || isOther(part);
  };
  if (changed.some((part) => !isFine(part))) return "wrong value";
  const isSaid = (part: string) => survey[part] === corrupt || isOther(part);
  const isReported = isRefused || isRolledBack || changed.some(isSaid);
  if (!isReported && changed.length > 0) return "silent";
  if (isReported && verified.length === 0) return "verified as whole";
  return isReported ? "reported" : "no effect";
}

/**
 * Documents whose kept vector is an older one, and that say so by being dirty: LevelDB lost a group that
 * held nothing else. What a vector says can be computed again, and is.
 */
function isBehind(after: string, before: string): boolean {
  return after.includes('"dirty":true') && withoutVectors(after) === withoutVectors(before);
}

function withoutVectors(text: string): string {
  if (!text.startsWith("{") && !text.startsWith("[")) return text;
  return JSON.stringify(JSON.parse(text), (name, value: unknown) => {
    return name === "vector" || name === "dirty" ? undefined : value;
  });
}

/** Every record of a list is one of the list before, or there is none any more. */
function isPartOf(after: string, before: string): boolean {
  if (after === "undefined" || after === corrupt) return true;
  const isList = after.startsWith("[") && before.startsWith("[");
  if (!isList) return before !== "undefined";
  const whole = new Set((JSON.parse(before) as unknown[]).map((item) => JSON.stringify(item)));
  return (JSON.parse(after) as { vector?: unknown }[]).every((item) => {
    return item.vector !== undefined || whole.has(JSON.stringify(item));
  });
}

async function examine(names: readonly string[], trials: readonly Trial[]): Promise<Result[]> {
  const program = compileProgram("faults/survey-program");
  const results: Result[] = [];
  while (results.length < trials.length) {
    const folders = trials.slice(results.length).map(({ folder }) => folder);
    const child = new ProgramProcess(program, [...names, "-", ...folders]);
    const signal = await child.finish();
    const halves = child.rest.map((line) => JSON.parse(line) as Partial<Result>);
    for (let index = 0; index < halves.length; index += 2) {
      const { verified } = halves[index]!;
      results.push({ ...trials[results.length]!, verified, survey: halves[index + 1]?.survey });
    }
    if (results.length === trials.length) break;
    expect(signal, trials[results.length]!.folder).toBe("SIGABRT");
    // Aborted in the first half: not even the verification came to an end.
    if (halves.length % 2 === 0) {
      results.push({ ...trials[results.length]!, verified: undefined, survey: undefined });
    }
  }
  return results;
}

async function witnessOf(folder: string): Promise<Witness> {
  const found = await readWitness(folder);
  if (found.found !== "whole") throw new Error(`the witness is ${found.found}`);
  return found.witness;
}

async function fileOf(folder: string, kind: Kind, index: number): Promise<string> {
  if (kind === "marker") return path.join(folder, markerName);
  if (kind === "device key") return path.join(folder, deviceKeyName);
  if (kind === "witness") return path.join(folder, witnessName);
  const log = path.join(folder, logFolderName);
  const pattern = {
    table: /\.ldb$/,
    "log of LevelDB": /\.log$/,
    manifest: /^MANIFEST/,
    CURRENT: /^CURRENT$/,
  };
  const names = (await readdir(log)).filter((name) => pattern[kind].test(name)).toSorted();
  return path.join(log, names[index % names.length]!);
}
