import { laneId, type Attribution } from "@heddle/core";
import * as fc from "fast-check";
import { expect, test } from "vitest";

import { attributionWindowMs, coalesce } from "./attribution-journal.ts";

const lanes = [1, 2].map((byte) => laneId(new Uint8Array(16).fill(byte)));

interface Plan {
  readonly lane: number;
  readonly who: number;
  readonly why: number;
  readonly gapMs: number;
  readonly client: number;
  readonly length: number;
}

const plans: fc.Arbitrary<Plan[]> = fc.array(
  fc.record({
    lane: fc.nat(1),
    who: fc.nat(3),
    why: fc.nat(3),
    gapMs: fc.integer({ min: 0, max: 2 * attributionWindowMs }),
    client: fc.nat(4),
    length: fc.integer({ min: 0, max: 3 }),
  }),
  { maxLength: 120 },
);

/** Envelopes of two lanes as attributions of one each; every clock is written once. */
function attributionsOf(list: readonly Plan[]): Attribution[] {
  let wallMs = 1_795_000_000_000;
  const clocks = new Map<number, number>();
  const seqs = [0, 0];
  return list.map(({ lane, who, why, gapMs, client, length }) => {
    wallMs += gapMs;
    const seq = ++seqs[lane]!;
    const clock = clocks.get(client) ?? 0;
    clocks.set(client, clock + length);
    const hlc = { wallMs, counter: seq % 3 };
    return {
      lane: lanes[lane]!,
      fromSeq: seq,
      toSeq: seq,
      envelopes: 1,
      firstHlc: hlc,
      lastHlc: hlc,
      clients: new Map(length > 0 ? [[client, [clock, clock + length]]] : []),
      ...(who > 0 && { principal: Uint8Array.of(who) }),
      ...(why > 1 && { reason: Uint8Array.of(why) }),
      isJoined: false,
    };
  });
}

function clocksOf(attributions: readonly Attribution[]): string[] {
  return attributions
    .flatMap(({ clients }) => [...clients])
    .flatMap(([client, ranges]) => {
      const clocks: string[] = [];
      for (let at = 0; at < ranges.length; at += 2) {
        for (let clock = ranges[at]!; clock < ranges[at + 1]!; clock++) {
          clocks.push(`${client} ${clock}`);
        }
      }
      return clocks;
    })
    .toSorted();
}

test("[CKP-6] joining loses no envelope and no clock, keeps writers apart, and keeps to its bound", () => {
  fc.assert(
    fc.property(plans, fc.integer({ min: 2, max: 60 }), (list, countMax) => {
      const single = attributionsOf(list);
      const joined = coalesce(single, countMax);
      expect(joined.length).toBeLessThanOrEqual(Math.max(countMax, 2));
      expect(joined.reduce((sum, { envelopes }) => sum + envelopes, 0)).toBe(single.length);
      expect(clocksOf(joined)).toEqual(clocksOf(single));
      // One place each: the first envelope names the record.
      const places = joined.map(({ lane, fromSeq }) => `${lane} ${fromSeq}`);
      expect(new Set(places).size).toBe(places.length);
      for (const one of joined) {
        const ofIt = single.filter(({ lane, fromSeq }) => {
          return lane === one.lane && fromSeq >= one.fromSeq && fromSeq <= one.toSeq;
        });
        const writers = new Set(ofIt.map(({ principal }) => principal?.[0]));
        if (!one.isJoined) expect(writers.has(one.principal?.[0])).toBe(true);
        expect(one.firstHlc.wallMs).toBeLessThanOrEqual(one.lastHlc.wallMs);
      }
      // As long as there are few, nobody's records are joined with another's.
      if (single.length <= countMax) expect(joined.some(({ isJoined }) => isJoined)).toBe(false);
      // What was joined may be joined again.
      expect(clocksOf(coalesce([...joined, ...single], countMax))).toEqual(clocksOf(single));
    }),
  );
});

test("[CKP-6] what one writer did within ten minutes is one record", () => {
  const list = Array.from({ length: 5_000 }, (_, index): Plan => {
    return { lane: 0, who: 1 + (index % 2), why: 0, gapMs: 100, client: index % 2, length: 1 };
  });
  const joined = coalesce(attributionsOf(list));
  expect(joined).toHaveLength(4);
  expect(joined.map(({ clients }) => [...clients.values()][0]!.length)).toEqual([2, 2, 2, 2]);
});
