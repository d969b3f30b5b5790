import { ManualTime } from "@heddle/testkit";
import { afterEach, expect, test, vi } from "vitest";

import { ProgressTeller, type Progress } from "./progress-teller.ts";
import type { Outbox, Saved, SyncStatus } from "./provider-events.ts";

afterEach(() => vi.useRealTimers());

const empty: Outbox = { pending: 0, bytes: 0, oldestMs: undefined };

function newTeller(start: Partial<Progress> = {}) {
  const scheduler = new ManualTime(0);
  const told: [string, Saved | Outbox | SyncStatus["status"]][] = [];
  const about = { isConnected: true, isSynced: true, lastMessageMs: undefined, ...start };
  let progress: Progress = { saved: false, outbox: empty, ...about };
  const teller = new ProgressTeller({
    scheduler,
    read: () => progress,
    onSaved: (saved) => told.push(["saved", saved]),
    onOutbox: (outbox) => told.push(["outbox", outbox]),
    onSyncStatus: ({ status }) => told.push(["status", status]),
  });
  const set = (next: Partial<Progress>): void => {
    progress = { ...progress, ...next };
  };
  return { teller, told, set, scheduler };
}

test("[CLT-2] tells each change once, and only when it is settled", async () => {
  const { teller, told, set } = newTeller();
  const outbox = { pending: 2, bytes: 90, oldestMs: 5 };
  teller.soon();
  // In between it looks as if nothing were left to send.
  set({ saved: "strict", outbox: empty });
  set({ saved: "strict", outbox });
  teller.soon();
  await Promise.resolve();
  teller.now();
  const news = told.filter(([name]) => name !== "status");
  expect(news).toEqual([
    ["saved", "strict"],
    ["outbox", outbox],
  ]);
});

test("[CLT-2] what is not sent is yellow, and red when that lasts", () => {
  vi.useFakeTimers({ now: 1_000 });
  const { teller, told, set, scheduler } = newTeller();
  teller.now();
  expect(told.at(-1)).toEqual(["status", "green"]);
  set({ outbox: { pending: 1, bytes: 40, oldestMs: 1_000 } });
  teller.now();
  expect(told.at(-1)).toEqual(["status", "yellow"]);
  vi.setSystemTime(9_000);
  scheduler.advance(8_000);
  expect(told.at(-1)).toEqual(["status", "red"]);
  expect(teller.syncStatus).toMatchObject({ localUpdatesAge: 8_000, localUpdatesSynced: false });
  set({ outbox: empty });
  teller.now();
  expect(told.at(-1)).toEqual(["status", "green"]);
  const before = told.length;
  teller.stop();
  teller.now();
  expect(told).toHaveLength(before);
});

test("is not green before the first exchange, nor without a connection", () => {
  expect(newTeller({ isSynced: false }).teller.syncStatus.status).toBe("yellow");
  expect(newTeller({ isConnected: false }).teller.syncStatus.status).toBe("yellow");
});
