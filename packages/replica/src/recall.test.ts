import { MemoryDisk, toHex, type LogFields, type Logger } from "@heddle/core";
import { afterEach, expect, test } from "vitest";
import * as Y from "yjs";

import type { ApplyJudge } from "./apply-judge.ts";
import { auditAfter } from "./audit-tail.ts";
import { attacker, characterOf, nestedArrays, slowInsertions } from "./hostile.fixture.ts";
import type { LogTrials } from "./log-trials.ts";
import { environment, notes, openReplica, settled } from "./replica.fixture.ts";
import type { UpdateSource } from "./pending-updates.ts";
import type { ReplicaDocument } from "./replica-document.ts";
import { ProcessJudge } from "./node-process-judge.ts";
import { walkLog } from "./walk-log.ts";

const wait = { timeout: 60_000 };
let judge: ProcessJudge;
afterEach(() => judge.close());

function load(document: ReplicaDocument): Y.Doc {
  const doc = new Y.Doc();
  Y.applyUpdate(doc, document.encodeSince());
  expect(doc.store.pendingStructs).toBeNull();
  return doc;
}

/** Submits and waits until each is an envelope of its own. */
async function logEach(
  document: ReplicaDocument,
  updates: readonly Uint8Array[],
  source: UpdateSource = {},
): Promise<void> {
  for (const update of updates) {
    document.submit(update, source);
    await document.whenSettled();
  }
}

/** Rounds of an honest writer, enough to make an audit due. */
function writing(rounds: number): { doc: Y.Doc; updates: Uint8Array[] } {
  const doc = new Y.Doc();
  const updates: Uint8Array[] = [];
  doc.on("update", (update: Uint8Array) => updates.push(update));
  for (let round = 0; round < rounds; round++) doc.getText("text").insert(0, `${round % 10}`);
  return { doc, updates };
}

test(
  "[DOC-9][OBS-1] routine updates that together break the document are recalled by hash",
  { timeout: 90_000 },
  async () => {
    judge = new ProcessJudge();
    const disk = new MemoryDisk();
    const lines: unknown[] = [];
    const warn = (event: string, fields?: LogFields): void => void lines.push({ event, ...fields });
    const logger: Logger = { ...environment.logger, warn };
    const { replica, store } = await openReplica(disk, {
      judge,
      auditDelayMs: 1,
      environment: { ...environment, logger },
    });
    const document = await replica.acquire(notes);
    let reset: string | undefined;
    document.subscribe({
      onCommit: () => undefined,
      onReset: ({ code }) => {
        reset = code;
      },
    });
    // Each nests 60 levels deeper: harmless alone, and the fifth is one too many.
    const nested = nestedArrays(60, 8);
    const { doc, updates } = writing(auditAfter.envelopes - nested.length);
    await logEach(document, updates);
    const said = { correlationId: Uint8Array.of(7, 8), reason: Uint8Array.of(111, 107) };
    await logEach(document, nested, said);
    await expect.poll(() => reset, wait).toBe("HEDDLE_DOCUMENT_RESET");

    const recalls = await store.readRecalls(document.entry.id);
    // The fifth and all that the same client built on it; the first four are left to it.
    const why = expect.stringMatching(/nested too deep; source client/);
    expect(recalls.map(({ reason }) => reason)).toEqual(nested.slice(4).map(() => why));
    expect(recalls[0]).toMatchObject({
      correlationId: said.correlationId,
      editReason: said.reason,
    });
    const line = { event: "envelope.recalled", correlationId: "0708", editReason: "ok" };
    for (const { id } of recalls) {
      expect(lines).toContainEqual(expect.objectContaining({ ...line, envelope: id }));
    }
    const again = await replica.acquire(notes);
    expect(again).not.toBe(document);
    expect(again.refused.held).toBe(nested.length - 4);
    const loaded = load(again);
    expect(loaded.getText("text").toString()).toBe(doc.getText("text").toString());

    // A client that has the recalled part sends it again with everything else, in all honesty.
    for (const update of nested) Y.applyUpdate(doc, update);
    const before = Y.encodeStateVector(load(again));
    expect(again.submit(Y.encodeStateAsUpdate(doc, before), {})).toBe("held");
    doc.getText("text").insert(0, "more ");
    expect(again.submit(Y.encodeStateAsUpdate(doc, before), {})).toBe("admitted");
    const asked = Y.diffUpdate(Y.encodeStateAsUpdate(doc), again.encodeStateVector());
    expect(again.submit(asked, {})).toBe("duplicate");
    await settled();
    expect(load(again).getText("text").toString()).toBe(doc.getText("text").toString());
    await replica.close();
    await store.close();

    const reopened = await openReplica(disk, { judge });
    const late = await reopened.replica.acquire(notes);
    expect(load(late).getText("text").toString()).toBe(doc.getText("text").toString());
    expect(late.refused.held).toBe(nested.length - 4);
  },
);

