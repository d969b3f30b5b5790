import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { compareBytes } from "./bytes.ts";
import { SetClock } from "./environment.fixture.ts";
import { HeddleErrorCode } from "./errors.ts";
import { compareHlc, decodeHlc, encodeHlc, hlcLeadMsMax, HybridClock } from "./hybrid-clock.ts";

const hlcs = fc.record({
  wallMs: fc.oneof(fc.nat({ max: 3 }), fc.nat(), fc.constantFrom(2 ** 32, 2 ** 48 - 1)),
  counter: fc.oneof(fc.nat({ max: 3 }), fc.constant(2 ** 16 - 1)),
});

describe("HybridClock", () => {
  test("[LOG-1] readings rise whatever the wall clock and the peers do", () => {
    const step = fc.oneof(
      fc.record({ setMs: fc.oneof(fc.integer({ min: -9, max: 99 }), fc.nat()) }),
      fc.record({ observed: hlcs }),
      fc.constant({}),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const wall = new SetClock(50);
        const clock = new HybridClock(wall);
        let before = clock.tick();
        for (const { setMs, observed } of steps as { setMs?: number; observed?: never }[]) {
          if (setMs !== undefined) wall.wallMs = setMs;
          if (observed !== undefined) clock.observe(observed);
          const now = clock.tick();
          expect(compareHlc(now, before)).toBeGreaterThan(0);
          expect(clock.last).toEqual(now);
          before = now;
        }
      }),
    );
  });

  test("[LOG-1] a clock set back counts on, one set forward is followed", () => {
    const wall = new SetClock(1_000);
    const clock = new HybridClock(wall);
    expect(clock.tick()).toEqual({ wallMs: 1_000, counter: 0 });
    wall.wallMs = 400;
    expect(clock.tick()).toEqual({ wallMs: 1_000, counter: 1 });
    wall.wallMs = 9_000.9;
    expect(clock.tick()).toEqual({ wallMs: 9_000, counter: 0 });
    wall.wallMs = -1;
    expect(clock.tick()).toEqual({ wallMs: 9_000, counter: 1 });
    wall.wallMs = Number.NaN;
    expect(clock.tick()).toEqual({ wallMs: 9_000, counter: 2 });
  });

  test("[LOG-1] a full counter carries into the milliseconds", () => {
    const clock = new HybridClock(new SetClock(7), { wallMs: 7, counter: 2 ** 16 - 2 });
    expect(clock.tick()).toEqual({ wallMs: 7, counter: 2 ** 16 - 1 });
    expect(clock.tick()).toEqual({ wallMs: 8, counter: 0 });
    expect(clock.tick()).toEqual({ wallMs: 8, counter: 1 });
  });

  test("a restart continues above what was stored", () => {
    const clock = new HybridClock(new SetClock(5), { wallMs: 80, counter: 3 });
    expect(clock.tick()).toEqual({ wallMs: 80, counter: 4 });
  });

  test("a peer pulls the clock forward, but never further than the lead it may have", () => {
    const clock = new HybridClock(new SetClock(1_000));
    const atMost = { wallMs: 1_000 + hlcLeadMsMax, counter: 6 };
    expect(clock.observe({ wallMs: atMost.wallMs + 1, counter: 0 })).toEqual({ ahead: true });
    expect(clock.tick()).toEqual({ wallMs: 1_000, counter: 0 });
    expect(clock.observe(atMost)).toEqual({ ahead: false });
    expect(clock.tick()).toEqual({ ...atMost, counter: 7 });
    expect(clock.observe({ wallMs: 3, counter: 3 })).toEqual({ ahead: false });
    expect(clock.last).toEqual({ ...atMost, counter: 7 });
  });
});

describe("clock readings", () => {
  test("come back from their 8 bytes, and byte order is clock order", () => {
    fc.assert(
      fc.property(hlcs, hlcs, (a, b) => {
        expect(decodeHlc(encodeHlc(a))).toEqual(a);
        const order = compareBytes(encodeHlc(a), encodeHlc(b));
        expect(Math.sign(order)).toBe(Math.sign(compareHlc(a, b)));
      }),
    );
  });

  test("[LOG-4] are refused at any other length", () => {
    const malformed = expect.objectContaining({ code: HeddleErrorCode.frameMalformed });
    for (const length of [0, 7, 9]) {
      expect(() => decodeHlc(new Uint8Array(length))).toThrow(malformed);
    }
  });

  test("outside 48 and 16 bit are a mistake of the programmer", () => {
    const outside = [
      { wallMs: 2 ** 48, counter: 0 },
      { wallMs: 0, counter: 2 ** 16 },
    ];
    for (const hlc of [...outside, { wallMs: -1, counter: 0 }]) {
      expect(() => encodeHlc(hlc)).toThrow("64 bit");
    }
  });
});
