import { request } from "node:http";

import { expect, test } from "vitest";
import * as Y from "yjs";

import { readiness, scrape, startAdmin, startWatchedRelay } from "./admin-under-test.ts";
import { gatedStore } from "./gated-store.ts";
import { environment, memoryStore } from "./relay-under-test.ts";
import { connect, synced, until } from "./stock-client.ts";

const quick = { limits: { refusalDelayMs: 10 } };
const isReady = { status: 200, body: { ready: true, reasons: [], degraded: [] } };

test("[OPS-2] the process is alive before it is ready, and not ready before it stops", async () => {
  const admin = await startAdmin();
  try {
    expect((await fetch(`${admin.url}/healthz`)).status).toBe(200);
    const starting = { ready: false, reasons: [{ reason: "starting" }], degraded: [] };
    expect(await readiness(admin)).toEqual({ status: 503, body: starting });
    expect((await scrape(admin)).get("heddle_relay_ready")).toBe(0);
  } finally {
    await admin.close();
  }
  const relay = await startWatchedRelay(await memoryStore());
  expect(await readiness(relay.admin)).toEqual(isReady);
  relay.admin.startDraining();
  const draining = { ready: false, reasons: [{ reason: "draining" }], degraded: [] };
  expect(await readiness(relay.admin)).toEqual({ status: 503, body: draining });
  using late = connect(relay.url, "notes");
  await synced(late);
  await relay.relay.drain();
  expect(await readiness(relay.admin)).toMatchObject({ status: 503, body: { ready: false } });
  expect((await fetch(`${relay.admin.url}/healthz`)).status).toBe(200);
  await relay[Symbol.asyncDispose]();
});

test("[OPS-2] a fenced store makes the relay not ready, with its code, until it is mended", async () => {
  const gate = await gatedStore();
  await using relay = await startWatchedRelay(gate.store, quick);
  using ada = connect(relay.url, "notes");
  await synced(ada);
  gate.fence();
  const fenced = [{ reason: "store-fenced", code: "HEDDLE_STORAGE_FULL" }];
  expect(await readiness(relay.admin)).toMatchObject({ status: 503, body: { reasons: fenced } });
  expect(await storeState(relay.admin)).toEqual({ open: 0, fenced: 1, closed: 0 });
  ada.text.insert(0, "written while the disk was full");
  gate.mend();
  expect(await readiness(relay.admin)).toEqual(isReady);
  expect(await storeState(relay.admin)).toEqual({ open: 1, fenced: 0, closed: 0 });
  using bo = connect(relay.url, "notes");
  await until(() => bo.text.length === ada.text.length, "what was written meanwhile arrives");
});

test("[OPS-2] a relay with updates that wait for too long is degraded, and still ready", async () => {
  const { clock } = environment;
  const later = { ...clock, nowMs: () => clock.nowMs() + 11 * 60_000 };
  const admin = { environment: { ...environment, clock: later } };
  await using relay = await startWatchedRelay(await memoryStore(), { admin });
  const document = await relay.replica.acquire("notes" as never);
  expect(document.submit(secondUpdate(), {})).toBe("parked");
  const waiting = { reason: "parked-old", count: 1, oldestSeconds: 660 };
  expect(await readiness(relay.admin)).toEqual({
    status: 200,
    body: { ready: true, reasons: [], degraded: [waiting] },
  });
  const samples = await scrape(relay.admin);
  expect(samples.get("heddle_parked_updates")).toBe(1);
  expect(samples.get("heddle_parked_bytes")).toBe(secondUpdate().length);
  expect(samples.get("heddle_parked_oldest_seconds")).toBeCloseTo(660, 0);
});

test("[OPS-2] a relay that is too full for newcomers is degraded, and says which limit it is", async () => {
  const full = { limits: { memoryBytesMax: 1_000 }, readMemory: () => 2_000 };
  await using relay = await startWatchedRelay(await memoryStore(), full);
  await until(() => relay.relay.load.exceeded !== undefined, "the load is looked at");
  expect(await readiness(relay.admin)).toEqual({
    status: 200,
    body: {
      ready: true,
      reasons: [],
      degraded: [{ reason: "overloaded", limit: "memoryBytesMax" }],
    },
  });
  const overloaded = 'heddle_relay_overloaded{limit="memoryBytesMax"}';
  expect((await scrape(relay.admin)).get(overloaded)).toBe(1);
});

