import type { RecordId } from "../ids.ts";
import { Membership } from "./membership.ts";
import type { MembershipAct } from "./membership-act.ts";
import type { ActRecord, GenesisRecord } from "./membership-record.ts";
import { RecordGraph, type RecordNode } from "./record-graph.ts";
import { settleRecords } from "./settle-records.ts";

/**
 * What becomes of a record, whoever asks and whenever:
 *
 *   all it has seen is there, its author an admin by that ──► valid     known already ──► known
 *   something it has seen is missing ───────────────────────► awaiting  any other ──────► refused
 *
 * The past of a record is named by hash in it, so that it is the same for everybody: a verdict other than
 * "awaiting" never changes.
 */
export type RecordVerdict = "valid" | "known" | "awaiting" | "refused";

/** The records of a space that one replica holds, and what they come to. */
export class MembershipLog {
  readonly genesis: GenesisRecord;
  readonly #graph: RecordGraph;
  /** Valid, and yet what they have seen was lost here: they count when it is back. */
  readonly #waiting = new Map<RecordId, MembershipAct>();
  #membership: Membership;

  constructor(genesis: GenesisRecord) {
    this.genesis = genesis;
    this.#graph = new RecordGraph(genesis.id);
    this.#membership = new Membership(genesis, []);
  }

  /** What the records come to; a new object after every change. */
  get membership(): Membership {
    return this.#membership;
  }

  /** What a record that is made now has seen, ascending. */
  get heads(): readonly RecordId[] {
    return this.#graph.heads;
  }

  /** How many records count. */
  get size(): number {
    return this.#graph.nodes.length;
  }

  /** The list of a removal decides nothing about it. */
  judge({ record }: Pick<MembershipAct, "record">): RecordVerdict {
    const { id, seen, space } = record;
    if (this.#graph.has(id)) return "known";
    if (space !== this.genesis.space) return "refused";
    if (!this.#graph.isComplete(seen)) return "awaiting";
    const node = this.#graph.nodeOf(withoutList(record));
    const holds = node && settleRecords(this.genesis.by, [...this.#graph.pastOf(node), node]);
    return holds?.has(node!) ? "valid" : "refused";
  }

  /** The verdict on records that come one after the other, each with those before it. */
  judgeAll(records: readonly ActRecord[]): RecordVerdict {
    if (records.length === 1) return this.judge({ record: records[0]! });
    const trial = new MembershipLog(this.genesis);
    for (const { act } of this.#graph.nodes) trial.#graph.add(act);
    for (const record of records) {
      const verdict = trial.judge({ record });
      if (verdict === "valid") trial.#graph.add(withoutList(record));
      else if (verdict !== "known") return verdict;
    }
    return "valid";
  }

  /** Takes in a record that {@link judge} called valid, here or wherever it was stored. */
  add(act: MembershipAct): void {
    this.#waiting.set(act.record.id, act);
    let hasGrown = false;
    for (let ready = this.#takeReady(); ready; ready = this.#takeReady()) {
      this.#graph.add(ready);
      hasGrown = true;
    }
    if (hasGrown) this.#membership = membershipIn(this.genesis, this.#graph.nodes);
  }

  #takeReady(): MembershipAct | undefined {
    for (const [id, act] of this.#waiting) {
      if (!this.#graph.isComplete(act.record.seen)) continue;
      this.#waiting.delete(id);
      if (!this.#graph.has(id)) return act;
    }
    return undefined;
  }
}

function withoutList(record: ActRecord): MembershipAct {
  return record.kind === "grant" ? { record } : { record, cut: new Map() };
}

function membershipIn(genesis: GenesisRecord, nodes: readonly RecordNode[]): Membership {
  const holds = settleRecords(genesis.by, nodes);
  return new Membership(
    genesis,
    [...holds].map(({ act }) => act),
  );
}
