import { assert } from "../assert.ts";
import type { RecordId } from "../ids.ts";
import { limits } from "../limits.ts";
import type { MembershipAct } from "./membership-act.ts";

/** A record among those that are known, all of whose past is known, too. */
export interface RecordNode {
  readonly act: MembershipAct;
  /** In the order of adding; higher than that of everything in its past. */
  readonly index: number;
  /** Whether the author of this one had seen that one. */
  hasSeen(other: RecordNode): boolean;
}

/** Records with what each of them had seen: what stands in nobody's past of another is concurrent. */
export class RecordGraph {
  readonly #nodes: Node[] = [];
  readonly #byId = new Map<RecordId, Node>();
  readonly #heads = new Set<RecordId>();
  readonly #root: RecordId;

  /** @param root the genesis, which is in every past. */
  constructor(root: RecordId) {
    this.#root = root;
  }

  /** In an order in which everything comes after its past. */
  get nodes(): readonly RecordNode[] {
    return this.#nodes;
  }

  /** Records that nobody has seen yet; the genesis where there are no others. Ascending. */
  get heads(): readonly RecordId[] {
    return this.#heads.size > 0 ? [...this.#heads].toSorted() : [this.#root];
  }

  has(id: RecordId): boolean {
    return this.#byId.has(id);
  }

  /** All that it has seen is there. */
  isComplete(seen: readonly RecordId[]): boolean {
    return seen.every((id) => id === this.#root || this.#byId.has(id));
  }

  /** The node that a record would be; it is not added. `undefined` when its past is too long. */
  nodeOf(act: MembershipAct): RecordNode | undefined {
    return this.#nodeOf(act);
  }

  /** The nodes in the past of one, in order. */
  pastOf(node: RecordNode): readonly RecordNode[] {
    return this.#nodes.filter((other) => node.hasSeen(other));
  }

  add(act: MembershipAct): void {
    const node = this.#nodeOf(act);
    const { id, seen } = act.record;
    assert(node !== undefined && !this.#byId.has(id), "a record is added once, and fits");
    this.#nodes.push(node);
    this.#byId.set(id, node);
    for (const each of seen) this.#heads.delete(each);
    this.#heads.add(id);
  }

  #nodeOf(act: MembershipAct): Node | undefined {
    const { seen } = act.record;
    assert(this.isComplete(seen), "what a record has seen is there before it");
    const index = this.#nodes.length;
    const past = new Uint32Array(Math.ceil(index / 32));
    for (const id of seen) {
      const before = this.#byId.get(id);
      if (before === undefined) continue;
      for (const [word, bits] of before.past.entries()) past[word] = past[word]! | bits;
      past[before.index >>> 5] = past[before.index >>> 5]! | (1 << (before.index & 31));
    }
    return countBits(past) < limits.membershipPastMax ? new Node(act, index, past) : undefined;
  }
}

class Node implements RecordNode {
  readonly act: MembershipAct;
  readonly index: number;
  /** One bit for each node that was there before. */
  readonly past: Uint32Array;

  constructor(act: MembershipAct, index: number, past: Uint32Array) {
    this.act = act;
    this.index = index;
    this.past = past;
  }

  hasSeen({ index }: RecordNode): boolean {
    return ((this.past[index >>> 5] ?? 0) & (1 << (index & 31))) !== 0;
  }
}

function countBits(words: Uint32Array): number {
  let count = 0;
  for (let word of words) for (; word !== 0; word &= word - 1) count++;
  return count;
}
