import { expect, test } from "vitest";
import * as Y from "yjs";

import { emptyVector, awareness, step1, update } from "../hostile/client-messages.ts";
import { clientFrame, RawClient } from "../hostile/raw-client.ts";
import { scrape, startWatchedRelay, type WatchedRelay } from "./admin-under-test.ts";
import { gatedStore } from "./gated-store.ts";
import { memoryStore } from "./relay-under-test.ts";
import { connect, synced, until } from "./stock-client.ts";

// Goal: what /metrics says is what happened.
// Method: make each thing happen, and read the page.

const quick = { refusalDelayMs: 10 };

/** Waits until a sample has the value; fails with the one it has. */
async function reads({ admin }: WatchedRelay, name: string, value: number): Promise<void> {
  await expect.poll(async () => (await scrape(admin)).get(name), { timeout: 60_000 }).toBe(value);
}

function refused(code: string): string {
  return `heddle_connections_refused_total{code="${code}"}`;
}

function limited(limit: string): string {
  return `heddle_limits_reached_total{limit="${limit}"}`;
}

function authorOf(clientID: number, ...words: string[]): Uint8Array[] {
  const author = Object.assign(new Y.Doc(), { clientID });
  const updates: Uint8Array[] = [];
  author.on("update", (bytes: Uint8Array) => updates.push(bytes));
  for (const word of words) author.getText("text").insert(0, word);
  return updates;
}

test("[OPS-3] admitted, duplicate, parked and released updates, documents and bytes are counted", async () => {
  await using relay = await startWatchedRelay(await memoryStore(), { limits: quick });
  using raw = await RawClient.upgrade(relay.url);
  const [first, second] = authorOf(7, "one", "two") as [Uint8Array, Uint8Array];
  raw.send(update(second));
  await reads(relay, 'heddle_updates_total{outcome="parked"}', 1);
  await reads(relay, "heddle_parked_updates", 1);
  await reads(relay, "heddle_parked_bytes", second.length);
  raw.send(update(first));
  await reads(relay, "heddle_updates_released_total", 1);
  await reads(relay, "heddle_parked_updates", 0);
  await reads(relay, 'heddle_updates_total{outcome="admitted"}', 1);
  raw.send(update(first));
  await reads(relay, 'heddle_updates_total{outcome="duplicate"}', 1);
  await reads(relay, "heddle_documents_created_total", 1);
  await reads(relay, "heddle_documents_open", 1);
  await reads(relay, "heddle_connections_open", 1);
  await reads(relay, "heddle_connections_accepted_total", 1);
  const messages = [second, first, first].map((bytes) => update(bytes).length);
  await reads(
    relay,
    "heddle_received_bytes_total",
    messages.reduce((a, b) => a + b),
  );
  raw.socket.destroy();
  await reads(relay, "heddle_connections_open", 0);
});

test("[OPS-3] a slow disk shows in the latencies, and nowhere before it", async () => {
  const gate = await gatedStore();
  await using relay = await startWatchedRelay(gate.store, { limits: quick });
  using raw = await RawClient.upgrade(relay.url);
  gate.hold();
  raw.send(update(authorOf(1, "one")[0]!));
  await until(() => gate.waiting === 1, "it waits for the disk");
  await reads(relay, "heddle_sync_seconds_count", 0);
  const heldMs = 150;
  await new Promise((resolve) => setTimeout(resolve, heldMs));
  gate.release();
  for (const area of ["accept", "sync", "broadcast"]) {
    await reads(relay, `heddle_${area}_seconds_count`, 1);
  }
  const samples = await scrape(relay.admin);
  expect(samples.get("heddle_sync_seconds_sum")).toBeGreaterThan((heldMs - 10) / 1_000);
  expect(samples.get('heddle_sync_seconds_bucket{le="0.05"}')).toBe(0);
  expect(samples.get('heddle_sync_seconds_bucket{le="+Inf"}')).toBe(1);
  await reads(relay, "heddle_rounds_total", 1);
});

test("[OPS-3] every refusal has its code and its limit", async () => {
  const limits = {
    ...quick,
    messageBytesMax: 2_048,
    vectorBytesMax: 64,
    fragmentsMax: 4,
    awarenessStateBytesMax: 64,
    awarenessClientsPerConnectionMax: 1,
  };
  await using relay = await startWatchedRelay(await memoryStore(), { limits });
  using giant = await RawClient.upgrade(relay.url);
  giant.send(new Uint8Array(2_049));
  expect(await giant.closeCode()).toBe(4413);
  await reads(relay, limited("messageBytesMax"), 1);

  using pieces = await RawClient.upgrade(relay.url);
  pieces.write(clientFrame(new Uint8Array(), { head: 0x02 }));
  for (let count = 0; count < 5; count++) {
    pieces.write(clientFrame(new Uint8Array(), { head: 0x00 }));
  }
  expect(await pieces.closeCode()).toBe(4413);
  await reads(relay, limited("fragmentsMax"), 1);

  using vector = await RawClient.upgrade(relay.url);
  vector.send(step1(new Uint8Array(65)));
  expect(await vector.closeCode()).toBe(4413);
  await reads(relay, limited("vectorBytesMax"), 1);
  await reads(relay, refused("HEDDLE_FRAME_TOO_LARGE"), 3);

  using nonsense = await RawClient.upgrade(relay.url);
  nonsense.send(update(Uint8Array.of(1, 1, 1, 0, 99)));
  expect(await nonsense.closeCode()).toBe(4400);
  await reads(relay, refused("HEDDLE_UPDATE_MALFORMED"), 1);

  using present = await RawClient.upgrade(relay.url);
  present.send(awareness([{ client: 1, clock: 1, state: { name: "x".repeat(80) } }]));
  await reads(relay, limited("awarenessStateBytesMax"), 1);
  present.send(awareness([1, 2].map((client) => ({ client, clock: 2, state: {} }))));
  await reads(relay, limited("awarenessClientsPerConnectionMax"), 1);
  await reads(relay, "heddle_awareness_ignored_total", 2);
  present.send(step1(emptyVector));
  await reads(relay, "heddle_catch_ups_total", 1);
  expect(present.isClosed).toBe(false);
});

test("[OPS-3] a process that comes late to its work says so", async () => {
  await using relay = await startWatchedRelay(await memoryStore(), { limits: quick });
  using ada = connect(relay.url, "notes");
  await synced(ada);
  // The monitor looks only while the loop turns: once before, and once behind the long turn.
  await scrape(relay.admin);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const endMs = performance.now() + 300;
  while (performance.now() < endMs);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const lag = (await scrape(relay.admin)).get('heddle_event_loop_lag_seconds{statistic="max"}');
  expect(lag).toBeGreaterThan(0.2);
});
