import * as fc from "fast-check";
import * as encoding from "lib0/encoding";
import { expect, test } from "vitest";
import * as Y from "yjs";

import { AdmittingLog } from "./admission.fixture.ts";
import { DocumentKnowledge } from "./document-knowledge.ts";
import { parseUpdate } from "./parse-update.ts";
import type { ParsedUpdate } from "./parsed-update.ts";
import { deliver, delivery, hash, play, runs, steps } from "./sessions.fixture.ts";
import { WorkBudget } from "./waiting-part.ts";
import { WaitingUpdates, type FreedPart } from "./waiting-updates.ts";
import { yjsEngine } from "./yjs-engine.ts";

type Id = readonly [client: number, clock: number];

/** V1 by hand: clients with structs of one character each, behind the given ids, and deletes. */
function updateOf(
  clients: readonly { client: number; clock?: number; origins: readonly (Id | undefined)[] }[],
  deletes: readonly { client: number; ranges: readonly Id[] }[] = [],
): ParsedUpdate {
  const bytes = encoding.encode((encoder) => {
    const uints = (...all: number[]): void => {
      for (const value of all) encoding.writeVarUint(encoder, value);
    };
    uints(clients.length);
    for (const { client, clock = 0, origins } of clients) {
      uints(origins.length, client, clock);
      for (const origin of origins) {
        encoding.writeUint8(encoder, origin ? 0x84 : 0x04);
        if (origin) uints(...origin);
        else {
          uints(1);
          encoding.writeVarString(encoder, "text");
        }
        encoding.writeVarString(encoder, "x");
      }
    }
    uints(deletes.length);
    for (const { client, ranges } of deletes) {
      uints(client, ranges.length);
      for (const range of ranges) uints(...range);
    }
  });
  return parseUpdate(bytes);
}

/** The letter of `client` at `clock`; people type one at a time. */
function letter(client: number, clock: number): ParsedUpdate {
  return updateOf([{ client, clock, origins: [clock === 0 ? undefined : [client, clock - 1]] }]);
}

/** A document with updates that wait, and a meter of what looking at them takes. */
class Backlog {
  readonly knowledge = new DocumentKnowledge();
  readonly waiting = new WaitingUpdates();
  readonly freed: FreedPart[] = [];
  units = 0;

  park(id: string, update: ParsedUpdate): void {
    this.waiting.add(id, update);
    this.review();
  }

  learn(update: ParsedUpdate): void {
    this.knowledge.learn(update);
    this.waiting.advance(update);
    this.review();
  }

  get structsFreed(): number {
    const runs = this.freed.flatMap(({ update }) => update?.runs ?? []);
    return runs.reduce((sum, { structCount }) => sum + structCount, 0);
  }

  /** In slices: none of them may take much more than it was given. */
  review(): void {
    const unitsMax = 1_000;
    while (this.waiting.hasWork) {
      const budget = new WorkBudget(unitsMax);
      const before = this.units;
      for (;;) {
        const part = this.waiting.next(this.knowledge, budget);
        if (part === undefined) break;
        this.freed.push(part);
        if (part.update === undefined) continue;
        this.knowledge.learn(part.update);
        this.waiting.advance(part.update);
        this.waiting.keep(part.id);
      }
      this.units += unitsMax - budget.left;
      expect(this.units - before).toBeLessThan(unitsMax + 100);
    }
  }
}

const many = 20_000;
const numbers = Array.from({ length: many }, (_, index) => index);

test("[DOC-6] a waiting update is looked at when a clock that it names is reached, and not before", () => {
  const backlog = new Backlog();
  backlog.park("gap", updateOf([{ client: 7, clock: 2, origins: [[9, 0]] }]));
  backlog.park(
    "deletes",
    updateOf(
      [],
      [
        {
          client: 7,
          ranges: [
            [1, 1],
            [5, 2],
          ],
        },
      ],
    ),
  );
  const parked = backlog.units;
  backlog.learn(letter(8, 0));
  backlog.learn(letter(7, 0));
  backlog.learn(letter(9, 0));
  expect([backlog.freed, backlog.units]).toEqual([[], parked]);
  // Clock 1 of client 7 is what one of them deletes, and what the other one follows on.
  backlog.learn(letter(7, 1));
  expect(backlog.freed.map(({ id }) => id).toSorted()).toEqual(["deletes", "gap"]);
  expect(backlog.knowledge.clockOf(7)).toBe(3);
  expect(backlog.waiting.hasWork).toBe(false);
});

test("[DOC-6] what is removed leaves nothing behind that is looked at again", () => {
  const backlog = new Backlog();
  const clients = numbers
    .slice(0, 100)
    .map((index) => ({ client: 100 + index, origins: [[7, index] as Id] }));
  backlog.park("all", updateOf(clients, [{ client: 7, ranges: [[0, 50]] }]));
  const parked = backlog.units;
  backlog.waiting.remove("all");
  for (let clock = 0; clock < 100; clock++) backlog.learn(letter(7, clock));
  expect([backlog.freed, backlog.units]).toEqual([[], parked]);
});

