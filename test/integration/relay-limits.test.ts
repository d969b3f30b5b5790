import { request } from "node:http";

import { expect, test } from "vitest";
import { WebSocket } from "ws";

import { gatedStore } from "./gated-store.ts";
import { memoryStore, startRelay } from "./relay-under-test.ts";
import { connect, sleep, synced, until } from "./stock-client.ts";

const quick = { limits: { refusalDelayMs: 10 } };

test("[RLY-7] an address that strangers reach needs a decision, and the refusal says so", async () => {
  const store = await memoryStore();
  await expect(startRelay(store, { host: "0.0.0.0" })).rejects.toMatchObject({
    code: "HEDDLE_CONFIG_INVALID",
    message: expect.stringContaining("--token SECRET, --allow-origin ORIGIN, or --open"),
  });
});

test.each([{ token: "" }, { allowOrigins: [""] }])(
  "[RLY-7] $token$allowOrigins is what an unset variable leaves, and no decision",
  async (access) => {
    for (const host of ["127.0.0.1", "0.0.0.0"]) {
      await expect(startRelay(await memoryStore(), { host, access })).rejects.toMatchObject({
        code: "HEDDLE_CONFIG_INVALID",
      });
    }
  },
);

test.each([
  { access: { token: "s" } },
  { access: { allowOrigins: ["https://notes.example"] } },
  { access: { open: true } },
])("[RLY-7] the relay starts on all addresses with $access", async ({ access }) => {
  await using relay = await startRelay(await memoryStore(), { host: "0.0.0.0", access });
  expect(relay.relay.port).toBeGreaterThan(0);
});

test("[RLY-7] a client without the right token is told so for good", async () => {
  await using relay = await startRelay(await memoryStore(), {
    ...quick,
    access: { token: "right" },
  });
  using stranger = connect(relay.url, "notes", { params: { token: "wrong" } });
  const code = await new Promise((resolve) => {
    stranger.provider.once("closed", (event: { code: number }) => resolve(event.code));
  });
  expect(code).toBe(4401);
  using ada = connect(relay.url, "notes", { params: { token: "right" } });
  await synced(ada);
});

test.each([
  { origin: "https://evil.example", access: {}, status: 403 },
  { origin: "null", access: {}, status: 403 },
  { origin: "http://localhost:5173", access: {}, status: 101 },
  { origin: "http://localhost:5173", access: { allowOrigins: ["https://a.example"] }, status: 403 },
  { origin: "https://a.example", access: { allowOrigins: ["https://a.example"] }, status: 101 },
  { origin: "https://a.example", access: { token: "s" }, status: 101 },
])("[RLY-7] a page of $origin gets $status with $access", async ({ origin, access, status }) => {
  await using relay = await startRelay(await memoryStore(), { ...quick, access });
  expect(await upgradeStatus(relay.relay.url, origin)).toBe(status);
});

test("[RLY-7] a page that points its own name at this machine is refused all the same", async () => {
  await using relay = await startRelay(await memoryStore(), quick);
  const origin = `http://evil.example:${relay.relay.port}`;
  const host = `evil.example:${relay.relay.port}`;
  expect(await upgradeStatus(relay.relay.url, origin, host)).toBe(403);
});

test("[RLY-9] names that are none are refused for good, odd ones work", async () => {
  await using relay = await startRelay(await memoryStore(), quick);
  for (const path of ["/", "/%00", "/%FF", `/${"x".repeat(129)}`]) {
    const socket = new WebSocket(`${relay.url}${path}`);
    const code = await new Promise((resolve) => {
      socket.once("close", resolve);
    });
    expect([path, code]).toEqual([path, 4400]);
  }
  for (const name of ["/", "//a", "a/b/c", "Grüße 你好 🧵", "..hidden", "x".repeat(128)]) {
    using client = connect(relay.url, name);
    await synced(client);
  }
});

test("[RLY-9] a message over the limit ends its connection and nothing else", async () => {
  const limits = { refusalDelayMs: 10, messageBytesMax: 1_024 };
  await using relay = await startRelay(await memoryStore(), { limits });
  using ada = connect(relay.url, "notes");
  await synced(ada);
  const giant = new WebSocket(`${relay.url}/notes`);
  await new Promise((resolve) => {
    giant.once("open", resolve);
  });
  giant.send(new Uint8Array(2_048));
  const code = await new Promise((resolve) => {
    giant.once("close", resolve);
  });
  expect(code).toBe(4413);
  using bo = connect(relay.url, "notes");
  ada.text.insert(0, "still here");
  await until(() => bo.text.toString() === "still here", "the others go on");
});

