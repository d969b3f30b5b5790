import { MemoryDisk, MemoryLogStore, toHex, type RecalledEnvelope } from "@heddle/core";
import { defineSink, MemoryProjectionDisk, MemoryProjectionStore } from "@heddle/reconcile";
import { testDocument, testEnvironment, TestWriter } from "@heddle/testkit";
import { expect, test } from "vitest";

import { LogSource } from "../projections/log-source.ts";
import { SinkRunner } from "./sink-runner.ts";

const reason = "its device may not write this, by the records of the space";

// Goal: what does not count in a space is not taken for sent: it goes out, in its order, once it counts.
// Method: a log whose view leaves the last changes of a lane out, as that of a space does, and says when that changes.
test("[PRJ-14] changes that do not count stay unsent, and go out once when the members' records say that they count", async () => {
  const environment = testEnvironment("uncounted");
  const log = await MemoryLogStore.open(new MemoryDisk(), environment.random);
  const uncounted: RecalledEnvelope[] = [];
  log.readRecalls = async () => uncounted;
  const writer = await TestWriter.open(environment);
  const document = testDocument(environment, "notes");
  const envelopes = await writer.sealRun(document.id, 4);
  await log.append({ lanes: [writer.lane], documents: [document], envelopes });
  for (const { id, lane, seq } of envelopes.slice(2)) {
    uncounted.push({ id: toHex(id), lane, seq, reason, validatorVersion: 1, atMs: 0 });
  }
  const given: string[] = [];
  const sink = defineSink({
    name: "hook",
    owner: "tests",
    async deliver(_, key) {
      given.push(key);
      return { outcome: "delivered" };
    },
  });
  const store = await MemoryProjectionStore.open(new MemoryProjectionDisk(), environment.clock);
  const source = new LogSource({ store: log, environment });
  const runner = new SinkRunner({ sink, store, source, environment });
  const settle = async (): Promise<void> => {
    while ((await runner.turn()).name !== "idle");
  };
  const keys = envelopes.map(({ id }) => toHex(id));
  await settle();
  expect(given).toEqual(keys.slice(0, 2));
  uncounted.length = 0;
  log.moves.begin();
  await settle();
  expect(given).toEqual(keys);
  // What was sent while it counted is not sent again when it does so once more.
  for (const isCounted of [false, true]) {
    const { id, lane, seq } = envelopes[3]!;
    if (isCounted) uncounted.length = 0;
    else uncounted.push({ id: toHex(id), lane, seq, reason, validatorVersion: 1, atMs: 0 });
    log.moves.begin();
    await settle();
  }
  expect(given).toEqual(keys);
});
