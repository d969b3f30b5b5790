import { expect, test } from "vitest";

import { memoryStore, startRelay } from "../integration/relay-under-test.ts";
import { connect, synced, until } from "../integration/stock-client.ts";
import { RawClient } from "./raw-client.ts";

test("[RLY-11] over its memory the relay lets nobody new in, and everybody again when it recovers", async () => {
  let memoryBytes = 100;
  await using relay = await startRelay(await memoryStore(), {
    limits: { refusalDelayMs: 10, memoryBytesMax: 1_000 },
    readMemory: () => memoryBytes,
  });
  using ada = connect(relay.url, "notes");
  using bo = connect(relay.url, "notes");
  await Promise.all([synced(ada), synced(bo)]);
  memoryBytes = 1_001;
  const codeOfNext = async (): Promise<number> => {
    using client = await RawClient.upgrade(relay.url);
    return await client.closeCode();
  };
  await until(() => relay.relay.overloadedBy === "memoryBytesMax", "it is noticed");
  expect(await codeOfNext()).toBe(1013);
  using cy = connect(relay.url, "notes");
  ada.text.insert(0, "still here");
  await until(() => bo.text.toString() === "still here", "those who are in go on");
  expect(cy.provider.synced).toBe(false);
  memoryBytes = 950;
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  expect(relay.relay.overloadedBy).toBe("memoryBytesMax");
  memoryBytes = 800;
  await until(() => cy.text.toString() === "still here", "who was refused comes in");
  expect(relay.relay.overloadedBy).toBeUndefined();
  expect(relay.relay.counters.limited.get("memoryBytesMax")).toBeGreaterThan(1);
});
