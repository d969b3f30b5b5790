import type { LogFields, Logger } from "@heddle/core";
import { Relay } from "@heddle/relay";
import { Replica } from "@heddle/replica";
import { ephemeralDeviceKey, nodeEnvironment, ProcessJudge } from "@heddle/replica/node";
import { expect, test } from "vitest";

import { update } from "../hostile/client-messages.ts";
import { RawClient } from "../hostile/raw-client.ts";
import { subdocument } from "./harmful-updates.ts";
import { memoryStore } from "./relay-under-test.ts";

interface Line extends LogFields {
  readonly event: string;
}

function keepingLogger(lines: Line[]): Logger {
  const keep = (event: string, fields?: LogFields): void => {
    lines.push({ event, ...fields });
  };
  return { debug: keep, info: keep, warn: keep, error: keep };
}

test("[OPS-4] every line about a connection or its update says which one it was", async () => {
  const lines: Line[] = [];
  const environment = nodeEnvironment(keepingLogger(lines));
  const store = await memoryStore();
  const judge = new ProcessJudge();
  const signer = ephemeralDeviceKey();
  const replica = await Replica.open({ store, environment, signer, engine: "test", judge });
  const limits = { refusalDelayMs: 10 };
  const relay = await Relay.start({ replica, environment, host: "127.0.0.1", port: 0, limits });
  const url = relay.url.replace("http", "ws");
  try {
    using page = await RawClient.upgrade(url, { headers: { Origin: "https://evil.example" } });
    expect(page.status).toBe(403);
    using mallory = await RawClient.upgrade(url);
    mallory.send(update(subdocument()));
    expect(await mallory.closeCode()).toBe(4400);
    using text = await RawClient.upgrade(url);
    text.write(Uint8Array.of(0xff, 0xff));
    expect(await text.closeCode()).toBe(4400);
  } finally {
    await relay.drain();
    await judge.close();
    await store.close();
  }
  const about = lines.filter(({ event }) => /^(?:connection|update)\./.test(event));
  const events = new Set(about.map(({ event }) => event));
  expect([...events].toSorted()).toEqual([
    "connection.closed",
    "connection.entered",
    "connection.error",
    "connection.origin_refused",
    "connection.refused",
    "update.quarantined",
  ]);
  expect(about.filter((line) => typeof line["connection"] !== "number")).toEqual([]);
  // The page that was refused, the quarantined update and the bad frame are three different stories.
  const of = (event: string): unknown => about.find((line) => line.event === event)?.["connection"];
  const stories = ["connection.origin_refused", "update.quarantined", "connection.error"].map(of);
  expect(stories).toEqual([1, 2, 3]);
  const entered = about.filter(({ event }) => /entered|closed|quarantined/.test(event));
  expect(entered.filter((line) => line["document"] === undefined)).toEqual([]);
});
