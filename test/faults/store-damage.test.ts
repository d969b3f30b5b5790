import type { Entry } from "@heddle/storage-level";
import { testEnvironment } from "@heddle/testkit";
import { expect, test } from "vitest";

import {
  allDirty,
  corrupt,
  differences,
  fillStore,
  flipAnyBit,
  StoreFolder,
  surveyStore,
} from "./store-survey.ts";

// Goal: what a store serves is what was written; damage is reported, and what is whole stays readable.
// Method: flip single bits through LevelDB in records, and compare every way of reading with the same
// reading before the damage. store-bit-flips.test.ts does it behind LevelDB's back.

/** Where damage to a record of a kind shows. The store finds what is missing here in another record. */
const reportedBy: Readonly<Record<string, readonly string[]>> = {
  "store id": ["open"],
  head: ["open"],
  lane: ["readLanes"],
  document: ["readDocuments", "readDocument"],
  vector: ["readDocuments", "readDocument", "readLog", "readLogByArrival"],
  envelope: ["readLog", "readLogByArrival"],
  arrival: ["open", "readArrivals"],
  "parked update": ["readParked"],
  "peer cursor": ["readCursors"],
  acknowledgement: ["readAcks"],
  fork: ["readForks"],
  "refused envelope": ["readRefused"],
  "audit entry": ["readAudit"],
};
/** One flipped bit in these is turned back where something else proves what they were; see STO-19. */
const proven: ReadonlySet<string> = new Set(["store id", "head", "lane", "arrival"]);
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
    const kind = kindOf(key);
    const flipped = flipAnyBit(value, environment);
    const record = proven.has(kind) ? flipAnyBit(flipped, environment) : flipped;
    await place.raw((database) => database.write([{ type: "put", key, value: record }]));
    const after = await surveyStore(place.folder, environment, names);
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

const kindByPrefix: Readonly<Record<string, string>> = {
  L: "lane",
  l: "lane alias",
  D: "document",
  d: "dirty marker",
  V: "vector",
  E: "envelope",
  A: "arrival",
  p: "parked update",
  P: "peer cursor",
  O: "acknowledgement",
  F: "fork",
  N: "refused envelope",
  j: "audit entry",
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
