import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { webSocketTransport } from "@heddle/client";
import { lan, type Lan } from "@heddle/lan";
import type { LiveReplica } from "@heddle/replica";
import { openReplica } from "@heddle/replica/node";
import { levelStore } from "@heddle/storage-level";
import { afterEach, beforeEach, expect, test } from "vitest";
import { WebSocket } from "ws";

import { PeeredRelay } from "./peered-relay.ts";
import { until } from "./stock-client.ts";

// Goal: a peer that is reached over the LAN and through a relay is one peer.
// Method: two replicas on loopback that name each other's address, with a relay that comes later.

const writes = 10;

let folder: string;
let replicas: LiveReplica[];
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "heddle-both-ways-"));
  replicas = [];
});
afterEach(async () => {
  await Promise.all(replicas.map((replica) => replica.close()));
  rmSync(folder, { recursive: true, force: true });
});

interface Settings {
  readonly addresses?: readonly string[];
  readonly relay?: string | undefined;
}

async function open(name: string, { addresses = [], relay }: Settings = {}) {
  const neighbours = lan({ name, addresses, host: "127.0.0.1", discovery: false });
  const transport = relay && webSocketTransport({ url: relay, WebSocket });
  const replica = await openReplica({
    store: levelStore(path.join(folder, name)),
    peers: [neighbours, ...(transport ? [{ name: "relay", transport }] : [])],
    follow: true,
  });
  replicas.push(replica);
  return { replica, neighbours };
}

async function close({ replica }: { readonly replica: LiveReplica }): Promise<void> {
  replicas = replicas.filter((each) => each !== replica);
  await replica.close();
}

async function pair(host: Lan, guest: Lan): Promise<void> {
  const { link, done } = await host.pair({ hosts: ["127.0.0.1"] });
  await Promise.all([guest.join(link), done]);
}

function isConnected({ peers }: Lan): boolean {
  return peers.some(({ state }) => state === "connected");
}

test("[LAN-9] what was written on the LAN alone goes to a relay that appears, and is there once", async () => {
  const first = await open("ada");
  const bo = await open("bo", { addresses: [`127.0.0.1:${first.neighbours.port}`] });
  await pair(first.neighbours, bo.neighbours);
  await until(() => isConnected(bo.neighbours), "they are connected");
  const [atAda, atBo] = await Promise.all([first.replica.open("notes"), bo.replica.open("notes")]);
  for (let count = 0; count < writes; count++) {
    atAda.ydoc.getArray("list").push([`ada ${count}`]);
    atBo.ydoc.getArray("list").push([`bo ${count}`]);
    await Promise.all([atAda.whenSaved(), atBo.whenSaved()]);
  }
  await until(() => atAda.ydoc.getArray("list").length === 2 * writes, "Ada has all");
  await until(() => atBo.ydoc.getArray("list").length === 2 * writes, "Bo has all");
  await Promise.all([close(first), close(bo)]);

  await using relay = await PeeredRelay.start();
  const ada = await open("ada", { relay: relay.url });
  const again = await open("bo", {
    relay: relay.url,
    addresses: [`127.0.0.1:${ada.neighbours.port}`],
  });
  await until(() => isConnected(again.neighbours), "they are connected again");
  const [now, there] = await Promise.all([ada.replica.open("notes"), again.replica.open("notes")]);
  await Promise.all([now.whenRelayed(), there.whenRelayed()]);
  now.ydoc.getArray("list").push(["ada at last"]);
  await now.whenRelayed();
  await until(() => there.ydoc.getArray("list").length === 2 * writes + 1, "Bo has the last one");
  expect(there.ydoc.getArray("list").toArray()).toEqual(now.ydoc.getArray("list").toArray());
  const { counters } = relay.peers;
  expect(counters.envelopesStored).toBe(2 * writes + 1);
  for (const { replica } of [ada, again]) expect(replica.peers!.outbox.envelopes).toBe(0);
});

test("[LAN-9] a peer that is reached both ways has one copy, and takes each change once", async () => {
  await using relay = await PeeredRelay.start();
  const ada = await open("ada", { relay: relay.url });
  const bo = await open("bo", {
    relay: relay.url,
    addresses: [`127.0.0.1:${ada.neighbours.port}`],
  });
  await pair(ada.neighbours, bo.neighbours);
  await until(() => isConnected(bo.neighbours), "they are connected");
  const [atAda, atBo] = await Promise.all([ada.replica.open("notes"), bo.replica.open("notes")]);
  atAda.ydoc.getArray("list").push(["first"]);
  await atAda.whenRelayed();
  await until(() => atBo.ydoc.getArray("list").length === 1, "Bo has the first");
  for (let count = 0; count < writes; count++) {
    atAda.ydoc.getArray("list").push([`ada ${count}`]);
    await atAda.whenSaved();
  }
  await until(() => atBo.ydoc.getArray("list").length === 1 + writes, "Bo has all");
  await atAda.whenReplicated(2);
  // One copy there and one at the relay, whichever way each of them went.
  for (const each of [bo.replica.peers!, relay.peers]) {
    expect(each.counters.envelopesStored).toBe(1 + writes);
  }
  expect(atBo.ydoc.getArray("list").toArray()).toEqual(atAda.ydoc.getArray("list").toArray());
  await expect(notThrice(atAda.whenReplicated(3))).resolves.toBe("two");
});

/** A third copy would be counted within moments: the acknowledgements are there. */
function notThrice(third: Promise<void>): Promise<string> {
  const two = new Promise<string>((resolve) => setTimeout(resolve, 300, "two"));
  return Promise.race([two, third.then(() => "three")]);
}