test("[RLY-8] a drain finishes what was sent, says 1012, and the next relay has it all", async () => {
  const { MemoryDisk } = await import("@heddle/core");
  const disk = new MemoryDisk();
  const relay = await startRelay(await memoryStore(disk));
  using ada = connect(relay.url, "notes");
  await synced(ada);
  const codes: number[] = [];
  ada.provider.on("connection-close", (event: CloseEvent | null) => codes.push(event?.code ?? 0));
  ada.text.insert(0, "last words");
  await until(() => relay.replica.counters.admitted > 0, "the relay has read them");
  await relay[Symbol.asyncDispose]();
  await until(() => codes.length > 0, "the client is told");
  expect(codes[0]).toBe(1012);
  ada.provider.disconnect();
  await using next = await startRelay(await memoryStore(disk));
  using late = connect(next.url, "notes");
  await synced(late);
  expect(late.text.toString()).toBe("last words");
});

test("[RLY-8] a drain says nothing to its clients before what they sent is on disk", async () => {
  const gate = await gatedStore();
  const relay = await startRelay(gate.store);
  using ada = connect(relay.url, "notes");
  await synced(ada);
  let isClosed = false;
  ada.provider.on("connection-close", () => {
    isClosed = true;
  });
  gate.hold();
  ada.text.insert(0, "last words");
  await until(() => gate.waiting === 1, "they wait for the disk");
  const drained = relay[Symbol.asyncDispose]();
  await sleep(100);
  expect(isClosed).toBe(false);
  gate.release();
  await drained;
  await until(() => isClosed, "the client is told");
});

test("[RLY-8] a disk that fails during a drain keeps nobody on the line", async () => {
  const gate = await gatedStore();
  const relay = await startRelay(gate.store, { replica: { idleMs: 60_000 } });
  using ada = connect(relay.url, "notes");
  await synced(ada);
  ada.text.insert(0, "on disk");
  await until(() => relay.replica.counters.envelopes === 1, "it is on disk");
  const codes: number[] = [];
  ada.provider.on("connection-close", (event: CloseEvent | null) => codes.push(event?.code ?? 0));
  // What is left to write is how far the document has come.
  gate.failNext({ isWritten: false });
  await expect(relay.relay.drain()).rejects.toMatchObject({ code: "HEDDLE_STORAGE_FULL" });
  await until(() => codes.length > 0, "the client is told");
  expect(codes[0]).toBe(1012);
  expect(relay.relay.connectionCount).toBe(0);
  ada.provider.disconnect();
  await gate.store.close();
});

test("[RLY-13] who writes faster than the disk is not read, and loses nothing", async () => {
  const gate = await gatedStore();
  const kiB = 1024;
  const limits = { unsavedBytesMax: 64 * kiB };
  await using relay = await startRelay(gate.store, { limits });
  using bo = connect(relay.url, "notes");
  using ada = connect(relay.url, "notes");
  await Promise.all([synced(ada), synced(bo)]);
  gate.hold();
  const { counters } = relay.relay;
  for (let page = 0; page < 200; page++) {
    ada.text.insert(ada.text.length, "x".repeat(16 * kiB));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await until(() => counters.limited.get("unsavedBytesMax") === 1, "it is no longer read");
  // What was read from the socket at the same time is taken; megabytes stay with their writer.
  await sleep(200);
  expect(counters.bytesReceived).toBeLessThan(1_024 * kiB);
  expect(bo.text.length).toBe(0);
  gate.release();
  await until(() => bo.text.length === 200 * 16 * kiB, "all of it arrives");
  expect(counters.refused.size).toBe(0);
});

test.each([
  { limit: "bytesPerSecond", limits: { bytesPerSecond: 65_536, bytesBurst: 65_536 }, size: 40_000 },
  { limit: "messagesPerSecond", limits: { messagesPerSecond: 20, messagesBurst: 20 }, size: 1 },
] as const)(
  "[RLY-13] $limit is counted by itself, and its sender is slowed down",
  async (given) => {
    const limits = { limitLoopback: true, ...given.limits };
    await using relay = await startRelay(await memoryStore(), { limits });
    using ada = connect(relay.url, "notes");
    using bo = connect(relay.url, "notes");
    await Promise.all([synced(ada), synced(bo)]);
    for (let count = 0; count < 30 / Math.sqrt(given.size) + 3; count++) {
      ada.text.insert(0, "x".repeat(given.size));
    }
    await until(() => bo.text.length === ada.text.length, "all of it arrives");
    const { limited, readsPaused, refused } = relay.relay.counters;
    const rates = ["bytesPerSecond", "messagesPerSecond"] as const;
    expect(rates.filter((limit) => limited.has(limit))).toEqual([given.limit]);
    expect(limited.get(given.limit)).toBe(readsPaused);
    expect(refused.size).toBe(0);
  },
);

function upgradeStatus(url: string, origin: string, host?: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const upgrade = request(`${url}/notes`, {
      headers: {
        Connection: "Upgrade",
        Upgrade: "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": Buffer.from("0123456789abcdef").toString("base64"),
        Origin: origin,
        ...(host !== undefined && { Host: host }),
      },
    });
    upgrade.once("upgrade", (response, socket) => {
      socket.destroy();
      resolve(response.statusCode);
    });
    upgrade.once("response", (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    upgrade.once("error", reject);
    upgrade.end();
  });
}
