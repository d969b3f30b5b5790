import { MemoryDisk, type HeddleError } from "@heddle/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as Y from "yjs";

import type { ApplyJudge, Trial, Verdict } from "./apply-judge.ts";
import { characterOf, rightOriginFan, subdocumentWithoutGuid, textOf } from "./hostile.fixture.ts";
import { quarantineCountMax } from "./quarantine.ts";
import { environment, notes, openReplica, settled, signer } from "./replica.fixture.ts";
import type { ReplicaDocument } from "./replica-document.ts";
import { Replica } from "./replica.ts";
import { ProcessJudge } from "./node-process-judge.ts";

function judged(document: ReplicaDocument, update: Uint8Array): Promise<HeddleError | undefined> {
  return new Promise((resolve) => {
    expect(document.submit(update, {}, resolve)).toBe("judging");
  });
}

function textIn(document: ReplicaDocument): string {
  const doc = new Y.Doc();
  Y.applyUpdate(doc, document.encodeSince());
  return doc.getText("text").toString();
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

/** Two clients at once: tried first, and harmless. */
function twoClients(): Uint8Array {
  return Y.mergeUpdates([characterOf(50, 0, "ada"), characterOf(51, 0, "bo")]);
}

describe("[DOC-7] what could harm is tried before it is logged or shown", () => {
  let judge: ProcessJudge;
  beforeAll(() => {
    judge = new ProcessJudge();
  });
  afterAll(() => judge.close());

  test("a slow update and one that Yjs fails on are refused; the document works on", async () => {
    const disk = new MemoryDisk();
    const { replica, store } = await openReplica(disk, { judge });
    const document = await replica.acquire(notes);
    document.submit(textOf("hello"), {});
    expect(await judged(document, rightOriginFan(12_000))).toMatchObject({
      code: "HEDDLE_UPDATE_REFUSED",
    });
    expect(await judged(document, subdocumentWithoutGuid())).toMatchObject({
      code: "HEDDLE_UPDATE_REFUSED",
    });
    expect(textIn(document)).toBe("hello");
    const kept = await store.readQuarantine(document.entry.id);
    const reasons = kept.map(({ reason }) => reason.split(":")[0]);
    expect(reasons.toSorted()).toEqual(["exception", "timeout"]);
    expect(replica.counters).toMatchObject({ judged: 2, quarantined: 2 });
  });

  test("a large honest update passes, and is shown whole", async () => {
    const { replica } = await openReplica(new MemoryDisk(), { judge });
    const document = await replica.acquire(notes);
    expect(await judged(document, textOf("x".repeat(1_000_000)))).toBeUndefined();
    await settled();
    expect(textIn(document)).toHaveLength(1_000_000);
  });

  test("[DOC-8] what is in quarantine is refused at once when it comes again, also after a restart", async () => {
    const disk = new MemoryDisk();
    const bad = subdocumentWithoutGuid();
    {
      const { replica, store } = await openReplica(disk, { judge });
      const document = await replica.acquire(notes);
      await judged(document, bad);
      expect(() => document.submit(bad, {})).toThrow(/quarantine/);
      await replica.close();
      await store.close();
    }
    const { replica } = await openReplica(disk, { judge });
    const document = await replica.acquire(notes);
    expect(() => document.submit(bad, {})).toThrow(/quarantine/);
    expect(replica.counters.judged).toBe(0);
  });

  test("what was parked is tried when it is released, and stays away when it fails", async () => {
    const disk = new MemoryDisk();
    const { replica, store } = await openReplica(disk, { judge });
    const document = await replica.acquire(notes);
    const doc = new Y.Doc();
    doc.clientID = 7;
    doc.getText("text").insert(0, "first");
    const first = Y.encodeStateAsUpdate(doc);
    const early = subdocumentWithoutGuid();
    early[3] = 5; // Its clock: behind the five characters that have not come yet.
    expect(document.submit(early, {})).toBe("parked");
    await settled();
    expect(document.submit(first, {})).toBe("admitted");
    await expect.poll(() => replica.counters.quarantined, { timeout: 30_000 }).toBe(1);
    await settled();
    expect(textIn(document)).toBe("first");
    expect(await store.readParked(document.entry.id)).toEqual([]);
    expect(await store.readQuarantine(document.entry.id)).toHaveLength(1);
  });
});

describe("[DOC-7] while an update is tried", () => {
  test("it is not known, and others go on; then it is admitted against what is known by then", async () => {
    const judge = new HeldJudge();
    const { replica } = await openReplica(new MemoryDisk(), { judge });
    const document = await replica.acquire(notes);
    const verdict = judged(document, twoClients());
    expect(document.encodeStateVector()).toEqual(Uint8Array.of(0));
    // Somebody else brings one of the two meanwhile: what is left of the update is routine.
    expect(document.submit(characterOf(50, 0, "ada"), {})).toBe("admitted");
    judge.trials[0]!.answer({ outcome: "ok", stepMs: [1], depth: 0 });
    expect(await verdict).toBeUndefined();
    await settled();
    expect(judge.trials).toHaveLength(1);
    expect([...textIn(document)].toSorted().join("")).toBe([..."adabo"].toSorted().join(""));
    expect(replica.counters).toMatchObject({ judged: 1, admitted: 2 });
  });

  test("what would be logged has changed and is no routine: it is tried again", async () => {
    const judge = new HeldJudge();
    const { replica } = await openReplica(new MemoryDisk(), { judge });
    const document = await replica.acquire(notes);
    const verdict = judged(document, Y.mergeUpdates([twoClients(), characterOf(52)]));
    document.submit(characterOf(52), {});
    judge.trials[0]!.answer({ outcome: "ok", stepMs: [1], depth: 0 });
    await expect.poll(() => judge.trials.length).toBe(2);
    judge.trials[1]!.answer({ outcome: "ok", stepMs: [1], depth: 0 });
    expect(await verdict).toBeUndefined();
  });

  test("a judge with too much to do is nobody's fault: the sender comes back", async () => {
    const judge = new HeldJudge();
    const { replica, store } = await openReplica(new MemoryDisk(), { judge });
    const document = await replica.acquire(notes);
    const verdict = judged(document, twoClients());
    judge.trials[0]!.answer({ outcome: "overloaded" });
    expect(await verdict).toMatchObject({ code: "HEDDLE_RELAY_OVERLOADED" });
    expect(await store.readQuarantine(document.entry.id)).toEqual([]);
  });

  test("[DOC-8] a full quarantine drops bytes, never the note that they were refused", async () => {
    const judge: ApplyJudge = {
      judge: async () => ({ outcome: "exception", reason: "odd", step: 0, stepMs: [] }),
      close: async () => undefined,
    };
    const { replica, store } = await openReplica(new MemoryDisk(), { judge });
    const document = await replica.acquire(notes);
    for (let client = 1; client <= quarantineCountMax + 3; client++) {
      const refusal = await judged(document, subdocumentWithoutGuid(client));
      expect(refusal).toMatchObject({ code: "HEDDLE_UPDATE_REFUSED" });
    }
    const kept = await store.readQuarantine(document.entry.id);
    expect(kept).toHaveLength(quarantineCountMax + 3);
    expect(kept.filter(({ update }) => update !== undefined)).toHaveLength(quarantineCountMax);
    // Of the others only the bytes are gone: what they were, and that they are refused, is on disk.
    const note = kept.find(({ update }) => update === undefined)!;
    expect(note).toMatchObject({
      size: subdocumentWithoutGuid(300).length,
      reason: "exception: odd",
    });
    expect(replica.counters.quarantineOverflow).toBe(3);
    const last = subdocumentWithoutGuid(quarantineCountMax + 3);
    await replica.close();
    const reopened = await Replica.open({ store, environment, signer, engine: "test", judge });
    const again = await reopened.acquire(notes);
    expect(() => again.submit(last, {})).toThrow(/quarantine/);
  });
});
