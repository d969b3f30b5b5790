import { expect, test } from "vitest";
import * as Y from "yjs";

import { claimedClients } from "./claimed-clients.ts";

test.each([0, 1, 130])("[RLY-16] an update of %i clients says so in its first bytes", (clients) => {
  const ydoc = new Y.Doc();
  for (let clientID = 1; clientID <= clients; clientID++) {
    const own = Object.assign(new Y.Doc(), { clientID });
    own.getText("text").insert(0, "x");
    Y.applyUpdate(ydoc, Y.encodeStateAsUpdate(own));
  }
  expect(claimedClients(Y.encodeStateAsUpdate(ydoc))).toBe(clients);
});

test.each([
  { bytes: [] },
  { bytes: [0xff] },
  { bytes: [0xff, 0xff, 0xff, 0x7f, 1, 1, 0] },
  { bytes: [0xff, 0xff, 0xff, 0xff, 0x0f] },
])("[RLY-16] a claim that cannot be true is left to the validator: $bytes", ({ bytes }) => {
  expect(claimedClients(Uint8Array.from(bytes))).toBe(0);
});
