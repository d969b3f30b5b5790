import type { DeviceKey } from "../ids.ts";
import { MemberRole } from "./membership-record.ts";
import type { RecordNode } from "./record-graph.ts";

/** A record, and what stands for and against it among the others. */
interface Case {
  readonly node: RecordNode;
  /** Records that made its author an admin, and that it had seen; `undefined` for who made the space. */
  readonly supports: readonly Case[] | undefined;
  /** Removals of its author that it had not been seen by. */
  readonly attackers: readonly Case[];
  verdict: "open" | "holds" | "falls";
}

/**
 * Which of some records hold, as a function of the set alone ("strong removal"):
 *
 * - A record holds only on an admin's word: one that made the space, or whose grant holds and was seen.
 * - A removal that holds fells every act of the removed that the remover had not seen: concurrent ones, and
 *   later ones. But two that remove each other are both removed.
 * - Where records hang on each other in a ring, its removals hold that are on the word of an admin who is
 *   sure; grants that are in doubt fall. Who is removed gains nothing by a friend made in time.
 *
 * These are grounded labels, with a ring decided when it hangs on nothing open but itself; there is no order
 * in any of it. `nodes` has to hold the past of each of them.
 */
export function settleRecords(
  creator: DeviceKey,
  nodes: readonly RecordNode[],
): ReadonlySet<RecordNode> {
  const cases = casesOf(creator, nodes);
  for (spread(cases); cases.some(isOpen); spread(cases)) breakRings(cases);
  return new Set(cases.filter(({ verdict }) => verdict === "holds").map(({ node }) => node));
}

/** Decides whatever follows from what is decided, until nothing does. */
function spread(cases: readonly Case[]): void {
  for (let hasChanged = true; hasChanged;) {
    hasChanged = false;
    for (const each of cases) {
      if (each.verdict !== "open") continue;
      const verdict = verdictOf(each);
      each.verdict = verdict;
      hasChanged ||= verdict !== "open";
    }
  }
}

function verdictOf({ supports, attackers }: Case): Case["verdict"] {
  if (supports?.every(({ verdict }) => verdict === "falls")) return "falls";
  if (attackers.some(({ verdict }) => verdict === "holds")) return "falls";
  return attackers.every(({ verdict }) => verdict === "falls") && isSupported(supports)
    ? "holds"
    : "open";
}

function isSupported(supports: Case["supports"]): boolean {
  return supports === undefined || supports.some(({ verdict }) => verdict === "holds");
}

/**
 * Decides rings that depend on nothing open but themselves: their removals on an admin's word hold, and
 * what that means for the others follows. A ring without any falls.
 */
function breakRings(cases: readonly Case[]): void {
  const open = cases.filter(isOpen);
  const reach = new Map(open.map((each) => [each, causesOf(each)]));
  const sources = open.filter((each) => {
    return [...reach.get(each)!].every((other) => reach.get(other)!.has(each));
  });
  const winners = new Set(
    sources.filter(({ node, supports }) => isRevoke(node) && isSupported(supports)),
  );
  for (const each of sources) {
    const ring = [each, ...reach.get(each)!];
    if (winners.has(each)) each.verdict = "holds";
    else if (!ring.some((other) => winners.has(other))) each.verdict = "falls";
  }
}

/** All open records that a case hangs on: what fells or supports it, or one that does, and so on. */
function causesOf(each: Case): ReadonlySet<Case> {
  const found = new Set<Case>();
  const waiting = [each];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    for (const cause of [...next.attackers, ...(next.supports ?? [])]) {
      if (!isOpen(cause) || found.has(cause)) continue;
      found.add(cause);
      waiting.push(cause);
    }
  }
  return found;
}

function isOpen({ verdict }: Case): boolean {
  return verdict === "open";
}

function casesOf(creator: DeviceKey, nodes: readonly RecordNode[]): Case[] {
  const cases: (Case & { supports: Case[] | undefined; attackers: Case[] })[] = nodes.map(
    (node) => {
      const supports = node.act.record.by === creator ? undefined : [];
      return { node, supports, attackers: [], verdict: "open" };
    },
  );
  const grants = groupByDevice(cases.filter(({ node }) => isAdminGrant(node)));
  const revokes = groupByDevice(cases.filter(({ node }) => isRevoke(node)));
  for (const each of cases) {
    const { by } = each.node.act.record;
    for (const grant of grants.get(by) ?? []) {
      if (each.node.hasSeen(grant.node)) each.supports?.push(grant);
    }
    for (const revoke of revokes.get(by) ?? []) {
      if (fells(revoke.node, each.node)) each.attackers.push(revoke);
    }
  }
  return cases;
}

function fells(revoke: RecordNode, other: RecordNode): boolean {
  if (revoke === other || revoke.hasSeen(other)) return false;
  const { record } = other.act;
  const isMutual = record.kind === "revoke" && record.device === revoke.act.record.by;
  return !isMutual || other.hasSeen(revoke);
}

function isRevoke({ act }: RecordNode): boolean {
  return act.record.kind === "revoke";
}

function isAdminGrant({ act: { record } }: RecordNode): boolean {
  return record.kind === "grant" && record.role === MemberRole.admin;
}

function groupByDevice<Each extends Case>(cases: readonly Each[]): ReadonlyMap<DeviceKey, Each[]> {
  const groups = new Map<DeviceKey, Each[]>();
  for (const each of cases) {
    const { device } = each.node.act.record;
    groups.set(device, [...(groups.get(device) ?? []), each]);
  }
  return groups;
}
