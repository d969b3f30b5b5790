import { decodeEnvelope, toHex } from "@heddle/core";
import type { DriftReport, LiveReplica } from "@heddle/replica";
import { openReplica, type OpenReplicaOptions } from "@heddle/replica/node";
import { levelStore, type Entry } from "@heddle/storage-level";
import { PairedConnection, testHash } from "@heddle/testkit";

import { until } from "../integration/stock-client.ts";
import { StoreFolder } from "./store-survey.ts";

const times = {
  firstAuditMs: 50,
  auditIntervalMs: 500,
  waitMs: 100,
  refetchMs: 2_000,
  compareMs: 2_000,
  restMsMin: 100,
  restMsMax: 500,
};

/** A replica on LevelDB as applications open it, whose documents are looked at all the time. */
export class Device implements AsyncDisposable {
  readonly replica: LiveReplica;
  readonly reports: DriftReport[] = [];

  private constructor(replica: LiveReplica) {
    this.replica = replica;
    replica.drift!.on("drift", (report) => this.reports.push(report));
  }

  static async open(
    { folder }: StoreFolder,
    dials?: Device | (() => Device),
    more: Partial<OpenReplicaOptions> = {},
  ): Promise<Device> {
    const transport = {
      name: "pair",
      dial: async () => {
        const [here, there] = PairedConnection.pair();
        const other = typeof dials === "function" ? dials() : dials!;
        other.replica.peers!.accept(there);
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

  /** "cause action result" of each entry, oldest first. */
  async journal(): Promise<string[]> {
    const said: string[] = [];
    for await (const { entry } of this.replica.drift!.journal()) {
      said.push(`${entry!.cause} ${entry!.action} ${entry!.result}`);
    }
    return said;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.replica.close();
  }
}

/** Two folders that hold one document, written on both sides in turns. */
export async function twoFolders(
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

export interface StoredEnvelope {
  readonly entry: Entry;
  /** Lane, as one of the two in the order of their ids, and seq. */
  readonly place: string;
  readonly id: string;
}

/** Where each envelope lies and which one it is: on a disk of its author it has no signature. */
export async function envelopesIn(folder: StoreFolder): Promise<StoredEnvelope[]> {
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
export async function flip(folder: StoreFolder, ...places: readonly string[]): Promise<void> {
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
export function picture(envelopes: readonly StoredEnvelope[]): string[] {
  return envelopes.map(({ entry: [key, value], id }) => {
    return [toHex(key), toHex(value.subarray(10, 20)), id].join(" ");
  });
}
