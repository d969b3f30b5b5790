import { webSocketTransport } from "@heddle/client";
import { httpTransport } from "@heddle/client/http";
import { openReplica } from "@heddle/replica/node";
import type { Transport } from "@heddle/sync";
import { expect, test } from "vitest";
import { WebSocket } from "ws";

import { PeeredRelay } from "./peered-relay.ts";
import { memoryStore } from "./relay-under-test.ts";
import { until } from "./stock-client.ts";

// Goal: one edit that is larger than what a connection buffers comes to the relay, and from there to another
// replica, over one connection each.

async function open(transport: Transport) {
  const store = await memoryStore();
  const replica = await openReplica({ store, peers: [{ name: "relay", transport }] });
  const states: string[] = [];
  replica.peers!.on("connection", ({ state }) => states.push(state.name));
  return {
    states,
    live: await replica.open("notes"),
    async [Symbol.asyncDispose]() {
      await replica.close();
      await store.close();
    },
  };
}

test("[WIR-5][WIR-7] an edit of 6 MB comes over, in parts and as credit is given", async () => {
  await using relay = await PeeredRelay.start();
  await using ada = await open(webSocketTransport({ url: relay.url, WebSocket }));
  await using bo = await open(httpTransport({ url: `${relay.relay.url}/heddle/1/` }));
  const large = "x".repeat(6_000_000);
  ada.live.ydoc.getText("text").insert(0, large);
  await ada.live.whenRelayed();
  const there = bo.live.ydoc.getText("text");
  await until(() => there.length === large.length, "it arrives");
  there.insert(0, "y".repeat(5_000_000));
  await bo.live.whenRelayed();
  const here = ada.live.ydoc.getText("text");
  await until(() => here.length === 11_000_000, "the answer arrives");
  for (const { states } of [ada, bo]) expect(states).not.toContain("waiting");
});
