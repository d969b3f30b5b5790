import { testEnvironment } from "@heddle/testkit";
import { MemoryDisk, MemoryLogStore } from "@heddle/core";
import { DocumentKnowledge, parseUpdate, WorkBudget, type ParsedUpdate } from "@heddle/document";
import { expect, test } from "vitest";
import * as Y from "yjs";

import { characterOf, deletesOf } from "./hostile.fixture.ts";
import { defaultParkingBounds } from "./parking-bounds.ts";
import { Parking, type ParkingChange } from "./parking.ts";
import type { UpdateSource } from "./pending-updates.ts";
import { notes } from "./replica.fixture.ts";
import { Replica } from "./replica.ts";

const mallory = { address: "203.0.113.9" };
const ada = { address: "198.51.100.7" };

/** Takes in what `learned` frees, as a replica does. */
function release(parking: Parking, knowledge: DocumentKnowledge, learned: ParsedUpdate) {
  knowledge.learn(learned);
  parking.advance(learned);
  const freed: ParsedUpdate[] = [];
  while (parking.hasWork) {
    const next = parking.next(knowledge, new WorkBudget(1_000));
    if (next?.update === undefined) continue;
    knowledge.learn(next.update);
    parking.advance(next.update);
    parking.keep(next.entry.record.id);
    freed.push(next.update);
  }
  return freed;
}

function isHeld(change: ParkingChange): boolean {
  return !("full" in change);
}

test("[DOC-6] what others write costs nothing, however much is parked", () => {
  const parking = new Parking(testEnvironment(), []);
  const knowledge = new DocumentKnowledge();
  const { updatesMax } = defaultParkingBounds;
  for (let client = 1; client <= updatesMax; client++) {
    parking.add(characterOf(client, 1_000, "x".repeat(2_000)), {});
  }
  expect(parking.add(characterOf(5_000, 1), {})).toEqual({ full: "updatesMax" });
  for (let clock = 0; clock <= 100; clock++) {
    expect(release(parking, knowledge, parseUpdate(characterOf(9_000, clock)))).toEqual([]);
    const budget = new WorkBudget(1_000);
    expect([parking.next(knowledge, budget), budget.left]).toEqual([undefined, 1_000]);
  }
  // One of the parked now follows on what is known, and is freed by exactly that.
  const before = parseUpdate(characterOf(77, 0, "y".repeat(1_000)));
  expect(release(parking, knowledge, before)).toHaveLength(1);
  expect(parking.count).toBe(updatesMax - 1);
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
  for (const link of links.slice(1).toReversed()) parking.add(link, {});
  const first = parseUpdate(links[0]!);
  const freed = release(parking, new DocumentKnowledge(), first);
  expect([parking.count, parking.bytes, parking.oldestAtMs]).toEqual([0, 0, undefined]);
  const replay = new Y.Doc();
  Y.applyUpdate(replay, first.bytes);
  for (const update of freed) {
    Y.applyUpdate(replay, update.bytes);
    expect(replay.store.pendingStructs).toBeNull();
  }
  expect(replay.getText("text").toString()).toBe(doc.getText("text").toString());
});

test("[DOC-6] future deletes of one party are merged: 20,000 of them take a few records", () => {
  const parking = new Parking(testEnvironment(), []);
  let rewritten = 0;
  const sent = 20_000;
  for (let index = 0; index < sent; index++) {
    const change = parking.add(deletesOf(7, 10 + 2 * ((index * 7_919) % sent)), mallory);
    expect(isHeld(change)).toBe(true);
    rewritten += "parked" in change ? (change.parked?.update.length ?? 0) : 0;
  }
  expect(parking.count).toBeLessThan(20);
  // Each range is written again a dozen times, not twenty thousand times.
  expect(rewritten).toBeLessThan(40 * parking.bytes);
  const knowledge = new DocumentKnowledge();
  const text = parseUpdate(characterOf(7, 0, "x".repeat(2 * sent + 10)));
  const freed = release(parking, knowledge, text);
  expect(parking.count).toBe(0);
  const ranges = freed.flatMap(({ deletes }) => deletes).flatMap((deletes) => deletes.ranges);
  expect(ranges.length).toBe(2 * sent);
});

test("[DOC-6] deletes of others are not merged with them, nor is what has structs", () => {
  const parking = new Parking(testEnvironment(), []);
  parking.add(deletesOf(7, 10), mallory);
  parking.add(deletesOf(7, 11), ada);
  parking.add(characterOf(8, 5), ada);
  parking.add(characterOf(9, 5), ada);
  expect(parking.count).toBe(4);
  expect(parking.add(deletesOf(7, 11), ada)).toMatchObject({ parked: undefined, replaced: [] });
});

test("[DOC-6] who takes most of a full parking makes room for others, oldest first", () => {
  const environment = testEnvironment();
  const bounds = { ...defaultParkingBounds, updatesMax: 10 };
  const parking = new Parking(environment, []);
  const add = (client: number, source: UpdateSource): ParkingChange => {
    environment.clock.advance(1);
    return parking.add(characterOf(client, 5), source, bounds);
  };
  for (let client = 1; client <= 10; client++) add(client, mallory);
  expect(add(11, mallory)).toEqual({ full: "updatesMax" });
  const oldest = parking.oldestAtMs!;
  for (let client = 21; client <= 25; client++) {
    const change = add(client, ada);
    expect("evicted" in change && change.evicted).toHaveLength(1);
  }
  expect([parking.count, parking.oldestAtMs]).toEqual([10, oldest + 5]);
  // Half each: neither can take anything from the other.
  expect(add(12, mallory)).toEqual({ full: "updatesMax" });
  expect(add(26, ada)).toEqual({ full: "updatesMax" });
  // Somebody who has nothing there always finds a place, and somebody who is not told apart never takes one.
  expect(isHeld(add(31, { address: "192.0.2.1" }))).toBe(true);
  expect(add(41, {})).toEqual({ full: "updatesMax" });
});

test("[DOC-6] bytes are shared out like places, and a place in memory counts for each client", () => {
  const bounds = { ...defaultParkingBounds, bytesMax: 100_000 };
  const parking = new Parking(testEnvironment(), []);
  expect(isHeld(parking.add(characterOf(1, 5, "x".repeat(90_000)), mallory, bounds))).toBe(true);
  const tooLarge = characterOf(2, 5, "x".repeat(100_001));
  expect(parking.add(tooLarge, ada, bounds)).toEqual({ full: "bytesMax" });
  const change = parking.add(characterOf(2, 5, "x".repeat(20_000)), ada, bounds);
  expect("evicted" in change && change.evicted).toHaveLength(1);
  parking.next(new DocumentKnowledge(), new WorkBudget(1_000_000));
  const rest = 100_000 - parking.bytes;
  expect(parking.add(characterOf(3, 5, "x".repeat(rest - 100)), ada, bounds)).toEqual({
    full: "bytesMax",
  });
});

test("[DOC-10] what has been parked for too long is reported, again and again until it is freed", async () => {
  const environment = testEnvironment();
  const store = await MemoryLogStore.open(new MemoryDisk(), environment.random);
  const own = { store, environment, signer: environment.signer, engine: "test" };
  const replica = await Replica.open({ ...own, parking: { oldMs: 300_000 } });
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
