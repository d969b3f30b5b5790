import { EnvelopeFlag, HeddleError, HeddleErrorCode, type LogStoreState } from "@heddle/core";
import { describe, expect, test } from "vitest";
import * as Y from "yjs";

import type { ApplyJudge, Verdict } from "../apply-judge.ts";
import { characterOf } from "../hostile.fixture.ts";
import { notes } from "../replica.fixture.ts";
import type { RefusedEvent, ResetEvent } from "./live-events.ts";
import { envelopesOn, gate, onDisk, openLive, textOnDisk } from "./live.fixture.ts";

/** Generous: a loaded machine is not a failure. */
const wait = { timeout: 30_000 };

function textOf(ydoc: Y.Doc): string {
  return ydoc.getText("text").toJSON();
}

function ioError(): HeddleError {
  return new HeddleError(HeddleErrorCode.storageIo, "the disk refuses");
}

describe("saved", () => {
  test("[LIV-3] edits made before the log is open count, and are saved with what it brings", async () => {
    const first = await openLive();
    const before = first.live();
    before.ydoc.getText("text").insert(0, "stored");
    await before.close();
    await first.replica.close();
    await first.store.close();

    const { live, disk } = await openLive({}, first.disk);
    const again = live();
    again.ydoc.getText("text").insert(0, "early ");
    expect(again.status).toEqual({ state: "loading", unsaved: 1, generation: 0, error: undefined });
    await again.whenLoaded();
    expect(textOf(again.ydoc)).toContain("stored");
    await again.whenSaved();
    expect(again.status).toMatchObject({ state: "saved", unsaved: 0 });
    expect(textOnDisk(disk)).toBe(textOf(again.ydoc));
    await again.close();
  });

  test("[LIV-6] is said when the disk has it, and not before", async () => {
    const { live, store, disk } = await openLive();
    const document = live();
    await document.whenLoaded();
    expect(document.status.state).toBe("saved");
    const writes = gate(store);
    writes.hold();
    document.ydoc.getText("text").insert(0, "a");
    document.ydoc.getText("text").insert(1, "b");
    expect(document.status).toMatchObject({ state: "saving", unsaved: 2 });
    let isSaved = false;
    const saved = document.whenSaved().then(() => (isSaved = true));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(isSaved).toBe(false);
    expect(document.status).toMatchObject({ state: "saving", unsaved: 2 });
    expect(textOnDisk(disk)).toBe("");
    writes.open();
    await saved;
    expect(textOnDisk(disk)).toBe("ab");
    expect(document.status).toMatchObject({ state: "saved", unsaved: 0 });
    await document.close();
  });

  test("[LIV-1] a window ends by itself, and each is one envelope that no gateway vouches for", async () => {
    const { live, disk } = await openLive();
    const document = live();
    await document.whenLoaded();
    const text = document.ydoc.getText("text");
    for (const letter of "several edits") text.insert(text.length, letter);
    await expect.poll(() => document.status.state, wait).toBe("saved");
    expect(envelopesOn(disk).map(({ flags, principal }) => [flags, principal])).toEqual([
      [0, undefined],
    ]);
    await document.close();
  });

  test("[LIV-6] closing waits for it, and says so when it cannot be", async () => {
    const { live, store, disk } = await openLive();
    const document = live();
    document.ydoc.getText("text").insert(0, "to the end");
    await document.close();
    expect(textOnDisk(disk)).toBe("to the end");
    expect(document.status.state).toBe("closed");

    const other = live();
    await other.whenLoaded();
    gate(store).failWith = ioError();
    other.ydoc.getText("text").insert(0, "lost ");
    await expect(other.close()).rejects.toMatchObject({ code: HeddleErrorCode.storageIo });
    expect(other.status).toMatchObject({ state: "closed", unsaved: 1 });
  });

  test("[LIV-6] a replica that is closed under its documents fails them", async () => {
    const { live, replica } = await openLive();
    const document = live();
    await document.whenLoaded();
    await replica.close();
    document.ydoc.getText("text").insert(0, "too late");
    expect(document.status.state).toBe("failed");
    const { storageClosed: code } = HeddleErrorCode;
    await expect(document.whenSaved()).rejects.toMatchObject({ code });
    await expect(document.close()).rejects.toMatchObject({ code });
  });
});

