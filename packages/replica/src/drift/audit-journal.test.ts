import {
  HeddleError,
  HeddleErrorCode,
  HybridClock,
  MemoryDisk,
  MemoryLogStore,
  type AuditRecord,
  type LogStore,
} from "@heddle/core";
import { collectChunks, testEnvironment } from "@heddle/testkit";
import { expect, test } from "vitest";

import { AuditJournal, readAuditJournal, type AuditNote } from "./audit-journal.ts";

// Goal: what waits for the store is written once, however many entries come meanwhile.

const environment = testEnvironment("audit journal");
const document = "ab".repeat(16) as never;
const noteOf = (detail: string): AuditNote => ({
  subject: { of: "document", document },
  cause: "gap",
  action: "none",
  result: "reported",
  detail,
});

test("[DRF-4] entries that are written at once bring what waited before them once, in order", async () => {
  const store = await MemoryLogStore.open(new MemoryDisk(), environment.random);
  const append = store.append.bind(store);
  let refusals = 2;
  store.append = async (batch) => {
    await Promise.resolve();
    if (refusals-- > 0) throw new HeddleError(HeddleErrorCode.storageIo, "the disk is away");
    return await append(batch);
  };
  const clock = new HybridClock(environment.clock);
  const journal = new AuditJournal({ store, environment, by: "tests", tick: () => clock.tick() });
  await Promise.all([journal.write(noteOf("1")), journal.write(noteOf("2"))]);
  expect(journal.unwritten).toBe(2);
  await Promise.all([journal.write(noteOf("3")), journal.write(noteOf("4"))]);
  expect(journal.unwritten).toBe(0);
  const written: (string | undefined)[] = [];
  for await (const { entry } of readAuditJournal(store)) written.push(entry?.detail);
  expect(written).toEqual(["1", "2", "3", "4"]);
});

test("[DRF-4] an entry that is damaged is named, and so is one of a later heddle", async () => {
  const store = await MemoryLogStore.open(new MemoryDisk(), environment.random);
  const clock = new HybridClock(environment.clock);
  const journal = new AuditJournal({ store, environment, by: "tests", tick: () => clock.tick() });
  await journal.write(noteOf("whole"));
  const [whole] = await collectChunks(store.readAudit());
  const later = whole!.bytes!.with(1, 200);
  const records: AuditRecord[] = [
    { number: 1, bytes: undefined },
    { number: 2, bytes: later },
    { number: 3, bytes: whole!.bytes },
  ];
  const readAudit = async function* (): ReturnType<LogStore["readAudit"]> {
    yield records;
  };
  const read: unknown[] = [];
  for await (const { number, entry, failure } of readAuditJournal({ readAudit })) {
    read.push([number, entry?.detail, failure?.code]);
  }
  expect(read).toEqual([
    [1, undefined, "HEDDLE_STORAGE_CORRUPT"],
    [2, undefined, "HEDDLE_PROTOCOL_VERSION"],
    [3, "whole", undefined],
  ]);
});
