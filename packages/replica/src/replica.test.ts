import {
  HeddleError,
  HeddleErrorCode,
  MemoryDisk,
  MemoryLogStore,
  parseDocumentName,
} from "@heddle/core";
import { expect, test } from "vitest";
import * as Y from "yjs";

import { environment, notes, openReplica, settled, signer } from "./replica.fixture.ts";
import { Replica } from "./replica.ts";
import { walkLog } from "./walk-log.ts";

const everything = Uint8Array.of(0);

function updatesOf(write: (text: Y.Text) => void): Uint8Array[] {
  const ydoc = new Y.Doc();
  const updates: Uint8Array[] = [];
  ydoc.on("update", (update: Uint8Array) => updates.push(update));
  write(ydoc.getText("text"));
  return updates;
}

function textOf(update: Uint8Array): string {
  const ydoc = new Y.Doc();
  Y.applyUpdate(ydoc, update);
  return ydoc.getText("text").toString();
}

test("[STO-1] what is shown after a crash is what was on disk, in a new lane", async () => {
  const disk = new MemoryDisk();
  const first = await openReplica(disk);
  const [one, two] = updatesOf((text) => {
    text.insert(0, "one ");
    text.insert(4, "two");
  });
  const document = await first.replica.acquire(notes);
  document.submit(one!, {});
  await settled();
  disk.isLocked = false; // The process is gone, without a word to the store.
  const second = await openReplica(disk);
  expect(second.replica.recovery).toMatchObject({
    documentsRead: 1,
    documentsRecovered: 1,
    envelopesVerified: 1,
    documentsDamaged: [],
  });
  const again = await second.replica.acquire(notes);
  expect(textOf(again.encodeSince(everything))).toBe("one ");
  again.submit(two!, {});
  await settled();
  expect(textOf(again.encodeSince(everything))).toBe("one two");
  expect(disk.lanes.size).toBe(2);
});

test("[LOG-1] a burst of one principal is one envelope, and principals are kept apart", async () => {
  const { store, replica } = await openReplica(new MemoryDisk());
  const document = await replica.acquire(notes);
  const updates = updatesOf((text) => {
    for (let index = 0; index < 6; index++) text.insert(index, String(index));
  });
  const ada = { principal: new TextEncoder().encode("ada") };
  const bo = { principal: new TextEncoder().encode("bo") };
  for (const [index, update] of updates.entries()) document.submit(update, index < 4 ? ada : bo);
  await settled();
  const stored = await store.readDocument(document.entry.id);
  const walk = { store, hash: environment.hash, document: stored!, positions: new Map() };
  const principals: string[] = [];
  for await (const { principal } of walkLog(walk)) {
    principals.push(new TextDecoder().decode(principal));
  }
  expect(principals).toEqual(["ada", "bo"]);
});

test("a document that nobody uses leaves memory, and its vector is kept", async () => {
  const disk = new MemoryDisk();
  const { store, replica } = await openReplica(disk);
  const document = await replica.acquire(notes);
  const [update] = updatesOf((text) => text.insert(0, "one"));
  document.submit(update!, {});
  replica.release(document);
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(replica.openDocuments).toBe(0);
  const stored = await store.readDocument(document.entry.id);
  expect([stored?.dirty, stored?.vector.size]).toEqual([false, 1]);
  const again = await replica.acquire(notes);
  expect(textOf(again.encodeSince(everything))).toBe("one");
});

test("a document that is only read is unknown to the store", async () => {
  const disk = new MemoryDisk();
  const { replica } = await openReplica(disk);
  const document = await replica.acquire(notes);
  document.encodeSince(everything);
  await replica.close();
  expect([disk.documents.size, disk.lanes.size, disk.arrivals.length]).toEqual([0, 0, 0]);
});

test("[LOG-2] a damaged envelope closes its document and no other", async () => {
  const disk = new MemoryDisk();
  const first = await openReplica(disk);
  const other = parseDocumentName("other");
  for (const name of [notes, other]) {
    const document = await first.replica.acquire(name);
    const [update] = updatesOf((text) => text.insert(0, "one"));
    document.submit(update!, {});
    await settled();
  }
  await first.replica.close();
  await first.store.close();
  const damaged = [...disk.documents.values()].find(({ entry }) => entry.name === notes);
  const [envelope] = [...damaged!.log.values()][0]!;
  envelope![envelope!.length - 3]! ^= 1;
  const second = await openReplica(disk);
  await expect(second.replica.acquire(notes)).rejects.toMatchObject({
    code: HeddleErrorCode.storageCorrupt,
  });
  const document = await second.replica.acquire(other);
  expect(textOf(document.encodeSince(everything))).toBe("one");
});

test("[STO-3] a damaged document record keeps a replica from nothing but that document", async () => {
  const disk = new MemoryDisk();
  const first = await openReplica(disk);
  const other = parseDocumentName("other");
  for (const name of [notes, other]) {
    const document = await first.replica.acquire(name);
    const [update] = updatesOf((text) => text.insert(0, "one"));
    document.submit(update!, {});
    await settled();
  }
  disk.isLocked = false; // The process is gone.
  const store = await MemoryLogStore.open(disk, environment.random);
  const damaged = [...disk.documents.values()].find(({ entry }) => entry.name === notes)!.entry.id;
  const readDocument = store.readDocument.bind(store);
  store.readDocument = async (id) => {
    if (id !== damaged) return readDocument(id);
    throw new HeddleError(HeddleErrorCode.storageCorrupt, "the record is damaged");
  };
  const replica = await Replica.open({ store, environment, signer, engine: "test" });
  expect(replica.recovery.documentsDamaged).toEqual([damaged]);
  const document = await replica.acquire(other);
  expect(textOf(document.encodeSince(everything))).toBe("one");
});

test("[DOC-1] a malformed update changes nothing", async () => {
  const { replica } = await openReplica(new MemoryDisk());
  const document = await replica.acquire(notes);
  expect(() => document.submit(Uint8Array.of(1, 1, 1), {})).toThrow(
    expect.objectContaining({ code: HeddleErrorCode.updateMalformed }),
  );
  expect(document.isQuiet).toBe(true);
  expect(document.encodeStateVector()).toEqual(everything);
});
