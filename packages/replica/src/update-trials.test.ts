import { MemoryDisk, type HeddleError } from "@heddle/core";
import { expect, test } from "vitest";
import * as Y from "yjs";

import type { ApplyJudge, Trial, Verdict } from "./apply-judge.ts";
import { characterOf, textOf } from "./hostile.fixture.ts";
import type { UpdateSource } from "./pending-updates.ts";
import { notes, openReplica, settled } from "./replica.fixture.ts";
import type { ReplicaDocument } from "./replica-document.ts";
import type { ReplicaOptions } from "./replica-options.ts";

/** Answers as it is told, one trial after the other, and remembers what it was asked. */
class ScriptedJudge implements ApplyJudge {
  readonly trials: Trial[] = [];
  readonly #verdicts: (Verdict | Promise<Verdict>)[];
  constructor(...verdicts: (Verdict | Promise<Verdict>)[]) {
    this.#verdicts = verdicts;
  }
  async judge(trial: Trial): Promise<Verdict> {
    this.trials.push(trial);
    return (await this.#verdicts.shift()) ?? passes;
  }
  async close(): Promise<void> {
    // Nothing to let go of.
  }
}

const passes: Verdict = { outcome: "ok", stepMs: [1], depth: 0 };

function fails(
  outcome: "timeout" | "memory" | "exception",
  step: number | undefined = undefined,
): Verdict {
  return { outcome, step, reason: "as the script says", stepMs: [] };
}

async function openDocument(judge: ApplyJudge, options: Partial<ReplicaOptions> = {}) {
  const opened = await openReplica(new MemoryDisk(), { judge, auditDelayMs: 60_000, ...options });
  return { ...opened, document: await opened.replica.acquire(notes) };
}

function judged(
  document: ReplicaDocument,
  update: Uint8Array,
  source: UpdateSource = {},
): Promise<HeddleError | undefined> {
  return new Promise((resolve) => {
    expect(document.submit(update, source, resolve)).toBe("judging");
  });
}

/** Two clients at once: tried first, and harmless. */
function twoClients(first = 50): Uint8Array {
  return Y.mergeUpdates([characterOf(first, 0, "ada"), characterOf(first + 1, 0, "bo")]);
}

function paste(client: number): Uint8Array {
  return characterOf(client, 0, "x".repeat(150_000));
}

/** One that comes when the test says so. */
function heldVerdict() {
  let answer!: (verdict: Verdict) => void;
  const verdict = new Promise<Verdict>((resolve) => {
    answer = resolve;
  });
  return { verdict, answer };
}

test("[DOC-13] a trial that failed is run once more, alone, before anybody is refused for good", async () => {
  const judge = new ScriptedJudge(fails("timeout", 0), passes);
  const { document, replica } = await openDocument(judge);
  expect(await judged(document, twoClients())).toBeUndefined();
  expect(replica.counters).toMatchObject({ quarantined: 0, admitted: 1 });
  const [first, second] = judge.trials;
  expect(first).toMatchObject({ urgency: "urgent" });
  expect(second).toMatchObject({ urgency: "bulk", alone: { share: 1 } });
  expect(second!.budgetMs).toBe(2 * first!.budgetMs);
});

test.each<[string, Verdict, Verdict]>([
  ["out of time", fails("timeout"), fails("timeout")],
  ["out of memory", fails("memory"), fails("memory")],
  ["out of memory in its own step", fails("memory", 0), fails("memory")],
  ["a document that Yjs cannot encode", fails("exception"), fails("exception")],
])("[DOC-13] %s, and so is the document alone: refused for now, not kept", async (_, own, base) => {
  const judge = new ScriptedJudge(own, own, base);
  const { document, replica, store } = await openDocument(judge);
  expect(await judged(document, twoClients())).toMatchObject({ code: "HEDDLE_RELAY_OVERLOADED" });
  expect(judge.trials[2]).toMatchObject({ steps: [], alone: { share: 0.5 } });
  expect(await store.readQuarantine(document.entry.id)).toEqual([]);
  expect(replica.counters.quarantined).toBe(0);
  // The same bytes are no outcasts: they are tried again when they come again.
  expect(await judged(document, twoClients())).toBeUndefined();
});

test.each<[string, Verdict[]]>([
  ["its own step is slow", [fails("timeout", 0), fails("timeout", 0)]],
  ["its own step throws", [fails("exception", 0), fails("exception", 0)]],
  ["only the whole fails, and not without it", [fails("memory"), fails("memory"), passes]],
])("[DOC-13] %s twice: that is the update, and it is kept in quarantine", async (_, verdicts) => {
  const { document, store } = await openDocument(new ScriptedJudge(...verdicts));
  expect(await judged(document, twoClients())).toMatchObject({ code: "HEDDLE_UPDATE_REFUSED" });
  expect(await store.readQuarantine(document.entry.id)).toHaveLength(1);
});

test("[DOC-12] what waits behind a trial is let go with its connection, and has cost no base", async () => {
  const { verdict: first, answer } = heldVerdict();
  const judge = new ScriptedJudge(first);
  const { document, replica } = await openDocument(judge);
  const gone: UpdateSource = {};
  const running = judged(document, twoClients(10));
  document.submit(twoClients(20), gone, () => expect.unreachable("nobody is there to be told"));
  const waiting = judged(document, twoClients(30));
  expect(judge.trials).toHaveLength(1);
  document.withdraw(gone);
  answer(passes);
  expect(await running).toBeUndefined();
  expect(await waiting).toBeUndefined();
  expect(replica.counters).toMatchObject({ trialsWithdrawn: 1, judged: 3, admitted: 2 });
  await expect.poll(() => replica.trialBytes).toBe(0);
});

test("[DOC-12] over the budget of bytes the sender is told to come back, and it is counted", async () => {
  const judge = new ScriptedJudge(new Promise(() => undefined));
  const { document, replica } = await openDocument(judge, { trialBytesMax: 400_000 });
  const sources = ["1", "2", "3"].map((address) => ({ address }));
  for (const [index, source] of sources.slice(0, 2).entries()) {
    expect(document.submit(paste(index + 1), source)).toBe("judging");
  }
  expect(() => document.submit(paste(3), sources[2]!)).toThrow(/wait for their trial/);
  expect(replica.counters).toMatchObject({ judged: 2, trialsRefused: 1 });
  expect(replica.trialBytes).toBeLessThan(400_000);
});

test("a document goes on from its last trial; what is new since is all that is handed over", async () => {
  const judge = new ScriptedJudge();
  const { document } = await openDocument(judge);
  expect(await judged(document, textOf("x".repeat(100_000)))).toBeUndefined();
  document.submit(characterOf(8), {});
  await settled();
  expect(await judged(document, twoClients())).toBeUndefined();
  const [first, second] = judge.trials;
  expect(second!.version!.from).toBe(first!.version!.to);
  const bytes = second!.base!.reduce((sum, { length }) => sum + length, 0);
  expect(bytes).toBeLessThan(100);
  const onTop = new Y.Doc();
  for (const update of [...first!.base!, ...first!.steps, ...second!.base!, ...second!.steps]) {
    Y.applyUpdate(onTop, update);
  }
  await settled();
  const whole = new Y.Doc();
  Y.applyUpdate(whole, document.encodeSince());
  expect(onTop.getText("text").toString()).toBe(whole.getText("text").toString());
});

test("a judge that has forgotten the document is given all of it", async () => {
  const judge = new ScriptedJudge(passes, { outcome: "unknown-base" }, passes);
  const { document } = await openDocument(judge);
  await judged(document, textOf("x".repeat(100_000)));
  await settled();
  expect(await judged(document, twoClients())).toBeUndefined();
  expect(judge.trials[2]!.version!.from).toBeUndefined();
  expect(judge.trials[2]!.base![0]!.length).toBeGreaterThan(100_000);
});

test("[DOC-14] a document that is full takes no more content, says so, and can be made smaller", async () => {
  const { document, replica } = await openDocument(new ScriptedJudge(), {
    documentBytesMax: 30_000,
  });
  const author = new Y.Doc();
  const text = author.getText("text");
  const updates: Uint8Array[] = [];
  author.on("update", (update: Uint8Array) => updates.push(update));
  text.insert(0, "x".repeat(20_000));
  document.submit(updates[0]!, {});
  await settled();
  text.insert(0, "y".repeat(20_000));
  expect(() => document.submit(updates[1]!, {})).toThrow(/more than 30000 bytes/);
  // Letters that are joined cost a byte each, whatever the updates that brought them.
  const other = new Y.Doc();
  Y.applyUpdate(other, updates[0]!);
  other.on("update", (update: Uint8Array) => document.submit(update, {}));
  for (let index = 0; index < 1_000; index++) {
    other.getText("text").insert(20_000 + index, "z");
    if (index % 100 === 0) await settled();
  }
  await document.whenSettled();
  const before = document.encodeSince().length;
  expect(before).toBeGreaterThan(21_000);
  other.getText("text").delete(0, 10_000);
  await document.whenSettled();
  expect(document.encodeSince().length).toBeGreaterThan(before);
  expect(replica.counters.documentsFull).toBe(1);
});

test("[DOC-14] what passed as long as there was room is looked at again after its trial waited", async () => {
  const { verdict: first, answer } = heldVerdict();
  const { document } = await openDocument(new ScriptedJudge(first), { documentBytesMax: 150_000 });
  const running = judged(document, characterOf(1, 0, "x".repeat(100_000)));
  const waiting = judged(document, characterOf(2, 0, "y".repeat(100_000)));
  answer(passes);
  expect(await running).toBeUndefined();
  expect(await waiting).toMatchObject({ code: "HEDDLE_DOCUMENT_TOO_LARGE" });
});