describe("documents of one name", () => {
  test("[LIV-2] share the log of their replica, and show each other what is on disk", async () => {
    const { live, disk } = await openLive();
    const [a, b] = [live(), live()];
    await Promise.all([a.whenLoaded(), b.whenLoaded()]);
    expect(a.ydoc.clientID).not.toBe(b.ydoc.clientID);
    a.ydoc.getText("text").insert(0, "from a ");
    b.ydoc.getText("text").insert(0, "from b ");
    await expect.poll(() => textOf(a.ydoc).length, wait).toBe(14);
    await expect.poll(() => textOf(b.ydoc), wait).toBe(textOf(a.ydoc));
    expect(textOnDisk(disk)).toBe(textOf(a.ydoc));
    await Promise.all([a.close(), b.close()]);
  });

  test("[RLY-6] a caret is passed on when what it points at is on disk", async () => {
    const { live, store } = await openLive();
    const [a, b] = [live(), live()];
    await Promise.all([a.whenLoaded(), b.whenLoaded()]);
    a.on("presence", (update) => {
      expect(textOf(b.ydoc)).toBe("word");
      b.applyPresence(update);
    });
    const writes = gate(store);
    writes.hold();
    a.ydoc.getText("text").insert(0, "word");
    a.awareness.setLocalState({ caret: 4 });
    a.flush();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([...b.awareness.getStates().values()]).not.toContainEqual({ caret: 4 });
    writes.open();
    const states = (): unknown[] => [...b.awareness.getStates().values()];
    await expect.poll(states, wait).toContainEqual({ caret: 4 });
    await Promise.all([a.close(), b.close()]);
  });
});

describe("what is written about edits", () => {
  test("[LIV-5] reason and correlation id travel in an envelope of their own", async () => {
    const { live, disk } = await openLive();
    const document = live();
    await document.whenLoaded();
    const text = document.ydoc.getText("text");
    const origins: unknown[] = [];
    document.ydoc.on("afterTransaction", ({ origin }) => origins.push(origin));
    const correlationId = Uint8Array.of(1, 2, 3);
    text.insert(0, "plain ");
    document.transact(() => text.insert(0, "fixed "), { reason: "fix", correlationId });
    document.transact(() => text.insert(0, "tagged "), { reason: "tag", origin: "editor" });
    document.transact(() => text.insert(0, "bare "));
    await document.whenSaved();
    const about = envelopesOn(disk).map(({ reason, correlationId }) => [
      reason && new TextDecoder().decode(reason),
      correlationId,
    ]);
    expect(about).toEqual([
      [undefined, undefined],
      ["fix", correlationId],
      ["tag", undefined],
      [undefined, undefined],
    ]);
    expect(origins).toEqual([null, null, "editor", null]);
    expect(textOnDisk(disk)).toBe("bare tagged fixed plain ");
    await document.close();
  });

  test("[LIV-5] what is longer than an envelope takes is refused before anything is edited", async () => {
    const { live } = await openLive();
    const document = live();
    const edit = (): void => document.ydoc.getText("text").insert(0, "x");
    for (const about of [{ reason: "é".repeat(129) }, { correlationId: new Uint8Array(17) }]) {
      const { configInvalid: code } = HeddleErrorCode;
      expect(() => document.transact(edit, about)).toThrow(expect.objectContaining({ code }));
    }
    expect(textOf(document.ydoc)).toBe("");
    await document.close();
  });

  test("[LIV-3] what other providers bring is flagged as imported", async () => {
    const { live, disk } = await openLive();
    const template = new Y.Doc();
    template.getText("text").insert(0, "template");
    const document = live();
    await document.whenLoaded();
    Y.applyUpdate(document.ydoc, Y.encodeStateAsUpdate(template), "template");
    document.ydoc.getText("text").insert(0, "my ");
    await document.whenSaved();
    expect(envelopesOn(disk).map(({ flags }) => flags)).toEqual([EnvelopeFlag.imported, 0]);
    expect(textOnDisk(disk)).toBe("my template");
    await document.close();
  });
});

