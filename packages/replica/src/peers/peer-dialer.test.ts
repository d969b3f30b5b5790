import { HeddleErrorCode } from "@heddle/core";
import { retryLimits } from "@heddle/sync";
import { testEnvironment } from "@heddle/testkit";
import { describe, expect, test } from "vitest";

import { bench, ScriptedTransport, settled, untilDials } from "./peer-dialer.fixture.ts";
import { PeerDialer, type DialedConnection } from "./peer-dialer.ts";

// Goal: a peer that misbehaves is met with patience, and costs nobody else anything.
// Method: a transport that does what a script says, in virtual time.

describe("a peer that answers", () => {
  test("[WIR-13] is dialed once, and every step of it is an event and a count", async () => {
    const { dialer, dialed, names } = bench("opens");
    dialer.start();
    await settled();
    dialed[0]!.live();
    expect(names()).toEqual(["dialing", "greeting", "live"]);
    expect(dialer.counters).toMatchObject({ dials: 1, opened: 1, live: 1, failures: 0 });
    expect(dialer.counters.entered).toMatchObject({ dialing: 1, greeting: 1, live: 1, waiting: 0 });
  });

  test("[WIR-13] is dialed again after a connection that lasted, as if for the first time", async () => {
    const it = bench("opens");
    const { dialer, dialed, time, transport } = it;
    dialer.start();
    for (let round = 1; round <= 20; round++) {
      await untilDials(it, round);
      dialed.at(-1)!.live();
      time.advance(10_000);
      dialed.at(-1)!.ended(1013);
      expect(dialer.state).toMatchObject({ name: "waiting", failures: 1 });
    }
    const gapsMs = transport.dialsMs
      .slice(1)
      .map((atMs, index) => atMs - transport.dialsMs[index]!);
    expect(Math.max(...gapsMs)).toBeLessThan(10_000 + 2 * retryLimits.delayMsMin + 50);
  });

  test("[WIR-13] and hangs up after each greeting is backed off from like one that does not answer", async () => {
    const it = bench("opens");
    it.dialer.start();
    for (let round = 1; round <= retryLimits.failuresMax; round++) {
      await untilDials(it, round);
      it.dialed.at(-1)!.live();
      it.time.advance(100);
      it.dialed.at(-1)!.ended(1013);
    }
    expect(it.dialer.state.name).toBe("breaker-open");
  });

  test("a connection that ended twice ended once", async () => {
    const { dialer, dialed } = bench("opens");
    dialer.start();
    await settled();
    dialed[0]!.ended(1013);
    dialed[0]!.ended(4403);
    dialed[0]!.live();
    expect(dialer.state).toMatchObject({ name: "waiting", failures: 1 });
    expect(dialer.counters).toMatchObject({ failures: 1, refusals: 0, live: 0 });
  });
});

