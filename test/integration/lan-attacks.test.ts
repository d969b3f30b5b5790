import { generateKeyPairSync } from "node:crypto";
import { cp, rm, writeFile } from "node:fs/promises";
import path from "node:path";

import { documentIdOf, openSpaceId, parseDocumentName, type Environment } from "@heddle/core";
import { PairedDevices, lanFolders, type Lan, type PairedDevice } from "@heddle/lan";
import type { LiveReplica } from "@heddle/replica";
import { afterEach, beforeEach, expect, test } from "vitest";

import { connected, LanReplicas, pair, type LanReplica } from "./lan-replicas.ts";
import { until } from "./stock-client.ts";

// Goal: what a paired device does wrong, by intent or by accident, harms nobody else's work on the LAN.
// Method: replicas on loopback, mutual TLS between them; one of them lies, has a wrong clock, or is a copy.

let site: LanReplicas;
beforeEach(() => {
  site = new LanReplicas();
});
afterEach(() => site[Symbol.asyncDispose]());

const yearMs = 365 * 24 * 60 * 60_000;

async function listOf({ replica }: LanReplica) {
  const document = await replica.open("notes");
  const list = document.ydoc.getArray<string>("list");
  return {
    items: () => list.toArray(),
    async write(...items: string[]): Promise<void> {
      for (const item of items) {
        list.push([item]);
        await document.whenSaved();
      }
    },
  };
}

/** Everybody shows these items, each once, in one order. */
async function agree(
  lists: readonly { items(): readonly string[] }[],
  items: readonly string[],
): Promise<void> {
  const wanted = items.toSorted();
  for (const list of lists) {
    await until(() => list.items().length === wanted.length, `${wanted.length} are here`, 60_000);
    expect(list.items().toSorted()).toEqual(wanted);
    expect(list.items()).toEqual(lists[0]!.items());
  }
}

/** Writes down in both folders what a pairing would. */
async function trustEachOther(one: LanReplica, other: LanReplica): Promise<void> {
  await new PairedDevices(lanFolders(one.folder).paired).add(recordOf(other.neighbours));
  await new PairedDevices(lanFolders(other.folder).paired).add(recordOf(one.neighbours));
}

function recordOf({ identity }: Lan): PairedDevice {
  const { fingerprint } = identity!;
  return { fingerprint, name: fingerprint.slice(0, 4), tagKey: "5a".repeat(32), pairedMs: 1 };
}

function isRefused({ neighbours }: LanReplica): boolean {
  return neighbours.peers.some(({ state }) => state === "refused");
}

function forksOf(replica: LiveReplica, { hash }: Pick<Environment, "hash">) {
  const name = parseDocumentName("notes");
  return replica.peers!.forks(documentIdOf(hash, openSpaceId(hash), name));
}

test("[WIR-12, LAN-13] a device that shows two neighbours two histories of one lane is found out by the first pair that meets", async () => {
  const environment = site.environment();
  // The same randomness and clock: two programs that write one lane, as an image that was copied while it ran does.
  const twin = {
    ...environment,
    clock: { ...environment.clock, nowMs: () => 1_790_000_000_000 },
    random: { bytes: (length: number) => new Uint8Array(length).fill(7) },
  };
  const [ada, bo] = [await site.open("ada"), await site.open("bo")];
  const toAda = await site.open("mallory", { addresses: [ada.address], environment: twin });
  const keyFrom = site.keyFileOf("mallory");
  const toBo = await site.open("twin", { addresses: [bo.address], environment: twin, keyFrom });
  expect(toBo.neighbours.identity!.fingerprint).toBe(toAda.neighbours.identity!.fingerprint);
  await trustEachOther(toAda, ada);
  await trustEachOther(toBo, bo);
  const [atAda, atBo] = [await listOf(ada), await listOf(bo)];
  await (await listOf(toAda)).write("one thing");
  await (await listOf(toBo)).write("another thing");
  await until(() => atAda.items().length === 1, "Ada is told one thing", 60_000);
  await until(() => atBo.items().length === 1, "Bo is told another", 60_000);
  expect([atAda.items(), atBo.items()]).toEqual([["one thing"], ["another thing"]]);
  await Promise.all([toAda.close(), toBo.close()]);

  await bo.close();
  const again = await site.open("bo", { addresses: [ada.address] });
  await pair(ada, again);
  await connected(again);
  for (const { replica } of [ada, again]) {
    await until(() => replica.peers!.counters.forks > 0, "it is found out", 60_000);
    await until(() => replica.peers!.counters.forkEnvelopesKept > 0, "both are kept", 60_000);
    // Counted when it is seen, and on disk a moment later.
    const branches = async () => (await forksOf(replica, environment))[0]?.branches ?? [];
    await expect.poll(async () => (await branches()).length, { timeout: 60_000 }).toBe(2);
    expect((await branches()).filter(({ isLogged }) => isLogged)).toHaveLength(1);
  }
  // Nobody else's lane is frozen.
  const [nowAda, nowBo] = [await listOf(ada), await listOf(again)];
  await nowAda.write("from Ada");
  await nowBo.write("from Bo");
  for (const list of [nowAda, nowBo]) {
    const honest = () => list.items().filter((item) => item.startsWith("from"));
    await until(() => honest().length === 2, "honest work goes on", 60_000);
  }
});

