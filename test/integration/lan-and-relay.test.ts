import { afterEach, beforeEach, expect, test } from "vitest";

import { connected, LanReplicas, pair } from "./lan-replicas.ts";
import { PeeredRelay } from "./peered-relay.ts";
import { until } from "./stock-client.ts";

// Goal: a peer that is reached over the LAN and through a relay is one peer.
// Method: two replicas on loopback that name each other's address, with a relay that comes later.

const writes = 10;

let site: LanReplicas;
beforeEach(() => {
  site = new LanReplicas();
});
afterEach(() => site[Symbol.asyncDispose]());

test("[LAN-9] what was written on the LAN alone goes to a relay that appears, and is there once", async () => {
  const first = await site.open("ada");
  const bo = await site.open("bo", { addresses: [first.address] });
  await pair(first, bo);
  await connected(bo);
  const [atAda, atBo] = await Promise.all([first.replica.open("notes"), bo.replica.open("notes")]);
  for (let count = 0; count < writes; count++) {
    atAda.ydoc.getArray("list").push([`ada ${count}`]);
    atBo.ydoc.getArray("list").push([`bo ${count}`]);
    await Promise.all([atAda.whenSaved(), atBo.whenSaved()]);
  }
  await until(() => atAda.ydoc.getArray("list").length === 2 * writes, "Ada has all");
  await until(() => atBo.ydoc.getArray("list").length === 2 * writes, "Bo has all");
  await Promise.all([first.close(), bo.close()]);

  await using relay = await PeeredRelay.start();
  const ada = await site.open("ada", { relay: relay.url });
  const again = await site.open("bo", { relay: relay.url, addresses: [ada.address] });
  await connected(again);
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

test("[LAN-9, WIR-24] a peer that is reached both ways has one copy, and takes each change once", async () => {
  await using relay = await PeeredRelay.start();
  const ada = await site.open("ada", { relay: relay.url });
  const bo = await site.open("bo", { relay: relay.url, addresses: [ada.address] });
  await pair(ada, bo);
  await connected(bo);
  const [atAda, atBo] = await Promise.all([ada.replica.open("notes"), bo.replica.open("notes")]);
  atAda.ydoc.getArray("list").push(["first"]);
  await atAda.whenRelayed();
  await until(() => atBo.ydoc.getArray("list").length === 1, "Bo has the first");
  await atAda.whenReplicated(2);
  const peers = [ada.replica.peers!, bo.replica.peers!, relay.peers];
  const before = peers.map(({ counters }) => counters.envelopesSent);
  for (let count = 0; count < writes; count++) {
    atAda.ydoc.getArray("list").push([`ada ${count}`]);
    await atAda.whenSaved();
  }
  await until(() => atBo.ydoc.getArray("list").length === 1 + writes, "Bo has all");
  await atAda.whenReplicated(2);
  // Once to Bo and once to the relay, from who wrote it; neither of these tells the other.
  const sent = peers.map(({ counters }, index) => counters.envelopesSent - before[index]!);
  expect(sent).toEqual([2 * writes, 0, 0]);
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
