import { MemoryDisk } from "@heddle/core";
import { ManualTime } from "@heddle/testkit";
import { describe, expect, test, vi } from "vitest";

import {
  checkpointFromMs,
  defaultCheckpointPolicy,
  type LogGrowthFacts,
} from "./checkpoint-policy.ts";
import { folder, Typist } from "./checkpoint.fixture.ts";
import { characterOf } from "./hostile.fixture.ts";
import type { FoldResult } from "./state-folder.ts";
import type { ReplicaDocument } from "./replica-document.ts";
import { environment, notes, openReplica, settled } from "./replica.fixture.ts";

const policy = defaultCheckpointPolicy;
const facts: LogGrowthFacts = {
  envelopes: 0,
  bytes: 0,
  checkpointBytes: 0,
  lastWriteMs: 5_000,
  dueSinceMs: undefined,
  hasParked: false,
  isLeaving: false,
};

function from(more: Partial<LogGrowthFacts>): number | undefined {
  return checkpointFromMs(policy, { ...facts, ...more });
}

describe("when a checkpoint is called for", () => {
  test("by envelopes, and by bytes that count against the last one", () => {
    expect(from({ envelopes: 1_999, bytes: 65_535 })).toBeUndefined();
    expect(from({ envelopes: 2_000 })).toBe(35_000);
    expect(from({ bytes: 65_536 })).toBe(35_000);
    expect(from({ bytes: 99_999, checkpointBytes: 200_000 })).toBeUndefined();
    expect(from({ bytes: 100_000, checkpointBytes: 200_000 })).toBe(35_000);
  });

  test("when it is quiet, and without waiting when it is late or nobody is left", () => {
    expect(from({ envelopes: 2_000, dueSinceMs: 1_000, lastWriteMs: 9_000 })).toBe(39_000);
    expect(from({ envelopes: 8_000, dueSinceMs: 1_000, lastWriteMs: 9_000 })).toBe(1_000);
    expect(from({ envelopes: 999, isLeaving: true })).toBeUndefined();
    expect(from({ envelopes: 1_000, isLeaving: true, dueSinceMs: 1_000 })).toBe(1_000);
  });

  test("later while something is parked, and not later than an hour", () => {
    const parked = { envelopes: 9_000, dueSinceMs: 1_000, hasParked: true };
    expect(from(parked)).toBe(1_000 + 3_600_000);
  });
});

/** A replica on a clock of its own that builds checkpoints after four envelopes. */
async function openTimed(disk: MemoryDisk) {
  const time = new ManualTime(1_795_000_000_000);
  const timed = { ...environment, clock: time, scheduler: time };
  const checkpointPolicy = { envelopes: 4, quietMs: 1_000, parkedHoldMs: 60_000 };
  const options = { environment: timed, folder, checkpointPolicy, idleMs: 500, history: "prune" };
  const open = await openReplica(disk, { ...options, history: "prune" });
  const typist = new Typist(7);
  const write = async (document: ReplicaDocument, count: number) => {
    for (let turn = 0; turn < count; turn++) {
      document.submit(typist.type(turn), {});
      await document.whenSettled();
    }
  };
  const pass = async (ms: number) => {
    time.advance(ms);
    await open.replica.checkpointed();
    await settled();
  };
  const { counters } = open.replica;
  return { ...open, time, write, pass, counters };
}

