import { HeddleError, HeddleErrorCode, MemoryDisk } from "@heddle/core";
import { expect, test } from "vitest";

import { envelopesOn, gate, openLive, textOnDisk } from "./live.fixture.ts";

// Goal: a document whose store is lost to this page goes on in another one, with all that was typed.

test("[LIV-10] a document that moves takes along what is not saved, and is written to the next log once", async () => {
  const { live, store, replica } = await openLive();
  const document = live();
  await document.whenLoaded();
  const { ydoc } = document;
  const text = ydoc.getText("text");
  text.insert(0, "one ");
  await document.whenSaved();
  const writes = gate(store);
  writes.failWith = new HeddleError(HeddleErrorCode.storageLocked, "another has it");
  text.insert(4, "two ");
  document.flush();

  const next = await openLive({}, new MemoryDisk());
  let open!: () => void;
  const opening = new Promise<void>((resolve) => (open = resolve));
  document.moveTo(opening.then(() => ({ replica: next.replica })));
  text.insert(8, "three");
  expect(document.status).toMatchObject({ state: "loading", generation: 0 });
  await expect(replica.close()).rejects.toThrow("another has it");
  expect(document.status.state).toBe("loading");

  open();
  await document.whenLoaded();
  await document.whenSaved();
  expect(document.ydoc === ydoc).toBe(true);
  expect(textOnDisk(next.disk)).toBe("one two three");
  const bytes = envelopesOn(next.disk).reduce((sum, { payload }) => sum + payload.length, 0);
  expect(bytes).toBeLessThan(150);
  await document.close();
});
