import { readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";

import { yjsEngine } from "@heddle/document";
import { EngineFolder, type DriftReport } from "@heddle/replica";
import { deviceKeyName } from "@heddle/storage-level";
import { testCompression, testHash } from "@heddle/testkit";
import { expect, test } from "vitest";
import * as Y from "yjs";

import { until } from "../integration/stock-client.ts";
import { Device, envelopesIn, picture, twoFolders } from "./drift-devices.ts";
import { StoreFolder } from "./store-survey.ts";

// Goal: every cause of drift that a replica can name is met by it, in a situation where it is the truth, and ends
// as it should: an event, a count, an entry of the journal with what was found and what came of it.
// Method: replicas on LevelDB as applications open them, whose folders, keys, engines and documents were interfered with.

const said = ({ stage, cause, side, result }: DriftReport): string => {
  return [stage, cause, side, result].filter((word) => word !== undefined).join(" ");
};
const saidBy = ({ reports }: Device): string[] => reports.map(said);

test("[DRF-1][DRF-3][DRF-7] gap: envelopes that are gone without a trace come back from a peer, into their old place", async () => {
  await using both = await twoFolders();
  const [ofA, ofB] = both.folders;
  const before = await envelopesIn(ofA);
  const gone = before.filter(({ place }) => place === "0/3" || place === "0/4");
  await ofA.raw((database) => {
    return database.write(gone.map(({ entry: [key] }) => ({ type: "del" as const, key })));
  });
  {
    await using a = await Device.open(ofA);
    await using b = await Device.open(ofB, a);
    await until(() => a.repaired(), "it is whole again");
    expect(saidBy(a)).toEqual(["found gap here", "repaired gap here verified"]);
    expect(b.reports).toEqual([]);
    expect(a.reports[0]!.why).toMatch(/^2 envelopes are gone/);
    const journal = await a.journal();
    expect(journal).toContain("gap refetched applied");
    expect(journal.at(-1)).toBe("gap refetched verified");
    expect([...a.replica.drift!.counters.repaired]).toEqual([["gap", 1]]);
  }
  expect(picture(await envelopesIn(ofA))).toEqual(picture(before));
});

test("[DRF-1][DRF-9] behind: what a peer has and cannot give is waited for, said when it stays, and right when it comes", async () => {
  await using ofA = await StoreFolder.makeQuick();
  await using ofB = await StoreFolder.makeQuick();
  const keyFile = path.join(ofA.folder, deviceKeyName);
  {
    await using writer = await Device.open(ofA);
    const live = await writer.replica.open("notes");
    live.ydoc.getText("text").insert(0, "signed by nobody");
    await live.whenSaved();
  }
  // What was never sent has no signature yet, and another device cannot make it.
  const key = await readFile(keyFile);
  await rm(keyFile);
  const impatient = { drift: { laggingMs: 300, roundsMax: 2 } };
  let a = await Device.open(ofA, undefined, impatient);
  try {
    await using b = await Device.open(ofB, () => a, impatient);
    const isSaid = (device: Device) => saidBy(device).some((words) => words.startsWith("degraded"));
    await until(() => isSaid(a) && isSaid(b), "both sides have said so");
    expect(saidBy(b).slice(0, 2)).toEqual(["found behind here", "degraded behind here failed"]);
    expect(saidBy(a).slice(0, 2)).toEqual(["found behind there", "degraded behind there failed"]);
    expect(await b.journal()).toContain("behind waited failed");
    await a.replica.close();
    await writeFile(keyFile, key);
    a = await Device.open(ofA, undefined, impatient);
    b.replica.peers!.retryNow();
    await until(() => b.repaired(), "it came");
    expect(saidBy(b).at(-1)).toBe("repaired behind here verified");
    expect((await b.journal()).at(-1)).toBe("behind waited verified");
    const live = await b.replica.open("notes");
    expect(live.ydoc.getText("text").toString()).toBe("signed by nobody");
  } finally {
    await a.replica.close();
  }
});

test("[DRF-1][DRF-9] missing-dependency: what an application brought too early is said, not thrown away, and right when the rest comes", async () => {
  await using place = await StoreFolder.makeQuick();
  await using a = await Device.open(place, undefined, { drift: { roundsMax: 1 } });
  const live = await a.replica.open("notes");
  const elsewhere = new Y.Doc();
  const updates: Uint8Array[] = [];
  elsewhere.on("update", (update) => updates.push(update));
  elsewhere.getText("text").insert(0, "first ");
  elsewhere.getText("text").insert(6, "second");
  live.ydoc.getMap("own").set("is", "here");
  await live.whenSaved();
  Y.applyUpdate(live.ydoc, updates[1]!);
  const { ydoc } = live;
  await until(() => a.reports.length > 1, "it is said");
  const stays = "missing-dependency unknown";
  expect(saidBy(a).slice(0, 2)).toEqual([`found ${stays}`, `degraded ${stays} undetermined`]);
  expect(await a.journal()).toContain("missing-dependency waited undetermined");
  Y.applyUpdate(live.ydoc, updates[0]!);
  await until(() => a.repaired(), "it is whole");
  expect(live.ydoc).toBe(ydoc);
  expect(live.ydoc.getText("text").toString()).toBe("first second");
  expect((await a.journal()).at(-1)).toBe("missing-dependency waited verified");
});

test("[DRF-1][DRF-3][DRF-9] missing-dependency: a log that has lost a whole lane ends no process, is told, and gets the lane back", async () => {
  await using ofA = await StoreFolder.makeQuick();
  await using ofB = await StoreFolder.makeQuick();
  const written = "fi, on which something stands, rst";
  {
    await using a = await Device.open(ofA);
    await using b = await Device.open(ofB, a);
    const [first, second] = [await a.replica.open("notes"), await b.replica.open("notes")];
    const textOf = (live: typeof first) => live.ydoc.getText("text");
    textOf(first).insert(0, "first");
    await until(() => textOf(second).length === 5, "it is there");
    textOf(second).insert(2, ", on which something stands, ");
    await until(() => textOf(first).toString() === written, "both have it");
  }
  const places = await envelopesIn(ofA);
  // A record begins with its place in the order of arrival.
  const arrivalOf = ({ entry: [, value] }: (typeof places)[number]) => value.subarray(10, 20);
  const [oldest] = places.toSorted((one, other) =>
    Buffer.compare(arrivalOf(one), arrivalOf(other)),
  );
  const lane = oldest!.place.slice(0, 2);
  const lost = places.filter(({ place }) => place.startsWith(lane));
  const [key] = lost[0]!.entry;
  // All that names the lane in this document: its envelopes, its position, and the digest of all positions.
  const ofLane = Buffer.from(key.subarray(1, 21));
  const ofDocument = Buffer.from(key.subarray(1, 17));
  const entries = (await ofA.entries()).filter(([name]) => {
    const isLane = ofLane.equals(name.subarray(1, 21)) && name[0] !== 0x45;
    return isLane || (name[0] === 0x56 && ofDocument.equals(name.subarray(1)));
  });
  const keys = [...lost.map(({ entry }) => entry[0]), ...entries.map(([name]) => name)];
  await ofA.raw((database) =>
    database.write(keys.map((one) => ({ type: "del" as const, key: one }))),
  );
  // A part of the vector is lost with it, which hides no other document and keeps nobody from opening the replica.
  await using a = await Device.open(ofA, undefined, { drift: { roundsMax: 1 } });
  await until(() => a.reports.length > 1, "it is found");
  expect(saidBy(a).slice(0, 2)).toEqual([
    "found damaged-store here",
    "degraded missing-dependency here failed",
  ]);
  await using b = await Device.open(ofB, a);
  await until(() => a.repaired(), "it is whole again");
  expect(b.reports).toEqual([]);
  const journal = await a.journal();
  // The vector, from the lanes that are left; and the lane, as any that is new here.
  expect(journal[0]).toBe("damaged-store checkpointed applied");
  expect(journal).toContain("missing-dependency reloaded failed");
  expect(journal.at(-1)).toBe("damaged-store reloaded verified");
  const live = await a.replica.open("notes");
  expect(live.ydoc.getText("text").toString()).toBe(written);
});

test("[DRF-1][DRF-9] engine: of one log two engines make other documents; it is said once on each side, and nothing is repaired", async () => {
  const tools = { hash: testHash, compression: testCompression };
  const next = { ...yjsEngine, version: "14.0", fold: foldOtherwise };
  const quick = {
    drift: { digests: { foldsWaitingMax: 64, restFactor: 1, rememberedMax: 64, freshMs: 0 } },
  };
  await using ofA = await StoreFolder.makeQuick();
  await using ofB = await StoreFolder.makeQuick();
  await using a = await Device.open(ofA, undefined, quick);
  await using b = await Device.open(ofB, a, { ...quick, folder: new EngineFolder(next, tools) });
  const live = await a.replica.open("notes");
  live.ydoc.getText("text").insert(0, "all of it");
  await live.whenSaved();
  await until(() => a.reports.length > 1 && b.reports.length > 1, "both have said so");
  for (const device of [a, b]) {
    expect(saidBy(device)).toEqual(["found engine unknown", "degraded engine unknown reported"]);
    expect(await device.journal()).toEqual(["engine none reported"]);
    expect(device.replica.drift!.degraded).toEqual([]);
    expect([...device.replica.drift!.counters.found]).toEqual([["engine", 1]]);
  }
  expect(a.reports[0]!.why).toBe("yjs 13.6 here, yjs 14.0 there");
  expect(live.ydoc.getText("text").toString()).toBe("all of it");
});

/** An engine that makes something else of the same updates. */
function foldOtherwise(updates: Iterable<Uint8Array>): ReturnType<typeof yjsEngine.fold> {
  const replaced = [...updates].map((update) => {
    const at = Buffer.from(update).indexOf("all of it");
    return at < 0 ? update : update.with(at, 0x41);
  });
  return yjsEngine.fold(replaced);
}
