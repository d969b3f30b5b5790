import { createSpace } from "@heddle/core";
import { yjsEngine } from "@heddle/document";
import { EngineFolder } from "@heddle/replica";
import {
  deviceKeyFileIn,
  nodeEnvironment,
  openDeviceKey,
  type OpenReplicaOptions,
} from "@heddle/replica/node";
import { levelStore } from "@heddle/storage-level";
import { testCompression, testHash } from "@heddle/testkit";
import { expect, test } from "vitest";

import { until } from "../integration/stock-client.ts";
import { StoreFolder } from "./store-survey.ts";
import { Device, envelopesIn, flip, picture, twoFolders } from "./drift-devices.ts";

// Goal: what is damaged on one disk comes back from another, byte for byte, while people write; two disks
// that are damaged in different places heal each other.
// Method: two replicas on LevelDB that hold the same; records of their logs are damaged while they are down;
// then they meet. What is on the disks afterwards is compared with what was there before.

test("[DRF-3][DRF-7] a damaged envelope in the middle of a lane comes back from a peer, into its old place", async () => {
  await using both = await twoFolders();
  const [ofA, ofB] = both.folders;
  const before = await envelopesIn(ofA);
  await flip(ofA, "0/3");
  {
    await using a = await Device.open(ofA);
    // Nobody has opened it: the audit finds it.
    await until(() => a.reports.length > 0, "it is found");
    expect(a.reports[0]).toMatchObject({ stage: "found", cause: "damaged-store", side: "here" });
    await expect(a.replica.open("notes")).rejects.toMatchObject({ code: "HEDDLE_STORAGE_CORRUPT" });
    await using other = await Device.open(ofB, a);
    await until(() => a.repaired(), "it is whole again");
    expect(other.reports).toEqual([]);
    const live = await a.replica.open("notes");
    expect(live.ydoc.getText("text").toString()).toHaveLength(24);
    const said = await a.journal();
    expect(said).toContain("damaged-store refetched applied");
    expect(said.at(-1)).toBe("damaged-store refetched verified");
  }
  expect(picture(await envelopesIn(ofA))).toEqual(picture(before));
});

test("[DRF-7] two replicas that are damaged in different places heal each other", async () => {
  await using both = await twoFolders();
  const [ofA, ofB] = both.folders;
  const [inA, inB] = [await envelopesIn(ofA), await envelopesIn(ofB)];
  await flip(ofA, "0/2", "0/3", "1/6");
  await flip(ofB, "0/5", "1/1", "1/4");
  {
    await using a = await Device.open(ofA);
    await using b = await Device.open(ofB, a);
    await until(() => a.repaired() && b.repaired(), "both are whole again");
    const [liveA, liveB] = [await a.replica.open("notes"), await b.replica.open("notes")];
    const text = liveA.ydoc.getText("text").toString();
    expect(text).toHaveLength(24);
    expect(liveB.ydoc.getText("text").toString()).toBe(text);
    // And both go on.
    liveA.ydoc.getText("text").insert(0, "more ");
    await until(() => liveB.ydoc.getText("text").toString() === `more ${text}`, "it arrives");
  }
  for (const [folder, before] of [
    [ofA, inA],
    [ofB, inB],
  ] as const) {
    const after = picture(await envelopesIn(folder));
    expect(after).toEqual(expect.arrayContaining(picture(before)));
    expect(after).toHaveLength(before.length + 1);
  }
});

const isGivenUp = ({ reports }: Device): boolean => {
  return reports.some(({ stage }) => stage === "degraded");
};

test("[DRF-7] what no peer has is said to be lost, and tried again with each audit", async () => {
  await using both = await twoFolders();
  const [ofA, ofB] = both.folders;
  await flip(ofA, "1/2");
  await flip(ofB, "1/2");
  const once = { drift: { roundsMax: 1, refetchMs: 500 } };
  await using a = await Device.open(ofA, undefined, once);
  await using other = await Device.open(ofB, a, once);
  await until(() => isGivenUp(a) && isGivenUp(other), "it is given up", 60_000);
  const { action, result } = a.reports.findLast(({ stage }) => stage === "degraded")!;
  expect([action, result]).toEqual(["refetched", "failed"]);
  expect(new Set(a.reports.map(({ document }) => document)).size).toBe(1);
});

