import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { classifyDrift, type DriftEvidence, type DriftFinding } from "./classify-drift.ts";
import {
  driftLimits,
  nextDriftCase,
  openDriftCase,
  outcomeOf,
  planOf,
  type DriftCase,
  type DriftEvent,
} from "./drift-case.ts";

// Goal: a case of drift ends, with the truth about it, whatever is found on the way.

const causes = [
  "behind",
  "gap",
  "missing-dependency",
  "damaged-store",
  "damaged-state",
  "engine",
  "fork",
  "unexplained",
] as const;
const finding: fc.Arbitrary<DriftFinding> = fc.record({
  cause: fc.constantFrom(...causes),
  side: fc.constantFrom("here", "there", "both", "unknown"),
  why: fc.constant("because"),
});

/** Carries a case on as a runtime does, looking as `looks` say and never again afterwards. */
function runToItsEnd(first: DriftFinding, looks: readonly (DriftFinding | undefined)[]) {
  let current = openDriftCase(first);
  let nowMs = 0;
  let steps = 0;
  const seen: DriftCase["name"][] = [current.name];
  const left = [...looks];
  const say = (event: DriftEvent): void => {
    current = nextDriftCase(current, event);
    seen.push(current.name);
  };
  for (let turn = 0; turn < 1_000; turn++) {
    if (current.name === "repairing") {
      steps++;
      say({ name: "stepped" });
    } else if (current.name === "verifying") {
      const next = left.length > 0 ? left.shift() : first;
      say({ name: "looked", finding: next, nowMs });
    } else if (current.name === "resting") {
      nowMs = current.dueMs;
      say({ name: "woke", nowMs });
    } else break;
  }
  return { current, steps, seen, nowMs };
}

describe("a case of drift", () => {
  test("[DRF-2] ends after a bounded number of steps, repaired only where it was looked at and agreed", () => {
    const looks = fc.array(fc.option(finding, { nil: undefined }), { maxLength: 40 });
    fc.assert(
      fc.property(finding, looks, (first, seenThen) => {
        const { current, steps, seen, nowMs } = runToItsEnd(first, seenThen);
        expect(["repaired", "degraded"]).toContain(current.name);
        // Another cause in each look brings its own plan, within the same rounds.
        expect(steps).toBeLessThanOrEqual(driftLimits.roundsMax * 5);
        expect(nowMs).toBeLessThanOrEqual(driftLimits.roundsMax * driftLimits.restMsMax);
        if (current.name === "repaired") expect(seen.at(-2)).toBe("verifying");
        expect(outcomeOf(current)?.result).toBe(
          current.name === "repaired"
            ? "verified"
            : planOf(current.finding).length === 0
              ? "reported"
              : current.finding.cause === "unexplained" || current.finding.side === "unknown"
                ? "undetermined"
                : "failed",
        );
      }),
      { numRuns: 500 },
    );
  });

  test("[DRF-2] goes through its plan, rests longer each time, and is given up", () => {
    const first: DriftFinding = { cause: "damaged-store", side: "here", why: "a bit" };
    const { current, steps, seen } = runToItsEnd(first, []);
    expect(current.name).toBe("degraded");
    expect(current.all).toEqual(["checkpointed", "refetched"]);
    expect(steps).toBe(2 * driftLimits.roundsMax);
    expect(seen.filter((name) => name === "resting")).toHaveLength(driftLimits.roundsMax - 1);
    expect(outcomeOf(current)).toEqual({ action: "refetched", result: "failed" });
  });

  test("[DRF-2] that was given up is tried once more when asked, and ends when somebody finds it right", () => {
    const first: DriftFinding = { cause: "damaged-store", side: "here", why: "a bit" };
    const { current } = runToItsEnd(first, []);
    const again = nextDriftCase(current, { name: "retried" });
    expect(again).toMatchObject({ name: "repairing", step: "checkpointed" });
    const right = nextDriftCase(current, { name: "looked", finding: undefined, nowMs: 1 });
    expect(outcomeOf(right)).toEqual({ action: "refetched", result: "verified" });
  });

  test("[DRF-2] of two engines is reported, and nothing is repaired", () => {
    const current = openDriftCase({ cause: "engine", side: "unknown", why: "13 and 14" });
    expect(current.name).toBe("degraded");
    expect(outcomeOf(current)).toEqual({ action: "none", result: "reported" });
  });

  test("[DRF-2] whose document holds what is in no log is not put together anew", () => {
    const first: DriftFinding = { cause: "missing-dependency", side: "unknown", why: "it waits" };
    const { current } = runToItsEnd(first, []);
    expect(current.all).toEqual(["waited"]);
    expect(outcomeOf(current)).toEqual({ action: "waited", result: "undetermined" });
  });

  test("[DRF-2] that is wrong over there is waited for", () => {
    expect(planOf({ cause: "damaged-state", side: "there", why: "" })).toEqual(["waited"]);
  });
});

