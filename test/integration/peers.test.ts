import { expect, test } from "vitest";

import { PeeredRelay } from "./peered-relay.ts";
import { connect, synced, until } from "./stock-client.ts";

test("[RLY-1][WIR-1] clients of two relays that peer edit one document together", async () => {
  await using first = await PeeredRelay.start();
  await using second = await PeeredRelay.start();
  using ann = connect(first.url, "notes");
  using bob = connect(second.url, "notes");
  await synced(ann);
  await synced(bob);
  ann.text.insert(0, "written before they peered. ");
  second.dial(first.url);
  await until(() => bob.text.toString().startsWith("written before"), "what was there comes over");
  for (const letter of "from ann ") ann.text.insert(ann.text.length, letter);
  for (const letter of "from bob ") bob.text.insert(0, letter);
  await until(() => {
    return bob.text.length === 28 + 18 && ann.text.toString() === bob.text.toString();
  }, "both have everything");
  expect(first.peers.machine?.counters.signaturesBad).toBe(0);
  expect(first.peers.machine?.counters.incomplete).toBe(0);
});