test("[DRF-7] a checkpoint that is lost, with no log below it, comes back from a peer that has one", async () => {
  const pruned: Partial<OpenReplicaOptions> = {
    folder: new EngineFolder(yjsEngine, { hash: testHash, compression: testCompression }),
    history: "prune",
    checkpointPolicy: { envelopes: 4, quietMs: 10, restMsMin: 10 },
  };
  await using both = await twoFolders(pruned);
  const [ofA, ofB] = both.folders;
  await flipChunk(ofA);
  await using a = await Device.open(ofA, undefined, pruned);
  await until(() => a.reports.length > 0, "it is found");
  await expect(a.replica.open("notes")).rejects.toMatchObject({ code: "HEDDLE_STORAGE_CORRUPT" });
  await using b = await Device.open(ofB, a, pruned);
  await until(() => a.repaired(), "it is whole again");
  const [liveA, liveB] = [await a.replica.open("notes"), await b.replica.open("notes")];
  const text = liveB.ydoc.getText("text").toString();
  expect(text).toHaveLength(24);
  expect(liveA.ydoc.getText("text").toString()).toBe(text);
});

const ignore = (): void => undefined;

const ofCause = ({ reports }: Device): ReadonlySet<string> => {
  return new Set(reports.map(({ cause, side }) => `${cause} ${side}`));
};

test("[DRF-5][DRF-7] one replica's checkpoint and another's document in memory are damaged: both are found in one audit interval, right again, and in the journals", async () => {
  const kept: Partial<OpenReplicaOptions> = {
    folder: new EngineFolder(yjsEngine, { hash: testHash, compression: testCompression }),
    checkpointPolicy: { envelopes: 4, quietMs: 10, restMsMin: 10 },
  };
  await using both = await twoFolders(kept);
  const [ofA, ofB] = both.folders;
  await flipChunk(ofA);
  await using b = await Device.open(ofB, undefined, kept);
  const live = await b.replica.open("notes");
  const text = live.ydoc.getText("text");
  text.insert(0, "x😀y", { bold: true });
  await live.whenSaved();
  await using a = await Device.open(ofA, b, kept);
  // No operation, and half of a character is gone on this side: the bug of Yjs 13.6 of protocol.md A3.6.
  text.format(0, 2, { bold: true });
  await until(() => a.repaired() && b.repaired(), "both are right again");
  expect(ofCause(a)).toContain("damaged-store here");
  expect(ofCause(b)).toContain("damaged-state here");
  expect(await a.journal()).toContain("damaged-store checkpointed verified");
  expect(await b.journal()).toContain("damaged-state reloaded verified");
  const other = await a.replica.open("notes");
  const textOf = ({ ydoc }: typeof live) => ydoc.getText("text").toString();
  await until(
    () => textOf(other) === textOf(live) && textOf(live).startsWith("x😀y"),
    "both agree",
  );
});

test("[DRF-8] two devices with the client id of one cloned profile leave the same out, and both journals say so", async () => {
  await using ofA = await StoreFolder.makeQuick();
  await using ofB = await StoreFolder.makeQuick();
  for (const [folder, word] of [
    [ofA, "one"],
    [ofB, "two"],
  ] as const) {
    await using alone = await Device.open(folder);
    const live = alone.replica.document("notes");
    live.ydoc.clientID = 77;
    live.ydoc.getText("text").insert(0, word);
    await live.whenSaved();
  }
  await using a = await Device.open(ofA);
  await using b = await Device.open(ofB, a);
  const lives = [await a.replica.open("notes"), await b.replica.open("notes")];
  await until(() => a.repaired() && b.repaired(), "both have left it out");
  const shown = () => lives.map(({ ydoc }) => ydoc.getText("text").toString());
  await until(() => shown()[0] === shown()[1], "both show the same");
  expect(["one", "two"]).toContain(shown()[0]);
  for (const device of [a, b]) {
    expect(await device.journal()).toContain("fork exchanged applied");
    expect(await device.journal()).toContain("fork exchanged verified");
  }
});

test("[DRF-11] a document whose own record is damaged on one disk, and an envelope of it on the other, come back from each other", async () => {
  await using both = await twoFolders();
  const [ofA, ofB] = both.folders;
  const inB = await envelopesIn(ofB);
  await flipRecord(ofA, 0x44);
  await flip(ofA, "0/2");
  await flip(ofB, "0/5");
  {
    await using a = await Device.open(ofA, undefined, { drift: { roundsMax: 1, refetchMs: 500 } });
    // Nobody says its name here.
    await until(() => isGivenUp(a), "it is given up alone");
    await using b = await Device.open(ofB, a);
    await until(() => a.repaired() && b.repaired(), "both are whole again");
    const said = await a.journal();
    expect(said).toContain("damaged-store corrected applied");
    expect(said).toContain("damaged-store refetched applied");
    expect(said.at(-1)).toBe("damaged-store refetched verified");
    const live = await a.replica.open("notes");
    expect(live.ydoc.getText("text").toString()).toHaveLength(24);
  }
  expect(picture(await envelopesIn(ofB))).toEqual(picture(inB));
});

