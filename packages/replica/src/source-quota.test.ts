import { HeddleError, HeddleErrorCode, MemoryDisk } from "@heddle/core";
import { expect, test } from "vitest";
import * as Y from "yjs";

import type { ApplyJudge, Verdict } from "./apply-judge.ts";
import { characterOf, textOf } from "./hostile.fixture.ts";
import type { SourceQuota } from "./pending-updates.ts";
import { notes, openReplica } from "./replica.fixture.ts";

// Goal: a source is asked before it costs anything, and told what it is charged for.
// Method: one that writes down what it is asked and told.

class Watched implements SourceQuota {
  readonly heard: string[] = [];
  isWelcome = true;
  isAffordable = true;

  assertAffordable({ clientsClaimed }: { clientsClaimed: number }): void {
    this.heard.push(`claims ${clientsClaimed}`);
    if (!this.isAffordable) throw new HeddleError(HeddleErrorCode.relayQuota, "no room");
  }

  assertWelcome({ newClients }: { newClients: number }): void {
    this.heard.push(`asks ${newClients}`);
    if (!this.isWelcome) throw new HeddleError(HeddleErrorCode.relayQuota, "no room");
  }

  onTaken({ newClients, isFirst }: { newClients: number; isFirst: boolean }): void {
    this.heard.push(`${isFirst ? "first" : "taken"} ${newClients}`);
  }

  onCreation(stage: string): void {
    this.heard.push(stage);
  }

  take(): string[] {
    return this.heard.splice(0);
  }
}

class HeldJudge implements ApplyJudge {
  readonly answers: ((verdict: Verdict) => void)[] = [];
  judge(): Promise<Verdict> {
    return new Promise((answer) => this.answers.push(answer));
  }
  async close(): Promise<void> {
    // Nothing to let go of.
  }
}

const twoClients = Y.mergeUpdates([characterOf(50, 0, "ada"), characterOf(51, 0, "bo")]);

test("[RLY-16] who writes first creates the document, when it is on disk", async () => {
  const { replica } = await openReplica(new MemoryDisk());
  const document = await replica.acquire(notes);
  const [ada, bo] = [new Watched(), new Watched()];
  const one = textOf("one");
  document.submit(one, ada);
  document.submit(characterOf(50), bo);
  expect(ada.take()).toEqual(["claims 1", "asks 1", "first 1", "begun"]);
  expect(bo.take()).toEqual(["claims 1", "asks 1", "taken 1"]);
  await document.whenSettled();
  expect([ada.take(), bo.take()]).toEqual([["durable"], []]);
  document.submit(one, ada);
  expect(ada.take()).toEqual(["claims 1"]);
});

test("[RLY-16] an update that is no use is not read where there is no room for it", async () => {
  const { replica } = await openReplica(new MemoryDisk());
  const document = await replica.acquire(notes);
  const source = new Watched();
  source.isAffordable = false;
  // Not an update at all, which nobody finds out.
  const code = expect.objectContaining({ code: "HEDDLE_RELAY_QUOTA" });
  expect(() => document.submit(Uint8Array.of(1, 9, 9, 9, 9), source)).toThrow(code);
  expect(source.take()).toEqual(["claims 1"]);
});

test("[RLY-16] what is tried is charged when it passed, and asked for again", async () => {
  const judge = new HeldJudge();
  const { replica } = await openReplica(new MemoryDisk(), { judge });
  const document = await replica.acquire(notes);
  const source = new Watched();
  const submit = (update: Uint8Array): Promise<HeddleError | undefined> =>
    new Promise((resolve) => {
      expect(document.submit(update, source, resolve)).toBe("judging");
    });
  const first = submit(twoClients);
  expect(source.take()).toEqual(["claims 2", "asks 2"]);
  source.isWelcome = false;
  judge.answers[0]!({ outcome: "ok", stepMs: [1], depth: 0 });
  expect(await first).toMatchObject({ code: "HEDDLE_RELAY_QUOTA" });
  expect(source.take()).toEqual(["asks 2"]);
  source.isWelcome = true;
  const second = submit(twoClients);
  await expect.poll(() => judge.answers.length).toBe(2);
  judge.answers[1]!({ outcome: "ok", stepMs: [1], depth: 0 });
  expect(await second).toBeUndefined();
  await document.whenSettled();
  const taken = ["claims 2", "asks 2", "asks 2", "first 2", "begun", "durable"];
  expect(source.take()).toEqual(taken);
});

test("[RLY-16] what is parked is charged once, however often it is sent", async () => {
  const { replica } = await openReplica(new MemoryDisk());
  const document = await replica.acquire(notes);
  const source = new Watched();
  const author = Object.assign(new Y.Doc(), { clientID: 7 });
  const updates: Uint8Array[] = [];
  author.on("update", (update: Uint8Array) => updates.push(update));
  author.getText("text").insert(0, "one ");
  author.getText("text").insert(4, "two");
  for (let count = 0; count < 3; count++) {
    expect(document.submit(updates[1]!, source)).toBe("parked");
  }
  expect(source.take().filter((said) => !/claims|asks/.test(said))).toEqual(["first 1", "begun"]);
  await document.whenSettled();
  expect(source.take()).toEqual(["durable"]);
});

test("[RLY-16] a document that the disk refused was not created", async () => {
  const { replica } = await openReplica(new MemoryDisk());
  const document = await replica.acquire(notes);
  const source = new Watched();
  document.submit(textOf("one"), source);
  document.reset(new HeddleError(HeddleErrorCode.storageFull, "the disk is full"));
  expect(source.take().at(-1)).toBe("failed");
});
