import { EnvelopeFlag, HeddleError, HeddleErrorCode, type LogStoreState } from "@heddle/core";
import { describe, expect, test } from "vitest";
import * as Y from "yjs";

import type { ApplyJudge, Verdict } from "../apply-judge.ts";
import { characterOf } from "../hostile.fixture.ts";

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

  test("[LIV-8] that nobody could read, because it is nested too deep, is handed back like any other", async () => {
    const { live } = await openLive();
    const document = live();
    await document.whenLoaded();
    const refused: RefusedEvent[] = [];
    document.on("refused", (event) => refused.push(event));
    document.ydoc.getText("text").insert(0, "small ");
    await document.whenSaved();
    const first = document.ydoc;
    let deep: unknown = "end";
    for (let depth = 0; depth < 70; depth++) deep = [deep];
    first.getMap("map").set("deep", deep);
    const { updateMalformed: code } = HeddleErrorCode;
    await expect(document.whenSaved()).rejects.toMatchObject({ code });
    await expect.poll(() => document.ydoc === first, wait).toBe(false);
    expect(refused.map(({ error, edits }) => [error.code, edits])).toEqual([[code, 1]]);
    const handedBack = new Y.Doc();
    Y.applyUpdate(handedBack, Y.encodeStateAsUpdate(document.ydoc));
    for (const update of refused[0]!.updates) Y.applyUpdate(handedBack, update);
    expect(handedBack.getMap("map").get("deep")).toEqual(deep);
    document.ydoc.getText("text").insert(0, "then ");
    await document.whenSaved();
    expect(textOf(document.ydoc)).toBe("then small ");
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