test("[LIV-4] a lane that is over takes the client id with it", async () => {
  const { live, disk, replica } = await openLive();
  const document = live();
  await document.whenLoaded();
  const { ydoc } = document;
  ydoc.getText("text").insert(0, "first ");
  await document.whenSaved();
  const { clientID } = ydoc;
  replica.endLane(envelopesOn(disk)[0]!.lane);
  expect(ydoc.clientID).not.toBe(clientID);
  expect(document.awareness.clientID).toBe(ydoc.clientID);
  ydoc.getText("text").insert(0, "second ");
  await document.whenSaved();
  expect(new Set(envelopesOn(disk).map(({ lane }) => lane)).size).toBe(2);
  expect(envelopesOn(disk).map(({ flags }) => flags)).toEqual([0, 0]);
  expect(textOnDisk(disk)).toBe("second first ");
  await document.close();
});

describe("a store that fails", () => {
  test("[LIV-7] once: the same document goes on under a new client id, and nothing is lost or doubled", async () => {
    const { live, store, disk, replica } = await openLive();
    const document = live();
    await document.whenLoaded();
    const { ydoc } = document;
    const text = ydoc.getText("text");
    text.insert(0, "one ");
    await document.whenSaved();
    const { clientID } = ydoc;
    const writes = gate(store);
    writes.hold();
    document.transact(() => text.insert(4, "two "), { reason: "kept" });
    document.flush();
    text.insert(8, "three");
    writes.failOnce(ioError());
    writes.open();
    await expect.poll(() => replica.counters.resets, wait).toBe(1);
    await document.whenSaved();
    expect(document.ydoc === ydoc).toBe(true);
    expect(document.status).toMatchObject({ state: "saved", generation: 0, error: undefined });
    expect(ydoc.clientID).not.toBe(clientID);
    expect(document.awareness.clientID).toBe(ydoc.clientID);
    text.insert(text.length, "!");
    await document.whenSaved();
    expect(textOnDisk(disk)).toBe("one two three!");
    const envelopes = envelopesOn(disk);
    const reasons = envelopes.filter(({ reason }) => reason !== undefined);
    expect(reasons.map(({ flags }) => flags)).toEqual([EnvelopeFlag.imported]);
    expect(envelopes.at(-1)!.flags).toBe(0);
    // The first lane has what it wrote, and the second began with what was left of it.
    expect(new Set(envelopes.map(({ lane }) => lane)).size).toBe(2);
    await document.close();
  });

  test("[LIV-7] for a while: it is said, edits count, and all of them are written in the end", async () => {
    const { live, store, disk } = await openLive();
    let state: LogStoreState = { name: "open" };
    Object.defineProperty(store, "state", { get: () => state });
    const document = live();
    await document.whenLoaded();
    const states: string[] = [];
    document.on("status", (status) => states.push(status.state));
    const full = new HeddleError(HeddleErrorCode.storageFull, "little room");
    state = { name: "open", readOnly: full };
    const text = document.ydoc.getText("text");
    text.insert(0, "a");
    document.flush();
    expect(document.status).toMatchObject({ state: "suspended", unsaved: 1, error: full });
    text.insert(1, "b");
    state = { name: "open" };
    await document.whenSaved();
    expect(textOnDisk(disk)).toBe("ab");
    expect(document.status).toMatchObject({ state: "saved", error: undefined });
    expect(states).toContain("suspended");
    await document.close();
  });

  test("[LIV-7] at every write: it is asked again with growing delays, not in a loop", async () => {
    const { live, store, disk, replica } = await openLive();
    const document = live();
    await document.whenLoaded();
    const writes = gate(store);
    writes.failWith = ioError();
    document.ydoc.getText("text").insert(0, "stubborn");
    document.flush();
    await expect.poll(() => replica.counters.resets, wait).toBeGreaterThan(2);
    // Three tries take at least 100 + 200 ms; a loop would have made hundreds.
    expect(replica.counters.resets).toBeLessThan(20);
    writes.failWith = undefined;
    await document.whenSaved();
    expect(textOnDisk(disk)).toBe("stubborn");
    await document.close();
  });

  test("[LIV-7] while the document is opened: it is opened when the store works again", async () => {
    const { live, store } = await openLive();
    const readDocument = store.readDocument.bind(store);
    store.readDocument = () => Promise.reject(ioError());
    const document = live();
    document.ydoc.getText("text").insert(0, "patient");
    await expect.poll(() => document.status.state, wait).toBe("suspended");
    store.readDocument = readDocument;
    await document.whenSaved();
    expect(document.status.state).toBe("saved");
    await document.close();
  });

  test("a damaged document cannot be opened, and says why", async () => {
    const { live, store } = await openLive();
    const { storageCorrupt: code } = HeddleErrorCode;
    store.readDocument = () => Promise.reject(new HeddleError(code, "the record is damaged"));
    const document = live();
    document.ydoc.getText("text").insert(0, "in vain");
    await expect(document.whenLoaded()).rejects.toMatchObject({ code });
    await expect(document.whenSaved()).rejects.toMatchObject({ code });
    expect(document.status).toMatchObject({ state: "failed", unsaved: 1 });
    await expect(document.close()).rejects.toMatchObject({ code });
  });
});

