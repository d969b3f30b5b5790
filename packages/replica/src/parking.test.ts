import { testEnvironment } from "@heddle/testkit";
import { MemoryDisk, MemoryLogStore } from "@heddle/core";
import { DocumentKnowledge, parseUpdate } from "@heddle/document";
import { expect, test } from "vitest";
import * as Y from "yjs";

import { characterOf } from "./hostile.fixture.ts";
import { Parking, parkedCountMax } from "./parking.ts";
import { notes } from "./replica.fixture.ts";
import { Replica } from "./replica.ts";

test("[DOC-6] what others write costs nothing, however much is parked", () => {
  const parking = new Parking(testEnvironment(), []);
  const knowledge = new DocumentKnowledge();
  for (let client = 1; client <= parkedCountMax; client++) {
    parking.add(characterOf(client, 1_000, "x".repeat(2_000)), {});
  }
  expect(() => parking.add(characterOf(5_000, 1), {})).toThrow(/wait for earlier ones/);
  const learn = (client: number, clock: number): number => {
    const update = parseUpdate(characterOf(client, clock));
    knowledge.learn(update);
    return parking.review(knowledge, update).admitted.length;
  };
  expect(learn(9_000, 0)).toBe(0);
  const startMs = performance.now();
  for (let clock = 1; clock <= 5_000; clock++) expect(learn(9_000, clock)).toBe(0);
  // Looking at each of them again each time took minutes.
  expect(performance.now() - startMs).toBeLessThan(2_000);
  // One of the parked now follows on what is known, and is freed by exactly that.
  const before = parseUpdate(characterOf(77, 0, "y".repeat(1_000)));
  knowledge.learn(before);
  expect(parking.review(knowledge, before).admitted).toHaveLength(1);
  expect(parking.count).toBe(parkedCountMax - 1);
});

test("[DOC-6] a chain that arrives backwards is freed by its first link, in order", () => {
  const doc = new Y.Doc();
  const links: Uint8Array[] = [];
  doc.on("update", (update: Uint8Array) => links.push(update));
  const other = new Y.Doc();
  for (let index = 0; index < 200; index++) {
    // Every other link is written by somebody else who has seen the one before, and deletes a part.
    const author = index % 2 === 0 ? doc : other;
    if (author === other) Y.applyUpdate(other, Y.encodeStateAsUpdate(doc));
    author.getText("text").insert(author.getText("text").length, `link ${index} `);
    if (index % 5 === 0) author.getText("text").delete(0, 3);
    if (author === other) Y.applyUpdate(doc, Y.encodeStateAsUpdate(other));
  }
  const parking = new Parking(testEnvironment(), []);
  const knowledge = new DocumentKnowledge();
  for (const link of links.slice(1).toReversed()) parking.add(link, {});
  const first = parseUpdate(links[0]!);
  knowledge.learn(first);
  const { admitted, released } = parking.review(knowledge, first);
  expect([parking.count, parking.bytes]).toEqual([0, 0]);
  expect(new Set(released).size).toBe(links.length - 1);
  const replay = new Y.Doc();
  Y.applyUpdate(replay, first.bytes);
  for (const { update } of admitted) {
    Y.applyUpdate(replay, update.bytes);
    expect(replay.store.pendingStructs).toBeNull();
  }
  expect(replay.getText("text").toString()).toBe(doc.getText("text").toString());
});

test("[DOC-10] what has been parked for too long is reported, again and again until it is freed", async () => {
  const environment = testEnvironment();
  const store = await MemoryLogStore.open(new MemoryDisk(), environment.random);
  const own = { store, environment, signer: environment.signer, engine: "test" };
  const replica = await Replica.open({ ...own, parkedAlarmMs: 300_000 });
  const document = await replica.acquire(notes);
  const stalled = () => environment.logger.lines.filter(({ event }) => event === "parking.stalled");
  document.submit(characterOf(7, 1), {});
  environment.clock.advance(299_000);
  expect(stalled()).toEqual([]);
  environment.clock.advance(2_000);
  expect(stalled()).toMatchObject([{ level: "warn", fields: { count: 1 } }]);
  environment.clock.advance(300_000);
  expect(replica.counters.parkingAlarms).toBe(2);
  document.submit(characterOf(7, 0), {});
  environment.clock.advance(600_000);
  expect(stalled()).toHaveLength(2);
});
