import { decodeEnvelope, toHex } from "@heddle/core";
import { yjsEngine } from "@heddle/document";
import { EngineFolder, type DriftReport, type LiveReplica } from "@heddle/replica";
import { openReplica, type OpenReplicaOptions } from "@heddle/replica/node";
import { levelStore, type Entry } from "@heddle/storage-level";
import { PairedConnection, testCompression, testHash } from "@heddle/testkit";
import { expect, test } from "vitest";

import { until } from "../integration/stock-client.ts";
import { StoreFolder } from "./store-survey.ts";

// Goal: what is damaged on one disk comes back from another, byte for byte, while people write; two disks
// that are damaged in different places heal each other.
// Method: two replicas on LevelDB that hold the same; records of their logs are damaged while they are down;
// then they meet. What is on the disks afterwards is compared with what was there before.

const times = {
  firstAuditMs: 50,
  auditIntervalMs: 500,
  waitMs: 100,
  refetchMs: 2_000,
  compareMs: 2_000,
  restMsMin: 100,
  restMsMax: 500,
};

class Device implements AsyncDisposable {
  readonly replica: LiveReplica;
  readonly reports: DriftReport[] = [];

  private constructor(replica: LiveReplica) {
    this.replica = replica;
    replica.drift!.on("drift", (report) => this.reports.push(report));
  }

  static async open(
    { folder }: StoreFolder,
    dials?: Device,
    more: Partial<OpenReplicaOptions> = {},
  ): Promise<Device> {
    const transport = {
      name: "pair",
      dial: async () => {
        const [here, there] = PairedConnection.pair();
        dials!.replica.peers!.accept(there);
        return here;
      },
    };
    const peers = dials ? [{ name: "other", transport }] : [];
    const drift = { ...times, ...more.drift };
    const store = levelStore(folder);
    const replica = await openReplica({ ...more, store, peers, follow: true, drift });
    return new Device(replica);
  }

  repaired(): boolean {
    return this.reports.some(({ stage }) => stage === "repaired");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.replica.close();
  }
}

/** Two folders that hold one document, written on both sides in turns. */
async function twoFolders(
  more: Partial<OpenReplicaOptions> = {},
): Promise<{ readonly folders: readonly [StoreFolder, StoreFolder] } & AsyncDisposable> {
  const folders = [await StoreFolder.makeQuick(), await StoreFolder.makeQuick()] as const;
  await using a = await Device.open(folders[0], undefined, more);
  await using b = await Device.open(folders[1], a, more);
  const [ofA, ofB] = [await a.replica.open("notes"), await b.replica.open("notes")];
  for (let turn = 0; turn < 6; turn++) {
    for (const live of [ofA, ofB]) {
      live.ydoc.getText("text").insert(0, `${turn} `);
      live.flush();
      await live.whenSaved();
    }
  }
  const textOf = (live: typeof ofA) => live.ydoc.getText("text").toString();
  await until(() => textOf(ofA) === textOf(ofB) && textOf(ofA).length === 24, "both have it");
  const remove = async (): Promise<void> => {
    for (const folder of folders) await folder[Symbol.asyncDispose]();
  };
  return { folders, [Symbol.asyncDispose]: remove };
}

interface StoredEnvelope {
  readonly entry: Entry;
  /** Lane, as one of the two in the order of their ids, and seq. */
  readonly place: string;
  readonly id: string;
}

/** Where each envelope lies and which one it is: on a disk of its author it has no signature. */
async function envelopesIn(folder: StoreFolder): Promise<StoredEnvelope[]> {
  const entries = (await folder.entries()).filter(([key]) => key[0] === 0x45);
  const read = entries.map((entry) => {
    const { id, lane, seq } = decodeEnvelope(testHash, entry[1].subarray(20));
    return { entry, lane, seq, id: toHex(id) };
  });
  const lanes = [...new Set(read.map(({ lane }) => lane))].toSorted();
  return read.map(({ entry, lane, seq, id }) => {
    return { entry, place: `${lanes.indexOf(lane)}/${seq}`, id };
  });
}

/** Flips a bit in the middle of each of these envelopes. */
async function flip(folder: StoreFolder, ...places: readonly string[]): Promise<void> {
  const envelopes = await envelopesIn(folder);
  await folder.raw(async (database) => {
    for (const place of places) {
      const [key, value] = envelopes.find((envelope) => envelope.place === place)!.entry;
      const at = value.length >> 1;
      await database.write([{ type: "put", key, value: value.with(at, value[at]! ^ 8) }]);
    }
  });
}

/** In the order of keys, with their places in the order of arrival, which a record begins with. */
function picture(envelopes: readonly StoredEnvelope[]): string[] {
  return envelopes.map(({ entry: [key, value], id }) => {
    return [toHex(key), toHex(value.subarray(10, 20)), id].join(" ");
  });
}

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
    const journal = [];
    for await (const { entry } of a.replica.drift!.journal()) journal.push(entry!);
    const said = journal.map(({ cause, action, result }) => `${cause} ${action} ${result}`);
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

test("[DRF-7] what no peer has is said to be lost, and tried again with each audit", async () => {
  await using both = await twoFolders();
  const [ofA, ofB] = both.folders;
  await flip(ofA, "1/2");
  await flip(ofB, "1/2");
  const once = { drift: { roundsMax: 1, refetchMs: 500 } };
  await using a = await Device.open(ofA, undefined, once);
  await using other = await Device.open(ofB, a, once);
  const isGivenUp = ({ reports }: Device) => reports.some(({ stage }) => stage === "degraded");
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
  const chunks = (await ofA.entries()).filter(([key]) => key[0] === 0x63);
  expect(chunks.length).toBeGreaterThan(1);
  await ofA.raw((database) => {
    const [key, value] = chunks.at(-1)!;
    return database.write([{ type: "put", key, value: value.with(12, value[12]! ^ 8) }]);
  });
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
