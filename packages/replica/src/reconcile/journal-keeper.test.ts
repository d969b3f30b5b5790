import {
  encodeAuditEntry,
  lastAuditNumber,
  MemoryProjectionDisk,
  MemoryProjectionStore,
  readJournalExtent,
} from "@heddle/reconcile";
import { testEnvironment } from "@heddle/testkit";
import { beforeEach, expect, test } from "vitest";

import { JournalKeeper } from "./journal-keeper.ts";

// Goal: a journal has bounds, and what they take away is known for good.
// Method: entries of many days, a clock that is moved by hand, entries that cannot be read.

const dayMs = 24 * 60 * 60 * 1_000;
let environment: ReturnType<typeof testEnvironment>;
let disk: MemoryProjectionDisk;
let store: MemoryProjectionStore;

beforeEach(async () => {
  environment = testEnvironment();
  disk = new MemoryProjectionDisk();
  store = await MemoryProjectionStore.open(disk, environment.clock);
});

async function write(count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    const entry = encodeAuditEntry({
      id: new Uint8Array(16),
      atMs: environment.clock.nowMs(),
      by: "tests",
      subject: { of: "row", projection: "likes" },
      cause: "tampered",
      action: "corrected",
      result: "applied",
      detail: "",
    });
    await store.apply({ audit: [entry] });
  }
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 200; turn++) await Promise.resolve();
}

/** A keeper that has looked once. */
async function keep(bounds: { countMax: number; ageMsMax: number }): Promise<JournalKeeper> {
  const keeper = new JournalKeeper({ store, environment, bounds });
  keeper.start();
  await keeper.close();
  return keeper;
}

test("[PRJ-19] entries that are too many or too old go, the oldest first, and are counted over restarts", async () => {
  await write(10);
  environment.clock.advance(5 * dayMs);
  await write(5);
  const untouched = await keep({ countMax: 100, ageMsMax: 30 * dayMs });
  expect(untouched.trimmed).toBe(0);
  expect(await readJournalExtent(store)).toEqual({ first: 1, last: 15 });
  const many = await keep({ countMax: 12, ageMsMax: 30 * dayMs });
  expect(many.trimmed).toBe(3);
  const old = await keep({ countMax: 12, ageMsMax: 2 * dayMs });
  expect(old.trimmed).toBe(10);
  expect(await readJournalExtent(store)).toEqual({ first: 11, last: 15 });
  await store.close();
  store = await MemoryProjectionStore.open(disk, environment.clock);
  const again = await keep({ countMax: 12, ageMsMax: 2 * dayMs });
  expect(again.trimmed).toBe(10);
  const said = environment.logger.lines.filter(({ event }) => {
    return event === "projections.journal_trimmed";
  });
  expect(said.map(({ fields }) => fields)).toMatchObject([
    { count: 3, ever: 3 },
    { count: 7, ever: 10 },
  ]);
});

test("[PRJ-19] the newest stays and numbers go on; what cannot be read goes with those behind it", async () => {
  await write(4);
  disk.audit[0] = "damaged";
  disk.audit[1] = Uint8Array.of(1, 2, 3);
  environment.clock.advance(10 * dayMs);
  await keep({ countMax: 100, ageMsMax: dayMs });
  expect(await readJournalExtent(store)).toEqual({ first: 4, last: 4 });
  await write(1);
  expect(await lastAuditNumber(store)).toBe(5);
  // A damaged one at the end may be new: it stays until a young one is behind it.
  disk.audit[1] = "damaged";
  await keep({ countMax: 100, ageMsMax: dayMs });
  expect(await readJournalExtent(store)).toEqual({ first: 5, last: 5 });
});

test("it looks again every hour, also after a store that failed", async () => {
  await write(3);
  const apply = store.apply.bind(store);
  let failures = 1;
  store.apply = (batch) => (failures-- > 0 ? Promise.reject(new Error("disk")) : apply(batch));
  const bounds = { countMax: 1, ageMsMax: dayMs };
  const keeper = new JournalKeeper({ store, environment, bounds });
  keeper.start();
  await settled();
  expect(keeper.trimmed).toBe(0);
  environment.clock.advance(60 * 60 * 1_000);
  await settled();
  expect(keeper.trimmed).toBe(2);
  await keeper.close();
});
