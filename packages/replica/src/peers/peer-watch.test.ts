import { HeddleError, HeddleErrorCode } from "@heddle/core";
import { testEnvironment } from "@heddle/testkit";
import { expect, test } from "vitest";

import type { DialerState } from "./dialer-state.ts";
import { PeerWatch } from "./peer-watch.ts";

// Goal: who reads warnings only hears of a peer that is gone or refuses, once, and of nothing that passes.

const waiting: DialerState = { name: "waiting", failures: 1, dueMs: 0 };
const dialing: DialerState = { name: "dialing", failures: 0, isHalfOpen: false };
const live: DialerState = { name: "live" };
const gone = new HeddleError(HeddleErrorCode.sessionClosed, "nobody there");

function bench() {
  const { clock, scheduler, logger } = testEnvironment();
  const watch = new PeerWatch({ name: "ws://other", environment: { clock, scheduler, logger } });
  let previous: DialerState = { name: "idle" };
  const go = (state: DialerState, error?: HeddleError): void => {
    watch.changed({ state, previous, ...(error && { error }) });
    previous = state;
  };
  const told = () => logger.lines.filter(({ event }) => event !== "peer.state");
  return { clock, logger, go, told };
}

test("[OPS-6] a peer that cannot be reached at the start is told at once, and once", () => {
  const { clock, go, told } = bench();
  go(dialing);
  clock.advance(10);
  go(waiting, gone);
  for (let round = 0; round < 5; round++) {
    clock.advance(60_000);
    go(dialing);
    go({ name: "breaker-open", failures: 9, dueMs: 0 }, gone);
  }
  const fields = { peer: "ws://other", wasLive: false, forMs: 10, code: gone.code };
  expect(told()).toEqual([{ level: "warn", event: "peer.lost", fields }]);
  go(live);
  expect(told()[1]).toMatchObject({ level: "info", event: "peer.back" });
  expect(clock.timerCount).toBe(0);
});

test("[OPS-6] a peer that was here is lost after half a minute without a session, not after a blink", () => {
  const { clock, logger, go, told } = bench();
  go(live);
  for (const blinkMs of [1_000, 29_000]) {
    go(waiting, gone);
    clock.advance(blinkMs);
    go(dialing);
    go(live);
  }
  expect(told()).toEqual([]);
  go(waiting);
  clock.advance(20_000);
  go(dialing);
  go(waiting, gone);
  clock.advance(10_000);
  const fields = { peer: "ws://other", wasLive: true, forMs: 30_000, code: gone.code };
  expect(told()).toEqual([{ level: "warn", event: "peer.lost", fields }]);
  clock.advance(15_000);
  go(live);
  expect(told()[1]?.fields).toEqual({ peer: "ws://other", forMs: 45_000 });
  expect(new Set(logger.lines.map(({ event }) => event))).toContain("peer.state");
});

test("[OPS-6] a peer that refuses is told at once; offline and stopped are no trouble", () => {
  const { clock, go, told } = bench();
  const refusal = new HeddleError(HeddleErrorCode.sessionRefused, "not you");
  go(dialing);
  go({ name: "refused", code: 4401 }, refusal);
  const fields = { peer: "ws://other", closeCode: 4401, code: refusal.code };
  expect(told()).toEqual([{ level: "warn", event: "peer.refused", fields }]);
  go(dialing);
  go(live);
  for (const name of ["offline", "stopped"] as const) {
    go(waiting);
    go({ name });
    clock.advance(120_000);
  }
  expect(told().filter(({ level }) => level === "warn")).toHaveLength(1);
  expect(clock.timerCount).toBe(0);
});