const shapes: [string, () => { parked: ParsedUpdate[]; letters: Iterable<ParsedUpdate> }][] = [
  [
    "structs of one client, each behind the next letter",
    () => ({
      parked: [updateOf([{ client: 9, origins: numbers.map((clock): Id => [7, clock]) }])],
      letters: numbers.map((clock) => letter(7, clock)),
    }),
  ],
  [
    "structs of one client, the first of them behind the last letter",
    () => ({
      parked: [
        updateOf([{ client: 9, origins: numbers.map((clock): Id => [7, many - 1 - clock]) }]),
      ],
      letters: numbers.map((clock) => letter(7, clock)),
    }),
  ],
  [
    "clients that each wait for another letter",
    () => ({
      parked: [
        updateOf(numbers.map((clock) => ({ client: 100_000 - clock, origins: [[7, clock]] }))),
      ],
      letters: numbers.map((clock) => letter(7, clock)),
    }),
  ],
  [
    "clients that each wait for another client",
    () => ({
      parked: [
        updateOf(
          numbers.map((index) => ({ client: 300_000 - index, origins: [[100 + index, 0]] })),
        ),
      ],
      letters: numbers.map((index) => letter(100 + ((index * 7_919) % many), 0)),
    }),
  ],
  [
    "two clients that wait for each other's structs and for one letter each time",
    () => {
      const mine = numbers.map((clock): Id => [8, clock]);
      const theirs = numbers.map((clock): Id => (clock === 0 ? [7, 0] : [9, clock - 1]));
      const origins = theirs.map((id, clock): Id => (clock % 2 === 0 ? [7, clock] : id));
      const update = updateOf([
        { client: 9, origins: mine },
        { client: 8, origins },
      ]);
      return { parked: [update], letters: numbers.map((clock) => letter(7, clock)) };
    },
  ],
  [
    "many updates that wait for the same letter",
    () => ({
      parked: numbers
        .slice(0, 1_024)
        .map((index) =>
          updateOf([
            { client: 100 + index, origins: Array.from({ length: 20 }, (): Id => [7, 0]) },
          ]),
        ),
      letters: [letter(7, 0)],
    }),
  ],
];

test.each(shapes)(
  "[DOC-6] the work is that of what is freed: %s",
  (_, shape) => {
    const { parked, letters } = shape();
    const backlog = new Backlog();
    parked.forEach((update, index) => backlog.park(String(index), update));
    for (const update of letters) backlog.learn(update);
    const structs = parked.reduce(
      (sum, { runs }) => sum + runs.reduce((inner, { structCount }) => inner + structCount, 0),
      0,
    );
    expect(backlog.structsFreed).toBe(structs);
    // Each is read, waits, is taken out of the index, and read again: not the whole rest each time.
    expect(backlog.units).toBeLessThan(6 * structs + 2_000);
  },
  60_000,
);

test("[DOC-6] 65,536 deleted ranges that get free one after the other are looked at once each", () => {
  const count = 65_536;
  const backlog = new Backlog();
  const ranges = Array.from({ length: count }, (_, index): Id => [2 * index + 1, 1]);
  backlog.park("deletes", updateOf([], [{ client: 7, ranges }]));
  for (let clock = 0; clock <= 2 * count; clock += 1) {
    backlog.learn(letter(7, clock));
  }
  expect(backlog.freed).toHaveLength(count);
  expect(backlog.knowledge.deletes.rangesOf(7)?.pairs).toHaveLength(2 * count);
  expect(backlog.units).toBeLessThan(5 * count);
}, 60_000);

test("[DOC-6] a part that is put back is freed again, with what became free meanwhile", () => {
  const waiting = new WaitingUpdates();
  const knowledge = new DocumentKnowledge();
  const budget = new WorkBudget(1_000);
  const learn = (update: ParsedUpdate): void => {
    knowledge.learn(update);
    waiting.advance(update);
  };
  waiting.add(
    "one",
    updateOf([
      {
        client: 9,
        origins: [
          [7, 0],
          [7, 1],
        ],
      },
    ]),
  );
  learn(letter(7, 0));
  expect(waiting.next(knowledge, budget)?.update?.runs).toMatchObject([{ client: 9, endClock: 1 }]);
  learn(letter(7, 1));
  // While it is out nothing more of it is handed out.
  expect(waiting.next(knowledge, budget)).toBeUndefined();
  waiting.putBack("one");
  const again = waiting.next(knowledge, budget)!;
  expect(again.update?.runs).toMatchObject([{ client: 9, clock: 0, endClock: 2 }]);
  learn(again.update!);
  expect(waiting.keep("one")).toBe(true);
  expect(waiting.next(knowledge, budget)).toBeUndefined();
});

const scenario = fc.record({
  script: steps,
  order: delivery,
  stock: fc.boolean(),
  budget: fc.integer({ min: 1, max: 12 }),
  refusals: fc.array(fc.boolean(), { maxLength: 40 }),
});

test("[DOC-6] whatever waits, is interrupted and put back: in the end it equals Yjs, and nothing waits", () => {
  fc.assert(
    fc.property(scenario, ({ script, order, stock, budget, refusals }) => {
      const session = play(script, { stock });
      let asked = 0;
      const keeps = (): boolean => refusals[asked++] !== true;
      const log = new AdmittingLog({ budget, keeps });
      for (const update of deliver(session, order)) log.receive(update);
      expect(log.parked).toEqual([]);
      const replay = new Y.Doc();
      for (const { bytes } of log.admitted) {
        Y.applyUpdate(replay, bytes);
        expect([replay.store.pendingStructs, replay.store.pendingDs]).toEqual([null, null]);
      }
      const digest = yjsEngine.fold(log.admitted.map(({ bytes }) => bytes)).digestS(hash);
      expect(digest).toEqual(yjsEngine.fold(session.updates).digestS(hash));
    }),
    runs(60),
  );
});
