import { cp } from "node:fs/promises";
import path from "node:path";

import { recover } from "@heddle/replica";
import { verifyFolder, type LevelLogStore } from "@heddle/storage-level";
import { testDocument, testEnvironment, testHash, TestWriter } from "@heddle/testkit";
import { expect, test } from "vitest";
import * as Y from "yjs";

import { runHeddle } from "../processes/heddle-command.ts";
import { StoreFolder } from "./store-survey.ts";
import { inStore, prune, textIn } from "./written-store.ts";

// Goal: a text that two lanes wrote word by word, each into what the other had just written, is the same
// text after everything that can happen to its store.
// Method: real LevelDB; loaded cold, after a crash, above a checkpoint, pruned, and repaired.

class Duet {
  readonly environment = testEnvironment("duet", { timers: "real" });
  readonly document = testDocument(this.environment, "duet");
  readonly reference = new Y.Doc();
  #words = 0;
  #people: readonly { readonly writer: TestWriter; readonly doc: Y.Doc }[] = [];

  get text(): string {
    return this.reference.getText("text").toString();
  }

  /** Two new lanes take turns, `count` times. */
  async type(store: LevelLogStore, count: number): Promise<void> {
    const writers = [
      await TestWriter.open(this.environment),
      await TestWriter.open(this.environment),
    ];
    const lanes = writers.map(({ lane }) => lane);
    await store.append({ documents: [this.document], lanes });
    this.#people = writers.map((writer) => ({ writer, doc: new Y.Doc() }));
    for (let turn = 0; turn < count; turn++) {
      const { writer, doc } = this.#people[turn % 2]!;
      Y.applyUpdate(doc, Y.encodeStateAsUpdate(this.reference));
      const before = Y.encodeStateVector(doc);
      const text = doc.getText("text");
      text.insert(text.length >> 1, `w${this.#words++} `);
      const update = Y.encodeStateAsUpdate(doc, before);
      Y.applyUpdate(this.reference, update);
      this.environment.clock.advance(1);
      await store.append({ envelopes: [writer.seal(this.document.id, update)] });
    }
  }
}

test("[STO-1][STO-15] is the same loaded cold, and after a crash", async () => {
  await using place = await StoreFolder.makeQuick();
  await using crashed = await StoreFolder.makeQuick();
  const duet = new Duet();
  await inStore(place.folder, async (store) => {
    await duet.type(store, 80);
    // What a process that is killed now leaves behind.
    await cp(place.folder, crashed.folder, { recursive: true });
  });
  for (const { folder } of [place, crashed]) {
    await inStore(folder, async (store) => {
      const { documentsDamaged } = await recover(store, duet.environment);
      expect(documentsDamaged).toEqual([]);
      expect(await textIn(store, duet.document)).toBe(duet.text);
    });
  }
});

test("[CKP-4][STO-15] is the same pruned below a checkpoint, and typed on", async () => {
  await using place = await StoreFolder.makeQuick();
  const duet = new Duet();
  const pruning = { environment: duet.environment, document: duet.document };
  await inStore(place.folder, async (store) => {
    await duet.type(store, 40);
    expect(await prune(store, pruning)).toBe(40);
    await duet.type(store, 31);
    expect(await textIn(store, duet.document)).toBe(duet.text);
  });
  await inStore(place.folder, async (store) => {
    expect(await textIn(store, duet.document)).toBe(duet.text);
    expect(await prune(store, pruning)).toBe(31);
    expect(await textIn(store, duet.document)).toBe(duet.text);
  });
  const { findings } = await verifyFolder(place.folder, { hash: testHash });
  expect(findings.filter(({ severity }) => severity === "damage")).toEqual([]);
});

test("[STO-11][STO-15] is the same after a repair, of the whole and of what a prune left", async () => {
  await using place = await StoreFolder.makeQuick();
  const data = path.join(place.folder, "data");
  const duet = new Duet();
  await inStore(data, async (store) => {
    await duet.type(store, 40);
    await prune(store, { environment: duet.environment, document: duet.document });
    await duet.type(store, 40);
  });
  expect(await runHeddle("repair", data)).toMatchObject({ status: 0 });
  const repaired = `${data}-repaired`;
  await inStore(repaired, async (store) => {
    expect(await textIn(store, duet.document)).toBe(duet.text);
    await duet.type(store, 10);
    expect(await textIn(store, duet.document)).toBe(duet.text);
  });
});