describe("what can never be written", () => {
  test("[LIV-8] imports are tried like anybody's updates, own edits are not, and order is kept", async () => {
    const answers: ((verdict: Verdict) => void)[] = [];
    const judge: ApplyJudge = {
      judge: () => new Promise((answer) => answers.push(answer)),
      close: () => Promise.resolve(),
    };
    const { live, disk } = await openLive({ judge });
    const document = live();
    await document.whenLoaded();
    const refused: RefusedEvent[] = [];
    document.on("refused", (event) => refused.push(event));
    const text = document.ydoc.getText("text");
    text.insert(0, "x".repeat(100_000));
    await document.whenSaved();
    expect(answers).toHaveLength(0);
    const brought = Y.mergeUpdates([characterOf(50, 0, "ada"), characterOf(51, 0, "bo")]);
    Y.applyUpdate(document.ydoc, brought, "provider");
    document.ydoc.getMap("own").set("key", "value");
    document.flush();
    await expect.poll(() => answers.length, wait).toBe(1);
    expect(envelopesOn(disk)).toHaveLength(1);
    expect(document.status).toMatchObject({ state: "saving", unsaved: 2 });
    const stepMs: number[] = [];
    answers[0]!({ outcome: "exception", reason: "for the test", step: 0, stepMs });
    await expect.poll(() => answers.length + refused.length, wait).toBeGreaterThan(1);
    answers[1]?.({ outcome: "exception", reason: "for the test", step: 0, stepMs });
    await expect.poll(() => refused.length, wait).toBe(1);
    expect(refused[0]!.error.code).toBe(HeddleErrorCode.updateRefused);
    expect(refused[0]!.updates).toHaveLength(1);
    await document.whenSaved();
    expect(document.ydoc.getMap("own").get("key")).toBe("value");
    expect(document.ydoc.store.clients.has(50)).toBe(false);
    expect(onDisk(disk).getMap("own").get("key")).toBe("value");
    await document.close();
  });

  test("[LIV-8] is handed back, and the document is replaced by one without it", async () => {
    const { live, disk } = await openLive({ documentBytesMax: 2_000 });
    const document = live();
    await document.whenLoaded();
    const first = document.ydoc;
    const refused: RefusedEvent[] = [];
    const resets: ResetEvent[] = [];
    document.on("refused", (event) => refused.push(event));
    document.on("reset", (event) => resets.push(event));
    first.getText("text").insert(0, "small ");
    await document.whenSaved();
    document.awareness.setLocalState({ name: "me" });
    first.getText("text").insert(0, "x".repeat(3_000));
    const saving = document.whenSaved();
    first.getText("text").insert(3_000, "behind it");
    first.getMap("other").set("key", "value");
    const { documentTooLarge: code } = HeddleErrorCode;
    await expect(saving).rejects.toMatchObject({ code });
    await expect.poll(() => resets.length, wait).toBe(1);
    expect(refused.map(({ error, edits, generation }) => [error.code, edits, generation])).toEqual([
      [code, 3, 0],
    ]);
    const saved = new Y.Doc();
    Y.applyUpdate(saved, Y.encodeStateAsUpdate(document.ydoc));
    for (const update of refused[0]!.updates) Y.applyUpdate(saved, update);
    expect(textOf(saved)).toBe(textOf(first));
    expect([resets[0]!.generation, resets[0]!.unsaved]).toEqual([1, []]);
    expect(resets[0]!.previous === first).toBe(true);
    expect(document.ydoc === resets[0]!.ydoc && document.ydoc !== first).toBe(true);
    expect(textOf(document.ydoc)).toBe("small ");
    expect(document.awareness.getLocalState()).toEqual({ name: "me" });
    document.ydoc.getText("text").insert(0, "then ");
    await document.whenSaved();
    expect(textOnDisk(disk)).toBe("then small ");
    await document.close();
  });

  test("[LIV-8] ends a document that the application handed in, and nothing typed is forgotten", async () => {
    const { live, disk } = await openLive({ documentBytesMax: 2_000 });
    const ydoc = new Y.Doc();
    const document = live(ydoc);
    await document.whenLoaded();
    const resets: ResetEvent[] = [];
    document.on("reset", (event) => resets.push(event));
    ydoc.getText("text").insert(0, "x".repeat(3_000));
    await expect(document.whenSaved()).rejects.toBeInstanceOf(HeddleError);
    await expect.poll(() => document.status.state, wait).toBe("failed");
    expect(resets).toHaveLength(1);
    expect(resets[0]!.previous === ydoc && resets[0]!.ydoc === undefined).toBe(true);
    expect(textOf(ydoc)).toHaveLength(3_000);
    expect(envelopesOn(disk)).toEqual([]);
    const again = live(new Y.Doc());
    await again.whenLoaded();
    await again.close();
  });
});

