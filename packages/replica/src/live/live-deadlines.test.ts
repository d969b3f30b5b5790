import { MemoryDisk, MemoryLogStore } from "@heddle/core";
import { expect, test } from "vitest";

import { nodeVerifier } from "../node-environment.ts";
import { openLiveReplica } from "../open-live-replica.ts";
import { environment, signer } from "../replica.fixture.ts";
import { gate, openLive, textOnDisk } from "./live.fixture.ts";

test("[LIV-11] a wait for the disk ends with its signal, and the edit is saved all the same", async () => {
  const { live, store, disk } = await openLive();
  const document = live();
  const writes = gate(store);
  await document.whenLoaded();
  writes.hold();
  document.ydoc.getText("text").insert(0, "late");
  const deadline = new AbortController();
  const waiting = document.whenSaved({ signal: deadline.signal });
  const patient = document.whenSaved();
  deadline.abort(new Error("it takes too long"));
  await expect(waiting).rejects.toThrow("it takes too long");
  await expect(document.whenSaved({ signal: deadline.signal })).rejects.toThrow("too long");
  expect(document.status.unsaved).toBe(1);
  writes.open();
  await patient;
  await document.whenSaved({ signal: new AbortController().signal });
  expect(textOnDisk(disk)).toBe("late");
  await document.close();
});

test("[LIV-11] a wait for a relay that is away ends with its signal, and leaves nothing behind", async () => {
  const store = await MemoryLogStore.open(new MemoryDisk(), environment.random);
  const transport = { name: "away", dial: () => new Promise<never>(() => undefined) };
  const peers = [{ name: "relay", transport }];
  const live = await openLiveReplica({ store, environment, signer, verifier: nodeVerifier, peers });
  const document = await live.open("notes");
  document.ydoc.getText("text").insert(0, "here only");
  const deadline = AbortSignal.timeout(20);
  await expect(document.whenRelayed({ signal: deadline })).rejects.toMatchObject({
    name: "TimeoutError",
  });
  await expect(document.whenReplicated(2, { signal: deadline })).rejects.toThrow();
  expect(document.status).toMatchObject({ state: "saved", unsaved: 0 });
  await live.close();
  await store.close();
});
