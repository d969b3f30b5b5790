import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { openReplica as openClientReplica } from "@heddle/client";
import {
  documentIdOf,
  HeddleErrorCode,
  limits,
  openSpaceId,
  parseDocumentName,
} from "@heddle/core";
import { Relay } from "@heddle/relay";
import { openReplica } from "@heddle/replica/node";
import { levelStore } from "@heddle/storage-level";
import { collectLog, RecordedLog } from "@heddle/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";

import { environment } from "./relay-under-test.ts";
import { connect, synced, until } from "./stock-client.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "heddle-live-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("[LIV-6] what was saved is there when the replica is opened again, by the same device", async () => {
  let publicKey: string | undefined;
  for (const word of ["one ", "two ", "three "]) {
    const replica = await openReplica({ store: levelStore(folder) });
    const document = await replica.open("notes");
    const text = document.ydoc.getText("text");
    text.insert(text.length, word);
    await replica.close();
    const key = await readFile(path.join(folder, "device-key.pem"), "utf8");
    expect(key).toBe((publicKey ??= key));
  }
  await using replica = await openReplica({ store: levelStore(folder) });
  const document = await replica.open("notes");
  expect(document.ydoc.getText("text").toJSON()).toBe("one two three ");
  expect(document.status).toMatchObject({ state: "saved", unsaved: 0 });
});

test.each([
  ["@heddle/replica/node", openReplica],
  ["@heddle/client", openClientReplica],
])("[LIV-6] another device key than before is told, by the replica of %s", async (_from, open) => {
  const keys: (string | undefined)[] = [];
  for (let opening = 1; opening <= 3; opening++) {
    const logger = new RecordedLog();
    const replica = await open({ store: levelStore(folder), logger });
    await replica.close();
    const changed = logger.lines.find(({ event }) => event === "store.device_changed");
    keys.push(changed && String(changed.fields?.["now"]));
    if (opening === 1) await rm(path.join(folder, "device-key.pem"));
  }
  expect(keys).toEqual([undefined, expect.stringMatching(/^[0-9a-f]{64}$/), undefined]);
  const store = await levelStore(folder).open(environment);
  expect((await store.readJournal()).map(({ event }) => event)).toEqual(["device-changed"]);
  await store.close();
});

test("[LIV-2] two live documents of one name share the log on disk", async () => {
  const store = await levelStore(folder).open(environment);
  const replica = await openReplica({ store });
  const [a, b] = await Promise.all([replica.open("notes"), replica.open("notes")]);
  for (let round = 0; round < 50; round++) {
    a.ydoc.getText("text").insert(0, "a");
    b.ydoc.getText("text").insert(0, "b");
    if (round % 10 === 0) await a.whenSaved();
  }
  await Promise.all([a.whenSaved(), b.whenSaved()]);
  const textOf = ({ ydoc }: typeof a): string => ydoc.getText("text").toJSON();
  await until(() => textOf(a).length === 100 && textOf(a) === textOf(b), "both hold both");
  const space = openSpaceId(environment.hash);
  const id = documentIdOf(environment.hash, space, parseDocumentName("notes"));
  // A hundred edits are few envelopes, all of one lane.
  const log = await collectLog(store, id);
  expect(new Set(log.map(({ lane }) => lane)).size).toBe(1);
  expect(log.length).toBeLessThan(60);
  await replica.close();
  expect(store.state.name).toBe("open");
  await store.close();
});

test("[LIV-2, RLY-4] a live document and a stock client on one relay edit together", async () => {
  const live = await openReplica({ store: levelStore(folder) });
  const { replica } = live;
  const relay = await Relay.start({ replica, environment, host: "127.0.0.1", port: 0 });
  const url = relay.url.replace("http", "ws");
  const document = await live.open("notes");
  const own = document.ydoc.getText("text");
  own.insert(0, "embedded ");
  using client = connect(url, "notes");
  await synced(client);
  await until(() => client.text.toJSON() === "embedded ", "the client has what was there");
  client.text.insert(client.text.length, "stock ");
  await until(() => own.toJSON() === "embedded stock ", "the document hears of the client");
  for (let round = 0; round < 20; round++) {
    own.insert(0, "e");
    client.text.insert(client.text.length, "s");
    if (round % 5 === 0) await document.whenSaved();
  }
  await document.whenSaved();
  await until(
    () => own.length === 55 && client.text.toJSON() === own.toJSON(),
    "both hold everything",
  );
  await document.close();
  await relay.drain();
  await live.close();
});

test("[LIV-2] an edit that is over the size limit of an update is saved in parts, and read as one", async () => {
  const big = "x😀".repeat(limits.updateBytesMax / 5 + 100_000);
  {
    await using replica = await openReplica({ store: levelStore(folder) });
    const document = await replica.open("notes");
    document.ydoc.getText("text").insert(0, big);
    await document.whenSaved();
  }
  await using replica = await openReplica({ store: levelStore(folder) });
  const document = await replica.open("notes");
  expect(document.ydoc.getText("text").toJSON() === big).toBe(true);
});

test("[STO-5] a folder that is in use is refused, and so is a name that is none", async () => {
  await using replica = await openReplica({ store: levelStore(folder) });
  const second = openReplica({ store: levelStore(folder) });
  await expect(second).rejects.toMatchObject({ code: HeddleErrorCode.storageLocked });
  const { frameMalformed: code } = HeddleErrorCode;
  await expect(replica.open("\u0000")).rejects.toMatchObject({ code });
});
