import { MemoryDisk, MemoryLogStore, type DocumentId } from "@heddle/core";
import { PeerRole } from "@heddle/sync";
import { expect, test } from "vitest";
import * as Y from "yjs";

import { nodeVerifier } from "../node-environment.ts";
import { environment, notes, signer } from "../replica.fixture.ts";
import { Replica } from "../replica.ts";
import { PairedConnection } from "@heddle/testkit";
import { PeerHost } from "./peer-host.ts";

// Goal: who waits for copies elsewhere is told the truth in the next process too.

interface Process {
  readonly store: MemoryLogStore;
  readonly replica: Replica;
  readonly host: PeerHost;
}

async function start(disk: MemoryDisk, role: 1 | 2 = PeerRole.replica): Promise<Process> {
  const store = await MemoryLogStore.open(disk, environment.random);
  const running = { store, environment, signer, engine: "test" };
  const replica = await Replica.open({ ...running, idleMs: 10_000 });
  const parts = { ...running, replica, verifier: nodeVerifier };
  const host = await PeerHost.open({ ...parts, role, adopt: true, follow: true, hasOutbox: true });
  return { store, replica, host };
}

async function end({ store, replica, host }: Process): Promise<void> {
  host.stop();
  await replica.close();
  await store.close();
}

function join(a: Process, b: Process): void {
  const [here, there] = PairedConnection.pair();
  a.host.connect(here, "initiator");
  b.host.connect(there, "acceptor");
}

/** What this process has written to a document is on the disk of a peer of that role, then it ends. */
async function writtenAndReplicated(disk: MemoryDisk, role: 1 | 2): Promise<DocumentId> {
  const [writer, peer] = [await start(disk), await start(new MemoryDisk(), role)];
  const document = await writer.replica.acquire(notes);
  const ydoc = new Y.Doc();
  ydoc.getText("text").insert(0, "hello");
  document.submit(Y.encodeStateAsUpdate(ydoc), {});
  await document.whenSettled();
  const { id } = document.entry;
  join(writer, peer);
  await writer.host.whenReplicated(id, 1);
  await end(writer);
  await end(peer);
  return id;
}

test("[WIR-18] after a restart a copy at a replica is not one at a relay, and one copy not two", async () => {
  const disk = new MemoryDisk();
  const id = await writtenAndReplicated(disk, PeerRole.replica);
  const writer = await start(disk);
  let reached: string[] = [];
  const waits = ([1, 2, "relay"] as const).map(async (copies) => {
    await writer.host.whenReplicated(id, copies);
    reached = [...reached, String(copies)];
  });
  await waits[0];
  expect(reached).toEqual(["1"]);
  join(writer, await start(new MemoryDisk(), PeerRole.relay));
  await Promise.all(waits);
  await end(writer);
});

test("[WIR-18] what a relay had before a restart counts when the relay is there again", async () => {
  const disk = new MemoryDisk();
  const relayDisk = new MemoryDisk();
  const [first, relay] = [await start(disk), await start(relayDisk, PeerRole.relay)];
  const document = await first.replica.acquire(notes);
  const ydoc = new Y.Doc();
  ydoc.getText("text").insert(0, "hello");
  document.submit(Y.encodeStateAsUpdate(ydoc), {});
  await document.whenSettled();
  const { id } = document.entry;
  join(first, relay);
  await first.host.whenReplicated(id, "relay");
  await end(first);

  const second = await start(disk);
  const relayed = second.host.whenReplicated(id, "relay");
  join(second, relay);
  await relayed;
  await end(second);
  await end(relay);
});
