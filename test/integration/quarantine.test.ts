import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { MemoryDisk } from "@heddle/core";
import { ProcessJudge } from "@heddle/replica/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import * as Y from "yjs";

import type { ApplyJudge, Trial } from "@heddle/replica";
import { sync } from "../hostile/corpus.ts";
import { textOfOne } from "../hostile/recipes.ts";
import { RelayProcess, repositoryFolder } from "../processes/relay-process.ts";
import { fanOfOne, subdocument } from "./harmful-updates.ts";
import { memoryStore, startRelay } from "./relay-under-test.ts";
import { runProgram } from "./run-program.ts";
import { connect, sleep, synced, until } from "./stock-client.ts";

/**
 * Sends `updates` as somebody with nothing else to say; resolves with the code of the close, or 0 when
 * there is none for `waitMs`: generous, a loaded machine is not a failure.
 */
async function attack(
  url: string,
  name: string,
  updates: readonly Uint8Array[],
  waitMs = 60_000,
): Promise<number> {
  const socket = new WebSocket(`${url}/${name}`);
  await new Promise((resolve) => socket.once("open", resolve));
  const closed = new Promise<number>((resolve) => socket.once("close", resolve));
  for (const update of updates) socket.send(sync(2, update));
  const code = await Promise.race([closed, sleep(waitMs).then(() => 0)]);
  socket.terminate();
  return code;
}

const limits = { refusalDelayMs: 10 };

test("[DOC-12] who hangs up while not being read from is noticed, and its trial is let go", async () => {
  const asked: Trial[] = [];
  const judge: ApplyJudge = {
    judge: (trial) => {
      asked.push(trial);
      return new Promise(() => undefined);
    },
    close: async () => undefined,
  };
  await using relay = await startRelay(await memoryStore(), { limits, replica: { judge } });
  const [first, second] = [textOfOne(1, 100_000), textOfOne(2, 100_000)];
  const sockets = await Promise.all(
    [first, second].map(async (update) => {
      const socket = new WebSocket(`${relay.url}/notes`);
      await new Promise((resolve) => socket.once("open", resolve));
      socket.send(sync(2, update));
      return socket;
    }),
  );
  await until(() => relay.replica.counters.judged === 2, "both are there");
  const heldBytes = relay.replica.trialBytes;
  expect(heldBytes).toBeGreaterThan(200_000);
  for (const socket of sockets) socket.terminate();
  await until(() => relay.replica.counters.trialsWithdrawn === 1, "the second one is let go");
  expect(asked).toHaveLength(1);
  expect(relay.replica.trialBytes).toBeLessThan(heldBytes - 100_000);
});