test("[DOC-9] routine updates that are slow together are recalled, and honest ones between them are not", async () => {
  judge = new ProcessJudge();
  const disk = new MemoryDisk();
  // A tenth of what an audit may take otherwise, and an attack to match: the search tries it a dozen times.
  const auditBudget = { baseMs: 50, perKibMs: 0.5 };
  const { replica, store } = await openReplica(disk, { judge, auditDelayMs: 1, auditBudget });
  let document = await replica.acquire(notes);
  const { doc, updates: honest } = writing(50);
  const insertions = 6_400;
  const attack = slowInsertions(insertions, 64);
  for (const [index, update] of attack.entries()) {
    for (const each of [update, honest[index % 2 === 0 ? index / 2 : -1]]) {
      if (each === undefined) continue;
      document = await replica.acquire(notes);
      await logEach(document, [each]);
    }
    // Somebody types; nobody sends all of it within one turn of the loop.
    await settled();
  }
  await expect.poll(() => replica.counters.recalled, { timeout: 90_000 }).toBeGreaterThan(0);
  await replica.close();
  await store.close();
  const reopened = await openReplica(disk, { judge });
  const loaded = load(await reopened.replica.acquire(notes));
  const honestIds = [...Y.decodeStateVector(Y.encodeStateVector(doc))];
  const held = Y.decodeStateVector(Y.encodeStateVector(loaded));
  for (const [client, clock] of honestIds) expect(held.get(client)).toBe(clock);
  expect(held.get(attacker)).toBeLessThan(2 * insertions);
}, 180_000);

test("[DOC-9] what builds on a recalled part is kept and counted as held, and shown once that is released", async () => {
  judge = new ProcessJudge();
  const disk = new MemoryDisk();
  const { updates } = writing(2);
  const first = await openReplica(disk);
  const before = await first.replica.acquire(notes);
  await logEach(before, [characterOf(7), ...updates]);
  const { id } = before.entry;
  const stored = await first.store.readDocument(id);
  const { hash } = environment;
  for await (const envelope of walkLog({
    store: first.store,
    hash,
    document: stored!,
    positions: new Map(),
  })) {
    const { lane, seq } = envelope;
    const note = { reason: "timeout: odd", validatorVersion: 1, atMs: 1 };
    const recalled = { id: toHex(envelope.id), lane, seq, ...note };
    if (seq === 1) await first.store.append({ recall: [{ document: id, envelope: recalled }] });
  }
  await first.replica.close();
  await first.store.close();

  const second = await openReplica(disk);
  const document = await second.replica.acquire(notes);
  const next = characterOf(7, 1, "z");
  expect(document.submit(next, {})).toBe("held");
  expect(document.submit(next, {})).toBe("held");
  expect(document.submit(characterOf(7), {})).toBe("held");
  expect(document.submit(updates[0]!, {})).toBe("duplicate");
  await settled();
  expect(second.replica.counters).toMatchObject({ held: 3, parked: 0, duplicate: 1 });
  expect(load(document).getText("text").toString()).toBe("10");
  const [recall] = await second.store.readRecalls(id);
  const release = { atMs: 2, by: "ada" };
  await second.store.append({ recall: [{ document: id, envelope: { ...recall!, release } }] });
  await second.replica.close();
  await second.store.close();

  const { replica } = await openReplica(disk);
  const released = await replica.acquire(notes);
  expect(released.submit(characterOf(8, 0, "!"), {})).toBe("admitted");
  await settled();
  expect([...load(released).getText("text").toString()].toSorted().join("")).toBe("!01yz");
});