describe("a peer that fails", () => {
  test.each(["fails", "throws", "stalls"] as const)(
    "[WIR-13] and %s opens the breaker, which half-opens, opens again, and closes",
    async (act) => {
      const it = bench(act);
      const { dialer, transport, time, dialed, names } = it;
      const { failuresMax, openMs } = retryLimits;
      dialer.start();
      for (let round = 1; round <= failuresMax; round++) await untilDials(it, round);
      // A dial that stalls fails at its deadline.
      while (dialer.state.name !== "breaker-open") {
        time.advance(1_000);
        await settled();
      }
      const openedMs = time.monotonicMs();
      const entered = names().filter((name) => name === "breaker-open");
      expect([entered.length, dialer.counters.failures]).toEqual([1, failuresMax]);

      await untilDials(it, failuresMax + 1);
      const halfOpenMs = transport.dialsMs.at(-1)!;
      expect(halfOpenMs - openedMs).toBeGreaterThanOrEqual(openMs * 0.5 - 1_000);
      expect(halfOpenMs - openedMs).toBeLessThanOrEqual(openMs * 1.5 + 100);
      time.advance(act === "stalls" ? 11_000 : 0);
      await settled();
      expect(dialer.state).toMatchObject({ name: "breaker-open", failures: failuresMax + 1 });

      transport.act = "opens";
      await untilDials(it, failuresMax + 2);
      expect(dialer.state).toMatchObject({ name: "greeting", isHalfOpen: true });
      dialed.at(-1)!.live();
      time.advance(10_000);
      dialed.at(-1)!.ended(1012);
      expect(dialer.state).toMatchObject({ name: "waiting", failures: 1 });
    },
  );

  test("[WIR-13] is waited for longer and longer, and told why", async () => {
    const it = bench("fails");
    it.dialer.start();
    await untilDials(it, 5);
    const waits = it.changes.filter(({ state }) => state.name === "waiting");
    expect(waits.map(({ error }) => error?.code)).toEqual(
      waits.map(() => HeddleErrorCode.sessionClosed),
    );
    expect(waits.map(({ state }) => "failures" in state && state.failures)).toEqual([
      1, 2, 3, 4, 5,
    ]);
  });

  test("[WIR-13] is waited for within bounds that are asked for at each failure", async () => {
    let mostMs = 300;
    const retry = () => ({ delayMsMax: mostMs, openMs: mostMs / 1.5 });
    const it = bench("fails", 1, { retry });
    it.dialer.start();
    const { failuresMax } = retryLimits;
    await untilDials(it, failuresMax + 4);
    mostMs = 1_000;
    await untilDials(it, failuresMax + 8);
    const waitsMs = it.changes.flatMap(({ state, atMs }) => {
      return "dueMs" in state && "failures" in state ? [state.dueMs - atMs] : [];
    });
    expect(Math.max(...waitsMs.slice(0, failuresMax + 3))).toBeLessThanOrEqual(300);
    expect(Math.max(...waitsMs.slice(failuresMax + 4))).toBeGreaterThan(300);
  });

  test("[WIR-13] and stalls is given up by the dialer's own deadline, and its late answer closed", async () => {
    const { dialer, transport, time } = bench("stalls", 1, { dialMsMax: 2_000 });
    dialer.start();
    time.advance(1_999);
    expect([dialer.state.name, transport.signals[0]!.aborted]).toEqual(["dialing", false]);
    time.advance(1);
    expect([dialer.state.name, transport.signals[0]!.aborted]).toEqual(["waiting", true]);
    transport.wake();
    await settled();
    expect(transport.closed).toEqual([HeddleErrorCode.sessionClosed]);
    expect(dialer.counters).toMatchObject({ timeouts: 1, late: 1, opened: 0 });
  });

  test("[WIR-13] costs other peers nothing", async () => {
    const environment = testEnvironment();
    const time = environment.clock;
    const dialed: string[] = [];
    const dialers = (["stalls", "fails", "throws", "forbids", "opens"] as const).map((act) => {
      const transport = new ScriptedTransport(act, () => time.monotonicMs());
      const onConnected = ({ live }: DialedConnection) => {
        dialed.push(act);
        live();
      };
      return new PeerDialer({ transport, environment, onConnected });
    });
    for (const dialer of dialers) dialer.start();
    await settled();
    expect(dialed).toEqual(["opens"]);
    expect(dialers.at(-1)!.state.name).toBe("live");
    expect(time.monotonicMs()).toBe(0);
  });
});

test("[WIR-13] 1,000 dialers that lose one relay come back spread, not in step", async () => {
  const all = await Promise.all(
    Array.from({ length: 1_000 }, async (_, seed) => {
      const it = bench("opens", `dialer ${seed}`);
      it.dialer.start();
      await settled();
      it.dialed[0]!.live();
      it.time.advance(10_000);
      return it;
    }),
  );
  for (const { dialed, transport } of all) {
    dialed[0]!.ended(1012);
    transport.act = "fails";
  }
  const failures = 6;
  await Promise.all(all.map((it) => untilDials(it, 1 + failures)));
  for (let failure = 1; failure <= failures; failure++) {
    const { delayMsMin, delayMsMax } = retryLimits;
    const boundMs = Math.min(delayMsMax, delayMsMin * 2 ** failure);
    const waited = all.map(({ changes }) => {
      const waits = changes.filter(({ state }) => state.name === "waiting");
      const { state, atMs } = waits[failure - 1]!;
      const next = changes.indexOf(waits[failure - 1]!) + 1;
      expect(changes[next]!.state.name).toBe("dialing");
      expect("dueMs" in state && changes[next]!.atMs >= state.dueMs).toBe(true);
      return "dueMs" in state ? state.dueMs - atMs : Number.NaN;
    });
    const tenths = Array.from({ length: 10 }, () => 0);
    for (const delayMs of waited) {
      expect(delayMs).toBeGreaterThanOrEqual(delayMsMin);
      expect(delayMs).toBeLessThan(boundMs);
      const tenth = Math.floor(((delayMs - delayMsMin) / (boundMs - delayMsMin)) * 10);
      tenths[tenth]!++;
    }
    // 100 each if the draw is even; five standard deviations are 47.
    for (const count of tenths) expect(Math.abs(count - 100)).toBeLessThan(50);
  }
});

