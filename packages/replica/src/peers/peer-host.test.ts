import { HeddleError, HeddleErrorCode, MemoryDisk, MemoryLogStore } from "@heddle/core";
import { PeerRole } from "@heddle/sync";
import { expect, test } from "vitest";
import * as Y from "yjs";

import { nodeVerifier } from "../node-environment.ts";
import { environment, notes, signer } from "../replica.fixture.ts";
import { Replica } from "../replica.ts";
import type { ReplicaDocument } from "../replica-document.ts";
import { FailingStore } from "./failing-store.fixture.ts";
import { PairedConnection } from "@heddle/testkit";
import type { SessionEnd } from "./peer-connections.ts";
import { PeerHost } from "./peer-host.ts";

interface Peer {
  readonly replica: Replica;
  readonly host: PeerHost;
  readonly failing: FailingStore;
}

async function openPeer(role: 1 | 2 = PeerRole.replica): Promise<Peer> {
  const failing = new FailingStore(await MemoryLogStore.open(new MemoryDisk(), environment.random));
  const { store } = failing;
  const running = { store, environment, signer, engine: "test" };
  const replica = await Replica.open({ ...running, idleMs: 10_000 });
  const parts = { ...running, replica, verifier: nodeVerifier };
  const host = await PeerHost.open({ ...parts, role, adopt: true, follow: true, hasOutbox: false });
  return { replica, failing, host };
}

function join(a: Peer, b: Peer, onEnded: (end: SessionEnd) => void = () => undefined): void {
  const [here, there] = PairedConnection.pair();
  a.host.connect(here, "initiator", { onEnded });
  b.host.connect(there, "acceptor");
}

function textOf(document: ReplicaDocument): string {
  const ydoc = new Y.Doc();
  Y.applyUpdate(ydoc, document.encodeSince());
  return ydoc.getText("text").toString();
}

function type(document: ReplicaDocument, text: string): void {
  const ydoc = new Y.Doc();
  ydoc.getText("text").insert(0, text);
  document.submit(Y.encodeStateAsUpdate(ydoc), {});
}

async function until(condition: () => boolean): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error("waited in vain");
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

test("[WIR-15] what is in one replica comes to another that passes it on to a third", async () => {
  const [a, b, c] = [await openPeer(), await openPeer(PeerRole.relay), await openPeer()];
  const document = await a.replica.acquire(notes);
  type(document, "from a");
  await document.whenSettled();
  join(a, b);
  join(c, b);
  const there = await c.replica.acquire(notes);
  await until(() => textOf(there) === "from a");
  type(there, "from c ");
  await until(() => textOf(document).includes("from c"));
  expect(b.host.machine?.counters).toMatchObject({ incomplete: 0, signaturesBad: 0, forks: 0 });
  await until(() => b.host.machine!.isSettled);
});

test("[STO-4] a store that fails ends all sessions, and a new machine begins when it is good again", async () => {
  const [a, b] = [await openPeer(), await openPeer()];
  const ends: SessionEnd[] = [];
  join(a, b, (end) => ends.push(end));
  await until(() => a.host.machine?.isSettled === true);
  const error = new HeddleError(HeddleErrorCode.storageFull, "the disk is full");
  a.failing.set({ name: "fenced", error });
  expect(ends).toEqual([{ code: HeddleErrorCode.relayOverloaded, closeCode: 1013 }]);
  const [here] = PairedConnection.pair();
  a.host.connect(here, "initiator", { onEnded: (end) => ends.push(end) });
  expect(ends).toHaveLength(2);
  expect(here.counters.framesSent).toBe(0);
  await until(() => b.host.sessionCount === 0);
  a.failing.set({ name: "open" });
  await until(() => a.host.machine !== undefined);
  type(await a.replica.acquire(notes), "after it");
  join(a, b);
  const there = await b.replica.acquire(notes);
  await until(() => textOf(there) === "after it");
});

test("a host that nobody speaks with holds no documents and sets no timers", async () => {
  const [a, b] = [await openPeer(), await openPeer()];
  join(a, b);
  type(await a.replica.acquire(notes), "x");
  await until(() => b.host.machine?.documentCount === 1 && b.host.machine.isSettled);
  b.host.stop();
  await until(() => a.host.sessionCount === 0);
  await until(() => a.host.machine?.documentCount === 0);
});