const digest = (fill: number) => new Uint8Array(32).fill(fill);
const engine = "yjs 13.6";
const digests = (state: number, content = state) => {
  return { engine, state: digest(state), content: digest(content) };
};
const calm: DriftEvidence = {
  logs: "equal",
  hasGap: false,
  lacksDependency: false,
  damages: 0,
  forks: 0,
  shown: digests(1),
  rebuilt: digests(1),
  refolded: digests(1),
  theirs: digests(1),
};

describe("why copies differ", () => {
  const cases: readonly (readonly [string, Partial<DriftEvidence>, string | undefined])[] = [
    ["nothing differs", {}, undefined],
    ["the peer has more", { logs: "behind", theirs: digests(2) }, "behind here"],
    ["the peer has less", { logs: "ahead", theirs: digests(2) }, "behind there"],
    ["envelopes that are gone from the disk", { lost: 2, logs: "unknown" }, "gap here"],
    ["what a peer shows and cannot bring", { logs: "behind", hasGap: true }, "gap there"],
    ["something from elsewhere that waits", { awaitsOthers: true }, "missing-dependency unknown"],
    [
      "another engine that makes the same of it",
      { theirs: { ...digests(1), engine: "y" } },
      undefined,
    ],
    ["structs that wait", { lacksDependency: true, shown: undefined }, "missing-dependency here"],
    ["a damaged record", { damages: 1, logs: "behind" }, "damaged-store here"],
    ["a wrong checkpoint", { rebuilt: digests(1, 9), shown: digests(1, 9) }, "damaged-store here"],
    ["what is shown is wrong", { shown: digests(1, 7) }, "damaged-state here"],
    ["another engine", { theirs: { ...digests(3), engine: "yjs 14" } }, "engine unknown"],
    ["one client of two lanes", { theirs: digests(1, 3), forks: 1 }, "fork both"],
    ["one client of two lanes, by the log alone", { shared: 1 }, "fork both"],
    ["a lane with two histories", { logs: "apart", forks: 1 }, "fork both"],
    ["the whole log speaks against the peer", { theirs: digests(1, 3) }, "unexplained there"],
    ["nobody can tell", { theirs: digests(1, 3), refolded: undefined }, "unexplained unknown"],
    ["no peer, and all agrees", { logs: "unknown", theirs: undefined }, undefined],
    [
      "content that one side did not say",
      { theirs: { ...digests(1), content: undefined } },
      undefined,
    ],
  ];
  test.each(cases)("[DRF-1] %s", (_what, change, expected) => {
    const classified = classifyDrift({ ...calm, ...change });
    expect(classified && `${classified.cause} ${classified.side}`).toBe(expected);
  });

  test("[DRF-1] a side is accused only by digests of one engine that differ", () => {
    const some = fc.option(
      fc.record({
        engine: fc.constantFrom("a", "b"),
        state: fc.nat(2).map(digest),
        content: fc.option(fc.nat(2).map(digest), { nil: undefined }),
      }),
      { nil: undefined },
    );
    const evidence = fc.record({ shown: some, rebuilt: some, refolded: some, theirs: some });
    fc.assert(
      fc.property(evidence, (given) => {
        const classified = classifyDrift({ ...calm, ...given });
        const all = Object.values(given).filter((one) => one !== undefined);
        const isDifferent = all.some((a) =>
          all.some((b) => {
            const isState = a.state[0] !== b.state[0];
            const isContent = a.content && b.content && a.content[0] !== b.content[0];
            return a.engine !== b.engine || isState || isContent;
          }),
        );
        if (classified) expect(isDifferent).toBe(true);
        else if (given.shown && given.shown.engine === given.rebuilt?.engine) {
          expect(given.shown.state).toEqual(given.rebuilt.state);
        }
      }),
      { numRuns: 500 },
    );
  });
});