test("[DRF-11] whoever opens a document brings its record back by saying the name; its history is kept from then on", async () => {
  await using both = await twoFolders({ history: "prune" });
  const [folder] = both.folders;
  const recordIn = async () => (await folder.entries()).find(([key]) => key[0] === 0x44)!;
  const before = await recordIn();
  await flipRecord(folder, 0x44);
  const flipped = await recordIn();
  {
    await using a = await Device.open(folder, undefined, { history: "prune" });
    const live = await a.replica.open("notes");
    expect(live.ydoc.getText("text").toString()).toHaveLength(24);
    expect(a.reports.map(({ stage }) => stage)).toEqual(["found", "repaired"]);
    expect(await a.journal()).toContain("damaged-store corrected applied");
  }
  const after = await recordIn();
  expect(after[1]).not.toEqual(flipped[1]);
  // 3 history: 2 prune; 1 keep.
  expect([before[1].at(-1), after[1].at(-1)]).toEqual([2, 1]);
});

test("[DRF-11] a replica of a space opens with damaged records of documents in it, and brings them back by name", async () => {
  await using folder = await StoreFolder.makeQuick();
  const environment = nodeEnvironment({ debug: ignore, info: ignore, warn: ignore, error: ignore });
  await (await levelStore(folder.folder).open(environment)).close();
  const signer = await openDeviceKey(deviceKeyFileIn(folder.folder));
  const madeAt = { wallMs: environment.clock.nowMs(), counter: 0 };
  const { bytes: genesis } = await createSpace({
    ...environment,
    signer,
    madeAt,
    label: "Atelier",
  });
  {
    await using a = await Device.open(folder, undefined, { genesis });
    const live = a.replica.document("notes");
    live.ydoc.getText("text").insert(0, "one");
    await live.whenSaved();
  }
  const records = (await folder.entries()).filter(([key]) => key[0] === 0x44);
  expect(records).not.toEqual([]);
  await folder.raw((database) => {
    return database.write(
      records.map(([key, value]) => ({ type: "put", key, value: value.with(11, value[11]! ^ 8) })),
    );
  });
  await using a = await Device.open(folder, undefined, { genesis });
  const live = await a.replica.open("notes");
  expect(live.ydoc.getText("text").toString()).toBe("one");
  expect(await a.journal()).toContain("damaged-store corrected applied");
});

test("[DRF-12] floors that are damaged are what the checkpoint and the log say, without a peer", async () => {
  const pruned: Partial<OpenReplicaOptions> = {
    folder: new EngineFolder(yjsEngine, { hash: testHash, compression: testCompression }),
    history: "prune",
    checkpointPolicy: { envelopes: 4, quietMs: 10, restMsMin: 10 },
  };
  await using both = await twoFolders(pruned);
  const [folder] = both.folders;
  const floorsIn = async () => (await folder.entries()).filter(([key]) => key[0] === 0x66);
  const before = await floorsIn();
  await flipRecord(folder, 0x66);
  {
    await using a = await Device.open(folder, undefined, pruned);
    await until(() => a.repaired(), "it is right again");
    expect(await a.journal()).toContain("damaged-store corrected applied");
    const live = await a.replica.open("notes");
    expect(live.ydoc.getText("text").toString()).toHaveLength(24);
  }
  expect(await floorsIn()).toEqual(before);
});

/** A bit of the last record of a checkpoint. */
async function flipChunk(folder: StoreFolder): Promise<void> {
  await flipRecord(folder, 0x63);
}

/** A bit of the last record whose key begins so. */
async function flipRecord(folder: StoreFolder, prefix: number): Promise<void> {
  const records = (await folder.entries()).filter(([key]) => key[0] === prefix);
  expect(records).not.toEqual([]);
  await folder.raw((database) => {
    const [key, value] = records.at(-1)!;
    const last = value.length - 1;
    return database.write([{ type: "put", key, value: value.with(last, value[last]! ^ 8) }]);
  });
}
