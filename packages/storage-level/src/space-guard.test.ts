import { testEnvironment } from "@heddle/testkit";
import { beforeEach, describe, expect, it } from "vitest";

import { SpaceGuard } from "./space-guard.ts";

// Goal: accepting ends before the disk is full, and goes on by itself when there is room again.
// Method: time that stands still, and a disk whose free space the test sets.
describe("SpaceGuard", () => {
  let environment: ReturnType<typeof testEnvironment>;
  let free: number;
  let reserve: boolean;
  let isSilent: boolean;
  let changes: boolean[];
  let guard: SpaceGuard;

  beforeEach(() => {
    environment = testEnvironment("space");
    free = 1_000;
    reserve = false;
    isSilent = false;
    changes = [];
    const disk = {
      freeBytes: async () => {
        if (isSilent) throw new Error("no answer");
        return free;
      },
      hasReserve: async () => reserve,
      makeReserve: async () => {
        reserve = true;
        free -= 50;
      },
      releaseReserve: async () => {
        if (reserve) free += 50;
        reserve = false;
      },
    };
    guard = new SpaceGuard(environment, { lowBytes: 100, reserveBytes: 50 }, disk, () => {
      changes.push(guard.isLow);
    });
  });

  const look = async () => {
    environment.clock.advance(1_000);
    await new Promise((resolve) => setImmediate(resolve));
  };

  it("[STO-12] makes its reserve where there is room for it, and only there", async () => {
    await guard.start();
    expect(reserve).toBe(false);
    await look();
    expect({ reserve, free }).toEqual({ reserve: true, free: 950 });
    expect(changes).toEqual([]);
    reserve = false;
    free = 120;
    await look();
    expect(reserve).toBe(false);
    free = 150;
    await look();
    expect({ reserve, free }).toEqual({ reserve: true, free: 100 });
  });

  it("[STO-12] is low below the mark, and enough only a quarter above it", async () => {
    await guard.start();
    await look();
    for (const [bytes, isLow] of [
      [101, false],
      [99, true],
      [110, true],
      [125, false],
    ] as const) {
      free = bytes;
      await look();
      expect(guard.isLow, `${bytes} bytes`).toBe(isLow);
    }
    expect(changes).toEqual([true, false]);
    const events = environment.logger.lines.map(({ event }) => event);
    expect(events).toEqual(["store.space_low", "store.space_enough"]);
  });

  it("[STO-12] gives the reserve back on a full disk, and accepts again once it is made anew", async () => {
    await guard.start();
    await look();
    free = 0;
    await guard.giveWay();
    expect({ reserve, free, isLow: guard.isLow }).toEqual({
      reserve: false,
      free: 50,
      isLow: true,
    });
    free = 130;
    await look();
    expect(guard.isLow).toBe(true);
    free = 175;
    await look();
    expect({ reserve, isLow: guard.isLow }).toEqual({ reserve: true, isLow: false });
  });

  it("says when the file system does not answer, and goes on looking", async () => {
    await guard.start();
    isSilent = true;
    await look();
    expect(guard.isLow).toBe(false);
    expect(environment.logger.lines.map(({ event }) => event)).toEqual(["store.space_unknown"]);
    isSilent = false;
    free = 10;
    await look();
    expect(guard.isLow).toBe(true);
  });

  it("stops looking when it is closed", async () => {
    await guard.start();
    await guard.close();
    expect(environment.clock.timerCount).toBe(0);
  });
});
