import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { fanOfOne } from "../integration/harmful-updates.ts";
import { connect, sleep, synced, until, type StockClient } from "../integration/stock-client.ts";
import { RelayProcess } from "../processes/relay-process.ts";
import { sync } from "./corpus.ts";
import { RawClient } from "./raw-client.ts";
import { textOfOne } from "./recipes.ts";

// Goal: updates that must be tried first cannot fill the memory, nor keep others waiting.
// Method: a relay as people start it; strangers who send large and slow updates, and hang up.

const MiB = 2 ** 20;

let data: string;
beforeEach(async () => {
  data = await mkdtemp(path.join(tmpdir(), "heddle-trials-"));
});
afterEach(() => rm(data, { recursive: true, force: true }));

/** Too much for an update that goes straight to the log: 80 values at once. */
function oddEdit({ ydoc }: StockClient, round: number): void {
  ydoc.transact(() => {
    for (let key = 0; key < 80; key++) ydoc.getMap("odd").set(`key ${key}`, round);
  });
}

function oddRound({ ydoc }: StockClient): unknown {
  return ydoc.getMap("odd").get("key 79");
}

test("[DOC-12] thirty strangers who send 14.5 MB each and hang up cost a bounded amount of memory", async () => {
  await using relay = await RelayProcess.start({ data });
  const url = relay.url.replace("http", "ws");
  using ada = connect(url, "notes");
  using bo = connect(url, "notes");
  await Promise.all([synced(ada), synced(bo)]);
  const beforeBytes = relay.memoryBytes;
  let peakBytes = 0;
  const watch = setInterval(() => {
    peakBytes = Math.max(peakBytes, relay.memoryBytes);
  }, 20);
  for (let client = 1; client <= 30; client++) {
    const stranger = await RawClient.upgrade(relay.url, { path: "/target" });
    stranger.send(sync(2, textOfOne(client, 14_500_000)));
    await until(
      () => stranger.socket.writableLength === 0 || stranger.isClosed,
      "it is sent",
      60_000,
    );
    stranger.socket.destroy();
  }
  // Those who were there go on, with what is tried and with what is not.
  oddEdit(ada, 1);
  ada.text.insert(0, "still here");
  await until(() => oddRound(bo) === 1, "an odd edit arrives", 60_000);
  await until(() => bo.text.toString() === "still here", "a letter arrives", 60_000);
  clearInterval(watch);
  // Kept all of them it would be 435 MB as received, and twice as much again for each base.
  expect(peakBytes - beforeBytes).toBeLessThan(1_200 * MiB);
});

test("[DOC-12] an honest odd edit does not wait for the monsters of a stranger", async () => {
  await using relay = await RelayProcess.start({ data });
  const url = relay.url.replace("http", "ws");
  using ada = connect(url, "notes");
  using bo = connect(url, "notes");
  await Promise.all([synced(ada), synced(bo)]);
  const strangers: RawClient[] = [];
  for (let index = 0; index < 4; index++) {
    const stranger = await RawClient.upgrade(relay.url, { path: `/monster-${index}` });
    strangers.push(stranger);
    // 300 KB that keep Yjs busy for minutes: each is given its seconds twice.
    stranger.send(sync(2, fanOfOne(60_000 + index)));
  }
  await sleep(300);
  for (let round = 1; round <= 5; round++) {
    oddEdit(ada, round);
    await until(() => oddRound(bo) === round, `odd edit ${round} arrives`, 60_000);
  }
  // They had to wait for each other meanwhile.
  expect(strangers.some(({ isClosed }) => !isClosed)).toBe(true);
  for (const stranger of strangers) stranger[Symbol.dispose]();
});