describe("with stock clients", () => {
  let judge: ProcessJudge;
  beforeAll(() => {
    judge = new ProcessJudge();
  });
  afterAll(() => judge.close());

  test.each<[string, () => Uint8Array]>([
    ["is slow", () => fanOfOne(8_000)],
    ["makes every document that holds it fail", () => subdocument()],
  ])("[DOC-7] an update that %s closes its sender and harms nobody else", async (_, harm) => {
    const replica = { judge };
    await using relay = await startRelay(await memoryStore(), { limits, replica });
    using ada = connect(relay.url, "notes");
    using bo = connect(relay.url, "notes");
    using elsewhere = connect(relay.url, "plans");
    await Promise.all([synced(ada), synced(bo), synced(elsewhere)]);
    ada.text.insert(0, "before ");
    const attacked = attack(relay.url, "notes", [harm()]);
    // While it is tried, the others go on.
    ada.text.insert(7, "meanwhile");
    await until(() => bo.text.toString() === "before meanwhile", "the others go on");
    expect(await attacked).toBe(4400);
    expect(relay.replica.counters.quarantined).toBe(1);
    using late = connect(relay.url, "notes");
    await synced(late);
    expect(late.text.toString()).toBe("before meanwhile");
    expect(Y.encodeStateAsUpdate(late.ydoc)).toEqual(Y.encodeStateAsUpdate(ada.ydoc));
  });

  test("[DOC-7] what a connection sends behind an update that is tried keeps its order", async () => {
    await using relay = await startRelay(await memoryStore(), { limits, replica: { judge } });
    using reader = connect(relay.url, "notes");
    await synced(reader);
    const author = new Y.Doc();
    const updates: Uint8Array[] = [];
    author.on("update", (update: Uint8Array) => updates.push(update));
    // Large, then many small ones in the same breath, then large again.
    author.getText("text").insert(0, "x".repeat(200_000));
    for (let index = 0; index < 50; index++) author.getText("text").insert(0, `${index},`);
    author.getText("text").insert(0, "y".repeat(200_000));
    author.getText("text").insert(0, "end");
    const sent = attack(relay.url, "notes", updates, 5_000);
    const whole = author.getText("text").toString();
    await until(() => reader.text.toString() === whole, "everything arrives");
    expect(relay.replica.counters).toMatchObject({ judged: 2, parked: 0 });
    expect(await sent).toBe(0);
  });

  test("[DOC-8] the same bytes are refused without being tried again, also after a restart", async () => {
    const disk = new MemoryDisk();
    for (const judged of [1, 0]) {
      const store = await memoryStore(disk);
      await using relay = await startRelay(store, { limits, replica: { judge } });
      expect(await attack(relay.url, "notes", [subdocument()])).toBe(4400);
      expect(await attack(relay.url, "notes", [subdocument()])).toBe(4400);
      expect(relay.replica.counters.judged).toBe(judged);
    }
  });

  test("[DOC-9] nesting built up by routine updates is recalled; clients come back to a document that loads", async () => {
    const replica = { judge, auditDelayMs: 20 };
    await using relay = await startRelay(await memoryStore(), { limits, replica });
    using ada = connect(relay.url, "notes");
    await synced(ada);
    ada.text.insert(0, "kept");
    const author = new Y.Doc();
    let array: Y.Array<unknown> = author.getArray("nest");
    const updates: Uint8Array[] = [];
    author.on("update", (update: Uint8Array) => updates.push(update));
    for (let level = 0; level < 400; level++) {
      const inner = new Y.Array<unknown>();
      array.insert(0, [inner]);
      array = inner;
    }
    void attack(relay.url, "notes", updates);
    await until(() => relay.replica.counters.recalled > 0, "something is recalled");
    ada.text.insert(4, " and going on");
    using late = connect(relay.url, "notes");
    await until(() => late.text.toString() === "kept and going on", "the document works on");
    const nested = JSON.stringify(late.ydoc.getArray("nest").toJSON()).lastIndexOf("[");
    expect(nested).toBeLessThan(256);
  });
});

test("[DOC-8][STO-8] quarantine survives kill -9 of a real relay, and inspect lists it", async () => {
  const data = await mkdtemp(path.join(tmpdir(), "heddle-quarantine-"));
  try {
    {
      await using relay = await RelayProcess.start({ data });
      const url = relay.url.replace("http", "ws");
      using ada = connect(url, "notes");
      await synced(ada);
      ada.text.insert(0, "safe");
      expect(await attack(url, "notes", [subdocument()])).toBe(4400);
      expect(await attack(url, "notes", [fanOfOne(8_000)])).toBe(4400);
      await relay.kill();
    }
    const heddle = path.join(repositoryFolder, "apps/cli/bin/heddle.js");
    const listed = await runProgram(process.execPath, [heddle, "inspect", data, "--json"]);
    const { documents } = JSON.parse(listed) as {
      documents: { quarantine: { reason: string }[]; recalled: unknown[] }[];
    };
    const reasons = documents[0]!.quarantine.map(({ reason }) => reason.split(":")[0]);
    expect(reasons).toEqual(["exception", "timeout"]);
    expect(await runProgram(process.execPath, [heddle, "inspect", data])).toMatch(/quarantined/);
    await using relay = await RelayProcess.start({ data });
    const url = relay.url.replace("http", "ws");
    using late = connect(url, "notes");
    await synced(late);
    expect(late.text.toString()).toBe("safe");
    expect(await attack(url, "notes", [subdocument()])).toBe(4400);
  } finally {
    await rm(data, { recursive: true, force: true });
  }
});
