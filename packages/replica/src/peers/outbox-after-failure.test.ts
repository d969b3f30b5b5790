import {
  HeddleError,
  HeddleErrorCode,
  MemoryDisk,
  MemoryLogStore,
  parseDocumentName,
  type DocumentId,
} from "@heddle/core";
import { PeerRole } from "@heddle/sync";
import { expect, test } from "vitest";
import * as Y from "yjs";

import { nodeVerifier } from "../node-environment.ts";
import { environment, notes, signer } from "../replica.fixture.ts";
import { Replica } from "../replica.ts";
import { FailingStore } from "./failing-store.fixture.ts";
import { PeerHost } from "./peer-host.ts";

// Goal: what waits for others is known, whatever became of the store or of one document meanwhile.

interface Process {
  readonly failing: FailingStore;
  readonly replica: Replica;
  host: PeerHost;
}

async function start(disk: MemoryDisk): Promise<Process> {
  const failing = new FailingStore(await MemoryLogStore.open(disk, environment.random));
  const { store } = failing;
  const running = { store, environment, signer, engine: "test" };
  const replica = await Replica.open({ ...running, idleMs: 10_000 });
  return { failing, replica, host: await hostOf({ failing, replica }) };
}

function hostOf({ failing, replica }: Omit<Process, "host">): Promise<PeerHost> {
  const { store } = failing;
  const running = { store, environment, signer, engine: "test" };
  const parts = { ...running, replica, verifier: nodeVerifier, hasOutbox: true };
  return PeerHost.open({ ...parts, role: PeerRole.replica, adopt: true, follow: true });
}

async function write({ replica }: Process, name = notes): Promise<DocumentId> {
  const document = await replica.acquire(name);
  const ydoc = new Y.Doc();
  ydoc.getText("text").insert(0, "hello");
  document.submit(Y.encodeStateAsUpdate(ydoc), {});
  await document.whenSettled();
  return document.entry.id;
}

test("[WIR-18] after the store has failed and is good again, what was written before still waits", async () => {
  const process = await start(new MemoryDisk());
  const id = await write(process);
  expect(process.host.machine?.outbox.get(id)?.count).toBe(1);
  const error = new HeddleError(HeddleErrorCode.storageFull, "the disk is full");
  process.failing.set({ name: "fenced", error });
  process.failing.set({ name: "open" });
  await expect.poll(() => process.host.machine?.outbox.get(id)?.count, { timeout: 20_000 }).toBe(1);
  process.host.stop();
});

test("[STO-4] what cannot be read once, right after the store came back, is read again", async () => {
  const process = await start(new MemoryDisk());
  const id = await write(process);
  const error = new HeddleError(HeddleErrorCode.storageFull, "the disk is full");
  process.failing.set({ name: "fenced", error });
  process.failing.failsOnce.add("readCursors");
  process.failing.set({ name: "open" });
  await expect.poll(() => process.host.machine?.outbox.get(id)?.count, { timeout: 20_000 }).toBe(1);
  process.host.stop();
});

test("[WIR-18] a document that cannot be read keeps no other from its peers, and is counted", async () => {
  const disk = new MemoryDisk();
  const first = await start(disk);
  const [id, other] = [await write(first), await write(first, parseDocumentName("another"))];
  first.host.stop();
  await first.replica.close();
  await first.failing.store.close();
  const second = await start(disk);
  second.host.stop();
  second.failing.damage(id);
  second.host = await hostOf(second);
  const { outbox } = second.host.machine!;
  expect([outbox.get(id)?.count, outbox.get(other)?.count]).toEqual([1, 1]);
  expect(outbox.get(other)!.bytes).toBeGreaterThan(0);
  second.host.stop();
});