describe("the checkpointer", () => {
  test("[CKP-9] builds when the document was quiet for a while, and drops what is covered", async () => {
    const { replica, store, write, pass, counters } = await openTimed(new MemoryDisk());
    const document = await replica.acquire(notes);
    await write(document, 3);
    await pass(60_000);
    expect(counters.checkpoints).toBe(0);
    await write(document, 2);
    await pass(600);
    await write(document, 1);
    await pass(600);
    expect(counters.checkpoints).toBe(0);
    await pass(500);
    expect(counters).toMatchObject({ checkpoints: 1, envelopesPruned: 6 });
    expect(await store.readCheckpoints(document.entry.id)).toHaveLength(1);
    await pass(60_000);
    expect(counters.checkpoints).toBe(1);
    await replica.close();
  });

  test("[CKP-9] does not wait for quiet for ever", async () => {
    const { replica, write, pass, counters } = await openTimed(new MemoryDisk());
    const document = await replica.acquire(notes);
    for (let round = 0; counters.checkpoints === 0 && round < 60; round++) {
      await write(document, 1);
      await pass(600);
    }
    expect(counters.checkpoints).toBe(1);
    expect(counters.envelopesPruned).toBeGreaterThanOrEqual(16);
    await replica.close();
  });

  test("[CKP-9] builds at once when far too much has come in one go", async () => {
    const { replica, write, pass, counters } = await openTimed(new MemoryDisk());
    const document = await replica.acquire(notes);
    await write(document, 20);
    await pass(60);
    expect(counters.checkpoints).toBe(1);
    await replica.close();
  });

  test("[CKP-9] builds for a document that nobody uses any more, and lets it go", async () => {
    const { replica, write, pass, counters } = await openTimed(new MemoryDisk());
    const document = await replica.acquire(notes);
    await write(document, 2);
    replica.release(document);
    await pass(500);
    expect(replica.openDocuments).toBe(0);
    await pass(100);
    expect(counters).toMatchObject({ checkpoints: 1, envelopesPruned: 2 });
    await replica.close();
  });

  test("[CKP-9] builds when it closes, so that the next start has less to read", async () => {
    const { replica, store, write, counters } = await openTimed(new MemoryDisk());
    const document = await replica.acquire(notes);
    await write(document, 3);
    await replica.close();
    expect(counters).toMatchObject({ checkpoints: 1, envelopesPruned: 3 });
    expect(await store.readCheckpoints(document.entry.id)).toHaveLength(1);
  });

  test("[CKP-9] closes in time, whatever a build takes", async () => {
    const { replica, store, write, time, counters } = await openTimed(new MemoryDisk());
    const document = await replica.acquire(notes);
    await write(document, 3);
    let answer: ((result: FoldResult) => void) | undefined;
    const fold = vi.spyOn(folder, "fold");
    fold.mockReturnValueOnce(new Promise((resolve) => (answer = resolve)));
    const closed = replica.close();
    await vi.waitFor(() => expect(fold).toHaveBeenCalledTimes(1));
    time.advance(2_000);
    await closed;
    answer?.({ outcome: "failed", reason: "closed" });
    await settled();
    expect(counters.checkpoints).toBe(0);
    expect(await store.readCheckpoints(document.entry.id)).toEqual([]);
    fold.mockRestore();
  });

  test("[CKP-9] waits while something is parked, and not for ever", async () => {
    const { replica, write, pass, counters } = await openTimed(new MemoryDisk());
    const document = await replica.acquire(notes);
    expect(document.submit(characterOf(9, 3), {})).toBe("parked");
    await write(document, 8);
    await pass(30_000);
    expect(counters.checkpoints).toBe(0);
    await pass(40_000);
    expect(counters.checkpoints).toBe(1);
    expect(document.parking.count).toBe(1);
    await replica.close();
  });

  test("[CKP-9] says so when a build comes to nothing, and tries again when there is more", async () => {
    const { replica, write, pass, counters } = await openTimed(new MemoryDisk());
    const document = await replica.acquire(notes);
    const fold = vi.spyOn(folder, "fold");
    fold.mockResolvedValueOnce({ outcome: "failed", reason: "too slow" });
    await write(document, 4);
    await pass(2_000);
    expect(counters).toMatchObject({ checkpoints: 0, checkpointsRefused: 1 });
    await pass(60_000);
    expect(fold).toHaveBeenCalledTimes(1);
    await write(document, 4);
    await pass(2_000);
    expect(counters).toMatchObject({ checkpoints: 1, checkpointsRefused: 1, envelopesPruned: 8 });
    fold.mockRestore();
    await replica.close();
  });
});
