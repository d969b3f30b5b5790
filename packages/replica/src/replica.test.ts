import {
  EnvelopeKind,
  HeddleError,
  HeddleErrorCode,
  HybridClock,
  LaneWriter,
  MemoryDisk,
  MemoryLogStore,
  openLane,
  openSpaceId,
  parseDocumentName,
  PayloadCodec,
} from "@heddle/core";
import { expect, test } from "vitest";
import * as Y from "yjs";

import { characterOf } from "./hostile.fixture.ts";
import {
  environment,
  notes,
  openReplica,
  settled,
  signer,
  type OpenReplica,
} from "./replica.fixture.ts";
import { Replica } from "./replica.ts";
import type { CommitRound } from "./telemetry.ts";
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

const other = parseDocumentName("other");

/** A replica with two documents that say "one". */
async function writtenReplica(disk: MemoryDisk): Promise<OpenReplica> {
  const open = await openReplica(disk);
  for (const name of [notes, other]) {
    const document = await open.replica.acquire(name);
    for (const update of updatesOf((text) => text.insert(0, "one"))) document.submit(update, {});
    await settled();
  }
  return open;
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

test("[LOG-1] what one source hands in for a round is one envelope, and sources are kept apart", async () => {
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

test("[DOC-9] sources without a name are sealed apart, in one round, and in an order that can be loaded", async () => {
  const rounds: CommitRound[] = [];
  const telemetry = { onRound: (round: CommitRound) => rounds.push(round) };
  const disk = new MemoryDisk();
  const { replica, store } = await openReplica(disk, { telemetry });
  const document = await replica.acquire(notes);
  const sources = [{ tag: Uint8Array.of(1) }, { tag: Uint8Array.of(2) }];
  // Two people type in turn, each behind the other's last letter; the third letter of either is
  // independent of the other, and a fourth comes from somebody who took over the first one's client.
  const docs = [new Y.Doc(), new Y.Doc()];
  const exchange = (index: number): void => {
    const before = Y.encodeStateVector(docs[1 - index]!);
    const update = Y.encodeStateAsUpdate(docs[index]!, before);
    document.submit(update, sources[index]!);
    Y.applyUpdate(docs[1 - index]!, update);
  };
  for (let turn = 0; turn < 6; turn++) {
    const text = docs[turn % 2]!.getText("text");
    text.insert(text.length, String(turn));
    exchange(turn % 2);
  }
  for (let letter = 0; letter < 4; letter++) {
    document.submit(characterOf(100 + letter), sources[letter % 2]!);
  }
  const takenOver = new Y.Doc();
  Y.applyUpdate(takenOver, Y.encodeStateAsUpdate(docs[0]!));
  takenOver.clientID = docs[0]!.clientID;
  takenOver.getText("text").insert(0, "taken ");
  document.submit(Y.encodeStateAsUpdate(takenOver, Y.encodeStateVector(docs[0]!)), sources[1]!);
  await settled();
  expect(rounds.map(({ envelopes }) => envelopes)).toEqual([6]);
  const stored = await store.readDocument(document.entry.id);
  const walk = { store, hash: environment.hash, document: stored!, positions: new Map() };
  const tags: number[] = [];
  for await (const { sourceTag } of walkLog(walk)) tags.push(sourceTag![0]!);
  expect(tags).toEqual([1, 2, 1, 2, 1, 2]);
  await replica.close();
  await store.close();
  const { replica: reopened } = await openReplica(disk);
  const loaded = await reopened.acquire(notes);
  const text = textOf(loaded.encodeSince(everything));
  expect([text.replaceAll("y", ""), text.length]).toEqual(["taken 012345", 16]);
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
  const first = await writtenReplica(disk);
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

test("[STO-3] an invariant that one document's log breaks closes that document and ends nothing", async () => {
  const disk = new MemoryDisk();
  const first = await writtenReplica(disk);
  await first.replica.close();
  // A whole and well chained envelope whose update leaves a gap: no heddle writes that.
  const { store } = first;
  const { id } = [...disk.documents.values()].find(({ entry }) => entry.name === notes)!.entry;
  const clock = new HybridClock(environment.clock);
  const { hash, random } = environment;
  const opening = { space: openSpaceId(hash), signer, hash, random, clock, engine: "test" };
  const writer = new LaneWriter(await openLane(opening), hash, clock);
  const envelope = writer.seal(undefined, {
    kind: EnvelopeKind.update,
    flags: 0,
    document: id,
    epoch: 0,
    schema: 0,
    codec: PayloadCodec.yjsV1,
    payload: characterOf(7, 5),
  });
  await store.append({ lanes: [writer.descriptor], envelopes: [envelope] });
  await store.close();

  const second = await openReplica(disk);
  await expect(second.replica.acquire(notes)).rejects.toMatchObject({
    code: HeddleErrorCode.storageCorrupt,
    message: expect.stringContaining(id),
  });
  const whole = await second.replica.acquire(other);
  expect(textOf(whole.encodeSince(everything))).toBe("one");
});

test("[STO-3] a damaged document record keeps a replica from nothing but that document", async () => {
  const disk = new MemoryDisk();
  await writtenReplica(disk);
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
