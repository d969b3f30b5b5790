import { expect, test } from "vitest";
import * as Y from "yjs";

import { memoryStore } from "../platform/memory-store.ts";
import { engineOf } from "./engine-of.ts";
import { HeddleProvider } from "./heddle-provider.ts";
import type { Drift } from "./provider-events.ts";

// Goal: an application hears of its document what its replica finds, without a server.

test("[DRF-5][DRF-6] a page hears that its document was damaged in memory, is asked for another, and hears that it is right", async () => {
  const url = "ws://localhost:1";
  const options = { store: memoryStore(), connect: false, disableBc: true };
  const open = (): HeddleProvider => new HeddleProvider(url, "notes", new Y.Doc(), options);
  const heard: Drift[] = [];
  const provider = open();
  const other = new HeddleProvider(url, "other", new Y.Doc(), options);
  provider.on("drift", (drift) => heard.push(drift));
  other.on("drift", () => expect.unreachable("it is of another document"));
  const reopened = new Promise<HeddleProvider>((resolve) => {
    provider.on("reset", () => {
      const again = open();
      again.on("drift", (drift) => heard.push(drift));
      resolve(again);
    });
  });
  const text = provider.doc.getText("text");
  text.insert(0, "x😀y", { bold: true });
  await provider.whenSaved();
  // The bug of Yjs 13.6 of protocol.md A3.6: no operation, and half of a character is gone.
  text.format(0, 2, { bold: true });
  const { replica } = await engineOf(url, options).opened;
  await replica.drift!.audit();
  const again = await reopened;
  await again.whenLoaded();
  await replica.drift!.settled();
  expect(again.doc.getText("text").toString()).toBe("x😀y");
  expect(new Set(heard.map(({ stage, cause }) => `${stage} ${cause}`))).toEqual(
    new Set(["found damaged-state", "repaired damaged-state"]),
  );
  await Promise.all([provider, again, other].map((each) => each.whenDestroyed()));
});
