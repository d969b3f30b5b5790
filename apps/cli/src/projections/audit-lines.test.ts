import type { AuditRecord, LogStore } from "@heddle/core";
import {
  encodeAuditEntry,
  MemoryProjectionDisk,
  MemoryProjectionStore,
  type ProjectionStore,
} from "@heddle/reconcile";
import { beforeEach, expect, test } from "vitest";

import { auditLinesMax, isUnreadable, readAuditLines, readTrimmed } from "./audit-lines.ts";

// Goal: the journals are shown whole and in order, what is damaged in its place.

const disk = { current: new MemoryProjectionDisk() };
let projections: ProjectionStore;

beforeEach(async () => {
  disk.current = new MemoryProjectionDisk();
  const clock = { nowMs: () => 0, monotonicMs: () => 0 };
  projections = await MemoryProjectionStore.open(disk.current, clock);
});

function entryAt(atMs: number, projection = "likes"): Uint8Array {
  return encodeAuditEntry({
    id: new Uint8Array(16),
    atMs,
    by: "tests",
    subject: { of: "row", projection },
    cause: "tampered",
    action: "corrected",
    result: "applied",
    detail: "",
  });
}

function logOf(...entries: (Uint8Array | undefined)[]): LogStore {
  const records = entries.map((bytes, index): AuditRecord => ({ number: index + 1, bytes }));
  const readAudit = async function* () {
    yield records;
  };
  return { readAudit } as unknown as LogStore;
}

const shown = async (log: LogStore, limit: number, projection?: string): Promise<string[]> => {
  const lines = await readAuditLines({ log, projections }, { limit, projection });
  return lines.map(
    (line) => `${line.journal} ${line.number}${isUnreadable(line) ? " damaged" : ""}`,
  );
};

test("an entry that cannot be read is shown where it was written, and not left out before all others", async () => {
  await projections.apply({ audit: [entryAt(1), entryAt(3), entryAt(6), entryAt(8)] });
  disk.current.audit[2] = "damaged";
  const log = logOf(entryAt(2), undefined, entryAt(7), Uint8Array.of(1, 2, 3));
  expect(await shown(log, 100)).toEqual([
    "projections 1",
    "replica 1",
    "replica 2 damaged",
    "projections 2",
    "projections 3 damaged",
    "replica 3",
    "replica 4 damaged",
    "projections 4",
  ]);
  expect(await shown(log, 3)).toEqual(["replica 3", "replica 4 damaged", "projections 4"]);
  // Nobody knows of which projection it was.
  expect(await shown(log, 100, "loves")).toEqual(["projections 3 damaged"]);
});

test("a wall clock may have said anything", async () => {
  const log = logOf(entryAt(Number.MAX_SAFE_INTEGER), entryAt(0));
  const lines = await readAuditLines({ log, projections }, { limit: 10 });
  expect(lines.map(({ at }) => at)).toEqual(["1970-01-01T00:00:00.000Z", "9007199254740991 ms"]);
});

test.each([0, -1, 1.5, Number.NaN, auditLinesMax + 1, "5" as unknown as number])(
  "%s lines are refused with a code",
  async (limit) => {
    await expect(readAuditLines({ log: logOf(), projections }, { limit })).rejects.toMatchObject({
      code: "HEDDLE_CONFIG_INVALID",
    });
  },
);

test("[PRJ-19] what a journal does not keep any more is said, by journal", async () => {
  await projections.apply({ audit: [entryAt(1), entryAt(3), entryAt(6)], trimAudit: 2 });
  expect(await readTrimmed({ log: logOf(entryAt(2)), projections })).toEqual([
    { journal: "projections", trimmed: 2 },
  ]);
  expect(await shown(logOf(), 100)).toEqual(["projections 3"]);
  const late = { number: 8, bytes: entryAt(2) };
  const readAudit = async function* () {
    yield [late];
  };
  const log = { readAudit } as unknown as LogStore;
  expect(await readTrimmed({ log, projections })).toEqual([
    { journal: "projections", trimmed: 2 },
    { journal: "replica", trimmed: 7 },
  ]);
});