test("[OPS-3] what stock clients do shows in the numbers", async () => {
  await using relay = await startWatchedRelay(await memoryStore(), quick);
  using ada = connect(relay.url, "notes");
  using bo = connect(relay.url, "notes");
  await Promise.all([synced(ada), synced(bo)]);
  const before = await scrape(relay.admin);
  for (let index = 0; index < 20; index++) {
    ada.text.insert(0, `line ${index} `);
    await until(() => bo.text.length === ada.text.length, "it arrives");
  }
  bo.provider.ws?.send(Uint8Array.of(0, 2, 3, 255, 255, 255));
  await until(() => relay.relay.counters.refused.size > 0, "nonsense is refused");
  const after = await scrape(relay.admin);
  const moved = (name: string): number => after.get(name)! - before.get(name)!;
  expect(moved('heddle_updates_total{outcome="admitted"}')).toBe(20);
  expect(moved("heddle_broadcasts_total")).toBe(20);
  expect(moved("heddle_envelopes_total")).toBe(20);
  for (const area of ["accept", "sync", "broadcast"]) {
    expect([area, moved(`heddle_${area}_seconds_count`)]).toEqual([
      area,
      moved("heddle_rounds_total"),
    ]);
    expect(after.get(`heddle_${area}_seconds_sum`)).toBeGreaterThan(0);
  }
  expect(moved("heddle_log_bytes_total")).toBeGreaterThan(20 * 8);
  expect(moved("heddle_received_bytes_total")).toBeGreaterThan(moved("heddle_log_bytes_total"));
  expect(moved("heddle_sent_bytes_total")).toBeGreaterThan(moved("heddle_log_bytes_total"));
  expect(moved('heddle_connections_refused_total{code="HEDDLE_UPDATE_MALFORMED"}')).toBe(1);
  expect(after.get("heddle_documents_open")).toBe(1);
  expect(after.get("heddle_connections_open")).toBe(2);
});

test("[OPS-1] nothing that the admin port says holds a name, an id or any content", async () => {
  await using relay = await startWatchedRelay(await memoryStore(), quick);
  using ada = connect(relay.url, "the-name-of-it");
  using bo = connect(relay.url, "the-name-of-it");
  await Promise.all([synced(ada), synced(bo)]);
  ada.text.insert(0, "what-is-written");
  ada.provider.awareness.setLocalStateField("user", { name: "who-wrote-it" });
  await until(() => bo.text.length > 0, "it arrives");
  const document = await relay.replica.acquire("the-name-of-it" as never);
  for (const path of ["/healthz", "/readyz", "/metrics", "/the-name-of-it", "/"]) {
    const text = await (await fetch(`${relay.admin.url}${path}`)).text();
    const said = ["the-name-of-it", "what-is-written", "who-wrote-it", document.entry.id];
    expect(said.filter((word) => text.includes(word))).toEqual([]);
  }
});

test("[OPS-1] other machines need a token, and the refusal to start says so", async () => {
  await expect(startAdmin({ host: "0.0.0.0" })).rejects.toMatchObject({
    code: "HEDDLE_CONFIG_INVALID",
    message: expect.stringContaining("--admin-token SECRET"),
  });
  const admin = await startAdmin({ host: "0.0.0.0", token: "right" });
  try {
    const status = async (path: string, token?: string): Promise<number> => {
      const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
      return (await fetch(`${admin.url}${path}`, { headers })).status;
    };
    expect([await status("/metrics"), await status("/metrics", "wrong")]).toEqual([401, 401]);
    expect(await status("/metrics", "right")).toBe(200);
    expect([await status("/healthz"), await status("/readyz")]).toEqual([200, 503]);
    // Whoever does not know the token learns that, but not why.
    expect((await readiness(admin)).body).toEqual({ ready: false });
    const known = await readiness(admin, { authorization: "Bearer right" });
    expect(known.body).toMatchObject({ reasons: [{ reason: "starting" }] });
  } finally {
    await admin.close();
  }
});

test("[OPS-1] a web page that points its own name at this machine reads nothing", async () => {
  const admin = await startAdmin();
  try {
    const port = Number(new URL(admin.url).port);
    expect(await statusAs(port, `evil.example:${port}`)).toBe(421);
    for (const host of ["127.0.0.1", "localhost", "[::1]"]) {
      expect([host, await statusAs(port, `${host}:${port}`)]).toEqual([host, 200]);
    }
  } finally {
    await admin.close();
  }
});

test("a port that is taken is a matter of configuration", async () => {
  const admin = await startAdmin();
  const port = Number(new URL(admin.url).port);
  await expect(startAdmin({ port })).rejects.toMatchObject({ code: "HEDDLE_CONFIG_INVALID" });
  await admin.close();
});

async function storeState(admin: Parameters<typeof scrape>[0]): Promise<Record<string, number>> {
  const samples = await scrape(admin);
  const states = ["open", "fenced", "closed"];
  return Object.fromEntries(
    states.map((name) => [name, samples.get(`heddle_store_state{state="${name}"}`)!]),
  );
}

function statusAs(port: number, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", port, path: "/metrics", headers: { host } });
    asked.once("response", (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asked.once("error", reject);
    asked.end();
  });
}

/** The second of two updates of one author: it has to wait for the first. */
function secondUpdate(): Uint8Array {
  const author = new Y.Doc();
  author.clientID = 7;
  const updates: Uint8Array[] = [];
  author.on("update", (update: Uint8Array) => updates.push(update));
  author.getText("text").insert(0, "one ");
  author.getText("text").insert(4, "two");
  return updates[1]!;
}