describe("a refusal for good", () => {
  test("[WIR-13] of a dial stops it, says so, and is asked again only by hand", async () => {
    const { dialer, transport, time, changes, dialed } = bench("forbids");
    dialer.start();
    await settled();
    expect(dialer.state).toEqual({ name: "refused", code: 4403 });
    expect(changes.at(-1)!.error).toMatchObject({ code: HeddleErrorCode.sessionRefused });
    time.advance(24 * 3_600_000);
    dialer.setOnline(false);
    dialer.setOnline(true);
    await settled();
    expect([transport.dialsMs.length, dialer.counters.refusals]).toEqual([1, 1]);
    expect(time.timerCount).toBe(0);
    transport.act = "opens";
    dialer.retryNow();
    await settled();
    expect([dialed.length, dialer.state.name]).toEqual([1, "greeting"]);
  });

  test("[WIR-13] of a session is one as well, and a close that passes is not", async () => {
    for (const [closeCode, name] of [
      [4401, "refused"],
      [4426, "refused"],
      [1013, "waiting"],
      [1006, "waiting"],
    ] as const) {
      const { dialer, dialed } = bench("opens");
      dialer.start();
      await settled();
      dialed[0]!.ended(closeCode);
      expect(dialer.state.name).toBe(name);
    }
  });
});

describe("without a network", () => {
  test("[WIR-13] nothing is dialed and nothing fails; with it the first attempt is at once", async () => {
    const { dialer, transport, time } = bench("fails");
    dialer.setOnline(false);
    dialer.start();
    time.advance(3_600_000);
    expect([dialer.state.name, transport.dialsMs, time.timerCount]).toEqual(["offline", [], 0]);
    expect(dialer.counters.failures).toBe(0);
    transport.act = "opens";
    dialer.setOnline(true);
    await settled();
    expect([dialer.state.name, transport.dialsMs]).toEqual(["greeting", [3_600_000]]);
  });

  test("[WIR-13] a dial is aborted, a wait ends, and a connection lasts as long as it does", async () => {
    const stalled = bench("stalls");
    stalled.dialer.start();
    stalled.dialer.setOnline(false);
    expect(stalled.transport.signals[0]!.aborted).toBe(true);
    expect(stalled.dialer.state.name).toBe("offline");
    expect(stalled.dialer.counters).toMatchObject({ aborted: 1, failures: 0 });

    const waiting = bench("fails");
    waiting.dialer.start();
    await settled();
    waiting.dialer.setOnline(false);
    expect([waiting.dialer.state.name, waiting.time.timerCount]).toEqual(["offline", 0]);

    const live = bench("opens");
    live.dialer.start();
    await settled();
    live.dialed[0]!.live();
    live.dialer.setOnline(false);
    expect(live.dialer.state.name).toBe("live");
    live.dialed[0]!.ended(1006);
    expect(live.dialer.state.name).toBe("offline");
    live.time.advance(3_600_000);
    expect(live.dialer.counters.dials).toBe(1);
    live.dialer.setOnline(true);
    expect(live.dialer.counters.dials).toBe(2);
  });
});

describe("by hand", () => {
  test("[WIR-13] a peer that is waited for, or behind the breaker, is dialed at once", async () => {
    const it = bench("fails");
    it.dialer.start();
    for (let round = 1; round <= retryLimits.failuresMax; round++) await untilDials(it, round);
    for (const expected of ["breaker-open", "waiting"]) {
      expect(it.dialer.state.name).toBe(expected);
      const { dials } = it.dialer.counters;
      it.dialer.retryNow();
      await settled();
      expect(it.dialer.counters.dials).toBe(dials + 1);
    }
  });

  test.each(["stalls", "fails", "opens"] as const)(
    "[WIR-13] a dialer whose peer %s stops for ever and leaves no timer",
    async (act) => {
      const { dialer, transport, time, dialed } = bench(act);
      dialer.start();
      await settled();
      dialed[0]?.live();
      dialer.stop();
      dialer.stop();
      expect([dialer.state.name, time.timerCount]).toEqual(["stopped", 0]);
      expect(transport.signals[0]!.aborted).toBe(act === "stalls");
      dialed[0]?.ended(1013);
      dialer.retryNow();
      dialer.setOnline(false);
      transport.wake();
      await settled();
      time.advance(3_600_000);
      expect([dialer.state.name, dialer.counters.dials]).toEqual(["stopped", 1]);
      expect(transport.closed).toHaveLength(act === "stalls" ? 1 : 0);
    },
  );

  test("a listener may call back in", async () => {
    let calls = 0;
    const it = bench("fails", 1, {
      onChange: ({ state }) => {
        if (state.name === "waiting" && calls++ < 3) it.dialer.retryNow();
        if (state.name === "waiting" && calls > 3) it.dialer.stop();
      },
    });
    it.dialer.start();
    await settled();
    expect([it.dialer.state.name, it.dialer.counters.dials]).toEqual(["stopped", 4]);
    expect(it.time.timerCount).toBe(0);
  });
});
