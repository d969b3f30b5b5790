import { webSocketTransport } from "@heddle/client";
import { documentIdOf, laneId, openSpaceId, parseDocumentName } from "@heddle/core";
import { nodeEnvironment } from "@heddle/replica/node";
import type { RelayLimits } from "@heddle/relay";
import { expect, test } from "vitest";
import { WebSocket } from "ws";

import { honestPairWorks, reached } from "./honest-pair.ts";
import { PeeredRelay } from "../integration/peered-relay.ts";
import { until } from "../integration/stock-client.ts";
import { WireStranger } from "./wire-stranger.ts";

// Goal: who dials the relay with `heddle.1` and a key of the moment is held to rates and quotas, like stock
// clients are, and honest people notice nothing.
// Method: strangers with real sessions come as if through a proxy; honest ones from this machine.

const ignore = (): void => undefined;
const { hash } = nodeEnvironment({ debug: ignore, info: ignore, warn: ignore, error: ignore });
const mallory = "203.0.113.6";
const createdAt = new Uint8Array(8);
const lane = laneId(new Uint8Array(16).fill(7));

function idOf(name: string) {
  return documentIdOf(hash, openSpaceId(hash), parseDocumentName(name));
}

function start(limits: Partial<RelayLimits>): Promise<PeeredRelay> {
  return PeeredRelay.start({ trustProxy: true, limits });
}

function open(stranger: WireStranger, documentRef: number, name: string): void {
  stranger.say({ name: "open", documentRef, document: idOf(name), createdAt, documentName: name });
}

const work = (it: PeeredRelay, word: string): Promise<void> =>
  honestPairWorks(it, webSocketTransport({ url: it.url, WebSocket }), word);

test("[RLY-11][RLY-20] new keys by the dozen: so many knocks and connections of an address, whatever they sign with", async () => {
  await using it = await start({ connectionsPerAddressMax: 4, upgradesPerAddressBurst: 100 });
  const strangers = await Promise.all(
    Array.from({ length: 20 }, () => WireStranger.greet(it.url, mallory)),
  );
  expect(it.peers.sessionCount).toBe(4);
  expect(reached(it, "connectionsPerAddressMax")).toBe(16);
  await work(it, "in between");
  for (const stranger of strangers) stranger[Symbol.dispose]();
  await until(() => it.peers.sessionCount === 0, "they are forgotten");
});

test("[RLY-16][RLY-20] documents that are not here: so many of an address, and none of them is written", async () => {
  await using it = await start({ peerDocumentsPerAddressPerHour: 20 });
  using stranger = await WireStranger.greet(it.url, mallory);
  for (let ref = 0; ref < 200; ref++) open(stranger, ref, `made up ${ref}`);
  const answered = () => stranger.heard.filter(({ name }) => name === "open").length;
  const isOver = () => reached(it, "peerDocumentsPerAddressPerHour") === 180;
  await until(isOver, "the others are put off");
  await until(() => answered() === 20, "those that found room are answered");
  expect(it.peers.counters.documentsPutOff).toBe(180);
  // Another one from there has no more room, and what exists is open to both.
  await work(it, "what exists");
  using second = await WireStranger.greet(it.url, mallory);
  open(second, 0, "made up again");
  open(second, 1, "notes");
  await until(() => second.has("have"), "what exists is told about");
  expect(second.heard.filter(({ name }) => name === "open")).toMatchObject([
    { documentName: "notes" },
  ]);
  expect(it.relay.counters.documentsCreated).toBe(0);
});

test("[RLY-13][RLY-20] PULL and HAVE by the thousand are answered at a rate, and nobody waits for it", async () => {
  await using it = await start({ peerAsksPerAddressPerSecond: 50, peerAsksPerAddressBurst: 300 });
  await work(it, "something to ask for");
  using stranger = await WireStranger.greet(it.url, mallory);
  open(stranger, 0, "notes");
  await until(() => stranger.has("have"), "it is open");
  const digest = new Uint8Array(32);
  for (let count = 0; count < 1_000; count++) {
    stranger.say({ name: "pull", documentRef: 0, lane, fromSeq: 1, toSeq: 1 });
    stranger.say({
      name: "have",
      documentRef: 0,
      digest,
      flags: 3,
      positions: [],
      checkpoint: undefined,
    });
  }
  const frames = (): number => it.peers.counters.framesReceived;
  await until(() => reached(it, "peerAsksPerAddressPerSecond") > 0, "it is slowed down");
  const before = frames();
  await work(it, "undisturbed");
  expect(reached(it, "peerAsksPerAddressPerSecond")).toBeGreaterThan(0);
  expect(before).toBeLessThan(1_500);
  expect(stranger.isOpen).toBe(true);
});

test("[RLY-13][RLY-20] frames faster than allowed are read more slowly, and all of them in the end", async () => {
  await using it = await start({ peerFramesPerSecond: 2_000, peerFramesBurst: 200 });
  using stranger = await WireStranger.greet(it.url, mallory);
  const before = it.peers.counters.framesReceived;
  for (let count = 0; count < 2_000; count++) stranger.say({ name: "pong", token: count });
  await until(() => reached(it, "peerFramesPerSecond") > 0, "it is slowed down");
  await until(() => it.peers.counters.framesReceived - before >= 2_000, "all of them were heard");
  expect(stranger.isOpen).toBe(true);
});
