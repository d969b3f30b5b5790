import * as fc from "fast-check";
import { expect, test } from "vitest";

import type { MembershipAct } from "./membership-act.ts";
import { MembershipLog } from "./membership-log.ts";
import { MemberRole, type ActRecord } from "./membership-record.ts";
import { RecordGraph } from "./record-graph.ts";
import { membershipOf, shapeOf, space } from "./membership.fixture.ts";

// Goal: who is a member does not depend on who heard what when.
// Method: few devices do many things to each other, most of them without having heard of the others; what
// they made is then told in every order, with repeats.

const names = ["ada", "bo", "cy", "di"];
const device = fc.nat({ max: names.length - 1 });
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ does: fc.constant("revoke"), by: device, to: device }) },
  {
    weight: 3,
    arbitrary: fc.record({
      does: fc.constant("grant"),
      by: device,
      to: device,
      role: fc.constantFrom(...Object.values(MemberRole), MemberRole.admin, MemberRole.admin),
    }),
  },
  { weight: 2, arbitrary: fc.record({ does: fc.constant("hear"), by: device, to: device }) },
);
type Step = { does: string; by: number; to: number; role?: MemberRole };
const story = fc.array(step as fc.Arbitrary<Step>, { maxLength: 14 });

/** What honest admins make of a story: each does what it may, as far as it knows. */
async function tell(steps: readonly Step[]): Promise<MembershipLog[]> {
  const devices = await space(...names);
  const [ada, ...others] = devices;
  for (const other of others.slice(0, 2)) await ada!.grant(other, MemberRole.admin);
  for (const other of others) other.hears(ada!);
  for (const { does, by, to, role } of steps) {
    if (does === "hear") devices[by]!.hears(devices[to]!);
    else if (does === "grant") await devices[by]!.grant(devices[to]!, role!);
    else await devices[by]!.revoke(devices[to]!, to + by);
  }
  const all = devices.flatMap(({ acts }) => acts);
  const ids = new Set(all.map(({ record }) => record.id));
  const logs = devices.map(({ log }) => log);
  made.set(
    logs,
    [...ids].map((id) => all.find(({ record }) => record.id === id)!),
  );
  return logs;
}
const made = new WeakMap<readonly MembershipLog[], readonly MembershipAct[]>();

test("[MEM-5] equal sets of records are equal memberships, in any order and with repeats", async () => {
  await fc.assert(
    fc.asyncProperty(story, fc.infiniteStream(fc.nat()), async (steps, numbers) => {
      const logs = await tell(steps);
      const { genesis } = logs[0]!;
      const acts = made.get(logs)!;
      const expected = shapeOf(membershipOf(genesis, acts));
      for (let round = 0; round < 3; round++) {
        const twice = shuffled([...acts, ...acts], numbers);
        expect(shapeOf(membershipOf(genesis, twice))).toEqual(expected);
        expect(shapeOf(stored(genesis, twice))).toEqual(expected);
      }
    }),
    { numRuns: 100 },
  );
});

/** As a replica reads its own log back: everything was judged before. */
function stored(
  genesis: MembershipLog["genesis"],
  acts: readonly MembershipAct[],
): MembershipLog["membership"] {
  const log = new MembershipLog(genesis);
  for (const act of acts) log.add(act);
  return log.membership;
}

test("[MEM-5] a verdict on a record is the same for whoever holds its past", async () => {
  await fc.assert(
    fc.asyncProperty(story, fc.infiniteStream(fc.nat()), async (steps, numbers) => {
      const logs = await tell(steps);
      const { genesis } = logs[0]!;
      const verdicts = new Map<string, string>();
      for (let round = 0; round < 3; round++) {
        const log = new MembershipLog(genesis);
        const waiting = shuffled(made.get(logs)!, numbers);
        for (let act = waiting.shift(); act; act = waiting.shift()) {
          const verdict = log.judge(act);
          if (verdict === "awaiting") waiting.push(act);
          else expect(verdicts.get(act.record.id) ?? verdict).toBe(verdict);
          if (verdict === "valid") log.add(act);
          if (verdict !== "awaiting") verdicts.set(act.record.id, verdict);
        }
      }
    }),
    { numRuns: 50 },
  );
});

test("[MEM-2] no act of a removed device holds that its remover had not seen, but removing the remover", async () => {
  await fc.assert(
    fc.asyncProperty(story, async (steps) => {
      const logs = await tell(steps);
      const acts = made.get(logs)!;
      const membership = membershipOf(logs[0]!.genesis, acts);
      const pasts = pastsOf(logs[0]!.genesis.id, acts);
      const holding = acts
        .map(({ record }) => record)
        .filter(({ id }) => membership.records.has(id));
      for (const removal of holding.filter(({ kind }) => kind === "revoke")) {
        expect(membership.roleOf(removal.device)).toBeUndefined();
        for (const other of holding.filter(({ by }) => by === removal.device)) {
          if (other === removal || pasts.get(removal.id)!.has(other.id)) continue;
          // Two that remove each other, or a ring of such: then the remover is out as well.
          expect(other.kind).toBe("revoke");
          expect(membership.roleOf(removal.by)).toBeUndefined();
        }
      }
    }),
    { numRuns: 100 },
  );
});

function pastsOf(
  root: ActRecord["id"],
  acts: readonly MembershipAct[],
): ReadonlyMap<string, ReadonlySet<string>> {
  const graph = new RecordGraph(root);
  const waiting = [...acts];
  for (let act = waiting.shift(); act; act = waiting.shift()) {
    if (graph.isComplete(act.record.seen)) graph.add(act);
    else waiting.push(act);
  }
  return new Map(
    graph.nodes.map((node) => {
      return [node.act.record.id, new Set(graph.pastOf(node).map(({ act }) => act.record.id))];
    }),
  );
}

function shuffled<Item>(items: readonly Item[], numbers: Iterator<number>): Item[] {
  return items
    .map((item) => [numbers.next().value as number, item] as const)
    .toSorted(([a], [b]) => a - b)
    .map(([, item]) => item);
}