test("errors of the application's observers reach the process, and stop nothing", async () => {
  const { live } = await openLive();
  const [a, b] = [live(), live()];
  await Promise.all([a.whenLoaded(), b.whenLoaded()]);
  const thrown: unknown[] = [];
  const listeners = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  const catchIt = (error: unknown): void => void thrown.push(error);
  process.on("uncaughtException", catchIt);
  try {
    const failure = new Error("in the application");
    b.ydoc.getText("text").observe(() => {
      throw failure;
    });
    a.ydoc.getText("text").insert(0, "text");
    await a.whenSaved();
    await expect.poll(() => thrown, wait).toEqual([failure]);
    expect(textOf(b.ydoc)).toBe("text");
    a.ydoc.getText("other").insert(0, "more");
    await a.whenSaved();
    expect(b.ydoc.getText("other").toJSON()).toBe("more");
  } finally {
    process.off("uncaughtException", catchIt);
    for (const listener of listeners) process.on("uncaughtException", listener);
  }
  await Promise.all([a.close(), b.close()]);
});

test("[RLY-1] another listener of the log is shown edits when they are on disk, and the writer at once", async () => {
  const { live, replica, store } = await openLive();
  const document = live();
  await document.whenLoaded();
  const shown: number[] = [];
  const logged = await replica.acquire(notes);
  logged.subscribe({
    onCommit: ({ update }) => shown.push(update.length),
    onReset: () => undefined,
  });
  const writes = gate(store);
  writes.hold();
  document.ydoc.getText("text").insert(0, "mine");
  document.flush();
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect([textOf(document.ydoc), shown]).toEqual(["mine", []]);
  writes.open();
  await document.whenSaved();
  expect(shown).toHaveLength(1);
  await document.close();
});
