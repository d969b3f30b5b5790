import { MemoryDisk, type DocumentId } from "@heddle/core";
import { behindLetters, letters } from "@heddle/testkit";
import { expect, test } from "vitest";
import * as Y from "yjs";

import type { ApplyJudge, Trial, Verdict } from "./apply-judge.ts";
import { characterOf, deletesOf } from "./hostile.fixture.ts";
import { environment, notes, openReplica, settled, type OpenReplica } from "./replica.fixture.ts";
import type { ReplicaDocument } from "./replica-document.ts";

function shown(document: ReplicaDocument): Y.Doc {
  const doc = new Y.Doc();
  Y.applyUpdate(doc, document.encodeSince());
  expect([doc.store.pendingStructs, doc.store.pendingDs]).toEqual([null, null]);
  return doc;
}

function clockIn(document: ReplicaDocument, client: number): number {
  shown(document);
  return Y.decodeStateVector(document.encodeShownVector()).get(client) ?? 0;
}

function parkedIn({ store }: OpenReplica, document: DocumentId): Promise<number> {
  return store.readParked(document).then(({ length }) => length);
}

/** Answers when the test says so. */
class HeldJudge implements ApplyJudge {
  readonly trials: { trial: Trial; answer: (verdict: Verdict) => void }[] = [];
  judge(trial: Trial): Promise<Verdict> {
    return new Promise((answer) => this.trials.push({ trial, answer }));
  }
  async close(): Promise<void> {
    // Nothing to let go of.
  }
}

test("[DOC-6] a crash between two releases loses nothing: what was freed is freed again, and adds nothing", async () => {
  const disk = new MemoryDisk();
  const count = 300;
  const direct = Y.mergeUpdates([...letters(count), behindLetters(count)]);
  let open = await openReplica(disk);
  let document = await open.replica.acquire(notes);
  const { id } = document.entry;
  document.submit(behindLetters(count), {});
  for (const [index, letter] of letters(count).entries()) {
    document.submit(letter, {});
    if (index % 60 !== 59 || index === count - 1) continue;
    await document.whenSettled();
    // The record is on disk as it came, until the last of it is in the log.
    expect(await parkedIn(open, id)).toBe(1);
    disk.isLocked = false;
    open = await openReplica(disk);
    document = await open.replica.acquire(notes);
    await expect.poll(() => document.isQuiet).toBe(true);
    expect(clockIn(document, 9)).toBe(index + 1);
  }
  await document.whenSettled();
  expect([document.parking.count, await parkedIn(open, id)]).toEqual([0, 0]);
  const expected = new Y.Doc();
  Y.applyUpdate(expected, direct);
  expect(shown(document).getText("text").toString()).toBe(expected.getText("text").toString());
});

test("[DOC-6] what was freed just before a crash is released when the document is opened, without a word from anybody", async () => {
  const disk = new MemoryDisk();
  const { replica, store } = await openReplica(disk);
  const document = await replica.acquire(notes);
  const { id } = document.entry;
  document.submit(characterOf(7, 0), {});
  await document.whenSettled();
  const update = characterOf(7, 1);
  const parked = { id: "00".repeat(16), update, parkedAtMs: environment.clock.nowMs() };
  await store.append({ park: [{ document: id, update: parked }] });
  disk.isLocked = false;
  const again = await openReplica(disk);
  const reopened = await again.replica.acquire(notes);
  await expect.poll(() => clockIn(reopened, 7)).toBe(2);
  await reopened.whenSettled();
  expect(await parkedIn(again, id)).toBe(0);
});

test("[DOC-6] much that one letter frees is released in slices, between which the loop turns and others go on", async () => {
  const open = await openReplica(new MemoryDisk());
  const document = await open.replica.acquire(notes);
  const count = 400_000;
  document.submit(behindLetters(count), {});
  const whole = Object.assign(new Y.Doc(), { clientID: 7 });
  whole.getText("text").insert(0, "y".repeat(count));
  document.submit(Y.encodeStateAsUpdate(whole), {});
  const before = open.replica.counters.released;
  let turns = 0;
  while (!document.isQuiet) {
    turns++;
    await new Promise((resolve) => setImmediate(resolve));
  }
  // One slice is a few tens of thousands; each of them had its own turn of the loop, at least.
  expect(open.replica.counters.released - before).toBeGreaterThan(count / 40_000);
  expect(turns).toBeGreaterThan(count / 40_000);
  expect(document.parking.count).toBe(0);
  expect(document.encodeSince().length).toBeGreaterThan(count * 5);
}, 60_000);