test("[DOC-9] a document that fails with nobody to blame is suspended: served as it is, looked at again", async () => {
  let searches = 0;
  const trials: LogTrials = {
    add: async () => undefined,
    sources: async () => [],
    attempt: async () => ({ outcome: "timeout", reason: "late", place: undefined }),
    close: async () => {
      searches++;
    },
  };
  const failed = { outcome: "timeout", reason: "late", step: 0, stepMs: [] } as const;
  const fake: ApplyJudge = {
    judge: async () => failed,
    openLog: () => trials,
    close: async () => undefined,
  };
  judge = new ProcessJudge();
  const disk = new MemoryDisk();
  const { replica, store } = await openReplica(disk, { judge: fake, auditDelayMs: 1 });
  const document = await replica.acquire(notes);
  const { doc, updates } = writing(2 * auditAfter.envelopes);
  await logEach(document, updates.slice(0, auditAfter.envelopes));
  await expect.poll(() => replica.suspendedDocuments, wait).toBe(1);
  expect(searches).toBe(1);
  await logEach(document, updates.slice(auditAfter.envelopes));
  // Not at once: a minute later, and ever more seldom.
  expect(replica.counters).toMatchObject({ audits: 1, recalled: 0 });
  expect(load(document).getText("text").toString()).toBe(doc.getText("text").toString());
  expect(await store.readRecalls(document.entry.id)).toEqual([]);
  await replica.close();
});

test("[DOC-9] an honest document is audited and left alone", async () => {
  judge = new ProcessJudge();
  const { replica, store } = await openReplica(new MemoryDisk(), { judge, auditDelayMs: 1 });
  const document = await replica.acquire(notes);
  const { doc, updates } = writing(2 * auditAfter.envelopes + 10);
  await logEach(document, updates);
  await expect.poll(() => replica.counters.audits, wait).toBeGreaterThanOrEqual(1);
  expect(await store.readRecalls(document.entry.id)).toEqual([]);
  expect(load(document).getText("text").toString()).toBe(doc.getText("text").toString());
});

test("[DOC-9] two updates that are no valid update together are sealed apart", async () => {
  judge = new ProcessJudge();
  const disk = new MemoryDisk();
  const { replica, store } = await openReplica(disk, { judge });
  const document = await replica.acquire(notes);
  // The second one names as its parent a character that the first one holds.
  document.submit(characterOf(7), {});
  document.submit(Uint8Array.of(1, 1, 7, 1, 4, 0, 7, 0, 1, 0x79, 0), {});
  // 300 lists, each in the one before: more in one envelope than one update may hold.
  for (const update of nestedArrays(1, 300)) document.submit(update, {});
  await settled();
  await replica.close();
  await store.close();
  const reopened = await openReplica(disk, { judge });
  expect(
    load(await reopened.replica.acquire(notes))
      .getText("text")
      .toString(),
  ).toBe("y");
});

test("[DOC-9] two pastes at once that are too large for one envelope become two", async () => {
  judge = new ProcessJudge();
  const { replica } = await openReplica(new MemoryDisk());
  const document = await replica.acquire(notes);
  const half = "x".repeat(9 * 1024 * 1024);
  document.submit(characterOf(7, 0, half), {});
  document.submit(characterOf(8, 0, half), {});
  await settled();
  await expect.poll(() => replica.counters.envelopes, wait).toBe(2);
});
