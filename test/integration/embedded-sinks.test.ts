import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { HeddleErrorCode } from "@heddle/core";
import type { SinkDefinition } from "@heddle/reconcile";
import type { LiveReplica } from "@heddle/replica";
import { openReplica } from "@heddle/replica/node";
import { levelStore } from "@heddle/storage-level";
import { afterEach, beforeEach, expect, test } from "vitest";

import { memoryStore } from "./relay-under-test.ts";

// Goal: an application gives a replica sinks and closes both with one call, whatever the outside does.
// Method: replicas on LevelDB with an outside that hangs; definitions and stores that cannot be meant.

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "heddle-embedded-sinks-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const keys: string[] = [];

function open(deliver: SinkDefinition["deliver"]): Promise<LiveReplica> {
  const sinks = [{ name: "hook", owner: "tests", deliver }];
  return openReplica({ store: levelStore(folder), sinks });
}

test("[PRJ-14] [PRJ-16] a replica with an outside that hangs closes, and hands the change over with the next start", async () => {
  const first = await open((_, key) => {
    keys.push(key);
    return new Promise(() => undefined);
  });
  const document = await first.open("notes");
  document.ydoc.getText("text").insert(0, "a line");
  await document.whenSaved();
  first.sinks!.wake();
  while (keys.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  await first.close();
  const second = await open(async (_, key) => {
    keys.push(key);
    return { outcome: "delivered" };
  });
  await second.sinks!.whenCaughtUp();
  expect(second.sinks!.sinks.get("hook")).toMatchObject({ state: "idle", lag: 0 });
  await second.close();
  expect(keys).toHaveLength(2);
  expect(new Set(keys).size).toBe(1);
});

test("sinks that cannot be meant, or have no place, are refused, and nothing is left open", async () => {
  const sinks = [{ name: "hook", owner: "tests", deliver: async () => ({ outcome: "delivered" }) }];
  const nowhere = { store: await memoryStore(), sinks: sinks as SinkDefinition[] };
  await expect(openReplica(nowhere)).rejects.toMatchObject({ code: HeddleErrorCode.configInvalid });
  const twice = [...sinks, ...sinks] as SinkDefinition[];
  await expect(
    openReplica({ store: levelStore(folder), sinks: twice, peers: [] }),
  ).rejects.toMatchObject({ code: HeddleErrorCode.projectionInvalid });
  const without = await openReplica({ store: levelStore(folder) });
  expect(without.sinks).toBeUndefined();
  await without.close();
});