test("[WIR-22, LAN-13] clocks that are wrong by years change nothing of what is exchanged", async () => {
  const ada = await site.open("ada", { environment: site.environment(50 * yearMs) });
  const bo = await site.open("bo", {
    addresses: [ada.address],
    environment: site.environment(-20 * yearMs),
  });
  await pair(ada, bo);
  await connected(bo);
  const lists = [await listOf(ada), await listOf(bo)];
  await Promise.all(lists.map((list, index) => list.write(`${index} a`, `${index} b`)));
  await agree(lists, ["0 a", "0 b", "1 a", "1 b"]);
});

test("[WIR-20, LAN-13] a backup that was put back gets what it had written, and goes on without a fork", async () => {
  const ada = await site.open("ada");
  const bo = await site.open("bo", { addresses: [ada.address] });
  await pair(ada, bo);
  const atAda = await listOf(ada);
  await (await listOf(bo)).write("before");
  await agree([atAda], ["before"]);
  await bo.close();
  const backup = `${bo.folder}.backup`;
  await cp(bo.folder, backup, { recursive: true });
  const later = await site.open("bo", { addresses: [ada.address] });
  await (await listOf(later)).write("after the backup");
  await agree([atAda], ["before", "after the backup"]);
  await later.close();
  await rm(bo.folder, { recursive: true });
  await cp(backup, bo.folder, { recursive: true });

  const restored = await site.open("bo", { addresses: [ada.address] });
  const atBo = await listOf(restored);
  await atBo.write("after it was put back");
  await agree([atAda, atBo], ["before", "after the backup", "after it was put back"]);
  for (const { replica } of [ada, restored]) expect(replica.peers!.counters.forks).toBe(0);
});

test("[WIR-20, LAN-13] a copy that runs beside its original is the same device, and what both write is there", async () => {
  const ada = await site.open("ada");
  const bo = await site.open("bo", { addresses: [ada.address] });
  await pair(ada, bo);
  const atAda = await listOf(ada);
  await (await listOf(bo)).write("before");
  await agree([atAda], ["before"]);
  await bo.close();
  await cp(bo.folder, site.folderOf("copy"), { recursive: true });
  const both = [
    await site.open("bo", { addresses: [ada.address] }),
    await site.open("copy", { addresses: [ada.address] }),
  ];
  const lists = await Promise.all(both.map((each) => listOf(each)));
  await Promise.all(lists.map((list, index) => list.write(`by ${index}`)));
  await agree([atAda, ...lists], ["before", "by 0", "by 1"]);
  expect(ada.replica.peers!.counters.forks).toBe(0);
});

test.each(["dialed", "was dialed"])(
  "[LAN-2] a revocation by the device that %s ends the connection, and nothing follows",
  async (role) => {
    const bo = await site.open("bo");
    const ada = await site.open("ada", { addresses: [bo.address] });
    await pair(ada, bo);
    const [atAda, atBo] = [await listOf(ada), await listOf(bo)];
    await Promise.all([connected(ada), connected(bo)]);
    expect([ada.neighbours.counters.dialed, bo.neighbours.counters.accepted]).toEqual([1, 1]);
    const [revoker, revoked] = role === "dialed" ? [ada, bo] : [bo, ada];
    await revoker.neighbours.revoke(revoked.neighbours.identity!.fingerprint);
    const isOver = () => revoked.neighbours.peers.every(({ state }) => state !== "connected");
    await until(isOver, "it is cut off");
    await Promise.all([atAda.write("from Ada"), atBo.write("from Bo")]);
    expect([atAda.items(), atBo.items()]).toEqual([["from Ada"], ["from Bo"]]);
    expect(revoker.neighbours.counters.revokedClosed).toBe(1);
  },
);

test("[LAN-3] a paired device that claims the store of another one is refused, and the other one goes on", async () => {
  const ada = await site.open("ada");
  const bo = await site.open("bo", { addresses: [ada.address] });
  await pair(ada, bo);
  const atAda = await listOf(ada);
  await connected(bo);
  await bo.close();
  // The store of Bo, with a key of its own, and a later incarnation.
  await cp(bo.folder, site.folderOf("mallory"), { recursive: true });
  await rm(path.join(site.folderOf("mallory"), "lan"), { recursive: true });
  const key = generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" });
  await writeFile(site.keyFileOf("mallory"), key);
  const mallory = await site.open("mallory", { addresses: [ada.address] });
  await pair(ada, mallory);
  const { counters } = ada.neighbours;
  await until(() => counters.storesRefused > 0, "the claim is refused", 60_000);
  await until(() => isRefused(ada) && isRefused(mallory), "and shown as that", 60_000);
  await (await listOf(mallory)).write("in the name of Bo's store");
  const again = await site.open("bo", { addresses: [ada.address] });
  const nowBo = await listOf(again);
  await nowBo.write("from Bo");
  await agree([atAda, nowBo], ["from Bo"]);
  // Whoever is trusted no more has nothing: its disk may come back with another key.
  await ada.neighbours.revoke(again.neighbours.identity!.fingerprint);
  mallory.replica.peers!.retryNow();
  await connected(mallory);
});
