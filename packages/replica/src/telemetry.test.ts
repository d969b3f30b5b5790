import { MemoryDisk } from "@heddle/core";
import { expect, test } from "vitest";
import * as Y from "yjs";

import { notes, openReplica, settled } from "./replica.fixture.ts";
import type { CommitRound } from "./telemetry.ts";

function updatesOf(...texts: string[]): Uint8Array[] {
  const author = new Y.Doc();
  const updates: Uint8Array[] = [];
  author.on("update", (update: Uint8Array) => updates.push(update));
  for (const text of texts) author.getText("text").insert(0, text);
  return updates;
}

test("a round is told of once, with what is in it, and its times in the order of its steps", async () => {
  const rounds: CommitRound[] = [];
  const telemetry = { onRound: (round: CommitRound) => rounds.push(round) };
  const { replica } = await openReplica(new MemoryDisk(), { telemetry });
  const document = await replica.acquire(notes);
  const updates = updatesOf("one", "two", "three");
  const [ada, bo] = [{ principal: Uint8Array.of(1) }, { principal: Uint8Array.of(2) }];
  document.submit(updates[0]!, ada);
  document.submit(updates[1]!, bo);
  document.submit(updates[2]!, bo);
  await settled();
  // Two principals, two envelopes; all of it shares one sync.
  expect(rounds).toMatchObject([{ envelopes: 2 }]);
  const [{ receivedMs, sealedMs, syncedMs, shownMs, bytes }] = rounds as [CommitRound];
  const steps = [receivedMs!, sealedMs, syncedMs, shownMs];
  expect(steps).toEqual(steps.toSorted((a, b) => a - b));
  expect(bytes).toBeGreaterThan("one two three".length);
  await replica.close();
});

test("a round that only parked something has no message to count from", async () => {
  const rounds: CommitRound[] = [];
  const telemetry = { onRound: (round: CommitRound) => rounds.push(round) };
  const { replica } = await openReplica(new MemoryDisk(), { telemetry });
  const document = await replica.acquire(notes);
  expect(document.submit(updatesOf("one", "two")[1]!, {})).toBe("parked");
  await settled();
  expect(rounds).toMatchObject([{ receivedMs: undefined, envelopes: 0, bytes: 0 }]);
  expect(replica.parking).toMatchObject({ count: 1 });
  await replica.close();
});
