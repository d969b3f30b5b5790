import { EnvelopeFlag, HeddleError, HeddleErrorCode } from "@heddle/core";
import { describe, expect, test } from "vitest";
import * as Y from "yjs";

import { notes } from "../replica.fixture.ts";

import { envelopesOn, gate, openLive, textOnDisk } from "./live.fixture.ts";

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
