// Runs seeds of the simulator outside of the tests: many of them, or one to look at.
//   node scripts/simulate.mjs --seed 7 --scenario light --timeline
//   node scripts/simulate.mjs --minutes 30 --scenario yjs --from 100000
// Needs a build. Exit status: 0 every promise was kept, 1 one was broken, 2 wrong usage.
import { parseArgs } from "node:util";

import { openLiveReplica } from "@heddle/replica";
import { simScenarios, simulate, simulateMembers } from "@heddle/testkit";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    from: { type: "string", default: "1" },
    count: { type: "string", default: "100" },
    minutes: { type: "string" },
    scenario: { type: "string", default: "light" },
    timeline: { type: "boolean", default: false },
  },
});
const { scenario } = values;
const hasRules = scenario === "withheld";
const isOfMembers = scenario === "members" || hasRules;
if (!(scenario in simScenarios) && !isOfMembers) {
  console.error(`scenarios: ${Object.keys(simScenarios).join(", ")}, members, withheld`);
  process.exit(2);
}

const first = Number(values.seed ?? values.from);
const untilMs = values.minutes ? performance.now() + Number(values.minutes) * 60_000 : Infinity;
const countMax = values.seed ? 1 : values.minutes ? Infinity : Number(values.count);
const sums = {};
const broken = [];
for (let count = 0; count < countMax && performance.now() < untilMs; count++) {
  const world = { seed: first + count, keepsTimeline: values.timeline };
  const report = isOfMembers
    ? await simulateMembers({ ...world, hasRules, open: openLiveReplica })
    : await simulate({ ...world, scenario });
  if (values.timeline) console.log(report.timeline.join("\n"));
  if (report.broken) {
    broken.push(report.seed);
    console.log(`seed ${report.seed}: ${report.broken}`);
  }
  const counts = { seeds: 1, ...report, ...report.network };
  for (const [name, value] of Object.entries(counts)) {
    if (typeof value === "number" && name !== "seed") sums[name] = (sums[name] ?? 0) + value;
  }
  if (values.seed) console.log(`trace ${report.traceHash}`);
}
console.log(JSON.stringify({ scenario, ...sums, broken }, null, 2));
process.exit(broken.length > 0 ? 1 : 0);