test("[DOC-6] of an update that comes while parking is full, what fits is logged and only the rest refused", async () => {
  const open = await openReplica(new MemoryDisk(), { parking: { updatesMax: 1 } });
  const document = await open.replica.acquire(notes);
  document.submit(characterOf(5, 3), {});
  const mixed = Y.mergeUpdates([characterOf(6, 0, "fits"), characterOf(8, 3)]);
  expect(() => document.submit(mixed, {})).toThrow(
    expect.objectContaining({ code: "HEDDLE_RELAY_OVERLOADED" }),
  );
  await document.whenSettled();
  expect(shown(document).getText("text").toString()).toBe("fits");
  expect(open.replica.counters).toMatchObject({ admitted: 1, parked: 1, parkingRefused: 1 });
  expect(open.replica.counters.parkingFull.get("updatesMax")).toBe(1);
  expect(document.parking.count).toBe(1);
});

test("[DOC-6] a parked update counts as unsaved until it is on disk", async () => {
  const open = await openReplica(new MemoryDisk());
  const document = await open.replica.acquire(notes);
  const source = {};
  let isSaved = false;
  expect(document.submit(characterOf(5, 3), source)).toBe("parked");
  document.afterCommitOf(source, () => (isSaved = true));
  expect(isSaved).toBe(false);
  await document.whenSettled();
  expect([isSaved, await parkedIn(open, document.entry.id)]).toEqual([true, 1]);
});

test("[DOC-6] who is pushed out of a full parking is told, so that it comes again", async () => {
  const open = await openReplica(new MemoryDisk(), { parking: { updatesMax: 4 } });
  const document = await open.replica.acquire(notes);
  const told: string[] = [];
  const stranger = {
    address: "203.0.113.9",
    onEvicted: ({ code }: { code: string }) => told.push(code),
  };
  for (let client = 1; client <= 4; client++) document.submit(characterOf(client, 9), stranger);
  expect(document.submit(deletesOf(50, 9), { address: "198.51.100.7" })).toBe("parked");
  expect(told).toEqual(["HEDDLE_RELAY_OVERLOADED"]);
  await document.whenSettled();
  expect(await parkedIn(open, document.entry.id)).toBe(4);
  expect(open.replica.counters).toMatchObject({ parkingEvicted: 1, parkingRefused: 0 });
  // It is taken in like anything else when it comes again and fits.
  document.submit(characterOf(1, 0, "123456789"), {});
  expect(document.submit(characterOf(1, 9), stranger)).toBe("admitted");
});

test("[DOC-7] what is freed and not routine is tried first; what could not be tried is tried again", async () => {
  const judge = new HeldJudge();
  const open = await openReplica(new MemoryDisk(), { judge });
  const document = await open.replica.acquire(notes);
  // Parked as it is: nothing of it can be tried before something of it fits.
  document.submit(behindLetters(200), {});
  const text = characterOf(7, 0, "y".repeat(200));
  document.submit(text, {});
  await expect.poll(() => judge.trials.length).toBe(1);
  expect(clockIn(document, 9)).toBe(0);
  judge.trials[0]!.answer({ outcome: "overloaded" });
  await settled();
  expect(document.parking.count).toBe(1);
  // The next letter has it looked at again.
  document.submit(characterOf(30, 0), {});
  await expect.poll(() => judge.trials.length).toBe(2);
  judge.trials[1]!.answer({ outcome: "ok", stepMs: [1], depth: 1 });
  await expect.poll(() => document.parking.count).toBe(0);
  await document.whenSettled();
  expect(clockIn(document, 9)).toBe(200);
  expect(await parkedIn(open, document.entry.id)).toBe(0);
});

test("[DOC-8] what is freed and fails its trial goes to quarantine whole", async () => {
  const judge = new HeldJudge();
  const open = await openReplica(new MemoryDisk(), { judge });
  const document = await open.replica.acquire(notes);
  document.submit(behindLetters(200), {});
  document.submit(characterOf(7, 0, "y".repeat(100)), {});
  // However often it is tried until it is sure.
  const answered = new Set<Trial>();
  const answerAll = (): number => {
    for (const { trial, answer } of judge.trials) {
      if (answered.has(trial)) continue;
      answered.add(trial);
      answer({ outcome: "exception", reason: "it throws", step: 0, stepMs: [] });
    }
    return document.refused.quarantined;
  };
  await expect.poll(answerAll).toBe(1);
  await document.whenSettled();
  const { id } = document.entry;
  expect([document.parking.count, await parkedIn(open, id)]).toEqual([0, 0]);
  const [record] = await open.store.readQuarantine(id);
  expect(record?.update).toEqual(behindLetters(200));
});
