import type { DocumentKnowledge } from "./document-knowledge.ts";
import type { ParsedUpdate } from "./parsed-update.ts";
import { WaitIndex } from "./wait-index.ts";
import { WaitingDeletes } from "./waiting-deletes.ts";
import { WaitingPart, type WorkBudget } from "./waiting-part.ts";
import { WaitingStructs } from "./waiting-structs.ts";

/** What has become free of one waiting update. */
export interface FreedPart {
  readonly id: string;
  /** Missing when all that was left turned out to be known; the update is gone from here then. */
  readonly update: ParsedUpdate | undefined;
}

type Waiting = WaitingStructs<WaitingUpdate> | WaitingDeletes<WaitingUpdate>;

interface WaitingUpdate {
  readonly id: string;
  readonly waiting: Set<Waiting>;
  /** How to put back the part that was handed out, until it is known what became of it. */
  handedOut: Map<Waiting, () => void> | undefined;
  /** What could go on meanwhile. */
  readonly held: Set<Waiting>;
}

/**
 * Updates that wait for others (DOC-6), each client of each filed under the one clock that it waits for
 * next. What becomes known costs what it frees: what is not due is not looked at, and of what is, only
 * the part that gets free is read, copied and checked.
 *
 *   waiting ──clock reached──► ready ──next()──► handed out ──keep()──► waiting, or gone
 *                                ▲                   └──────putBack()──► waiting
 *                                └── the budget was spent
 */
export class WaitingUpdates {
  readonly #updates = new Map<string, WaitingUpdate>();
  readonly #index = new WaitIndex<Waiting>();
  /** Looked at next, whatever they wait for. */
  readonly #ready = new Set<Waiting>();
  /** Clients of whom more has become known. */
  readonly #advanced = new Set<number>();

  /** Whether there is something for {@link next} to look at. */
  get hasWork(): boolean {
    return this.#ready.size > 0 || this.#advanced.size > 0;
  }

  /** Returns how many places it takes in the index: one for each client of each section. */
  add(id: string, update: ParsedUpdate): number {
    const added: WaitingUpdate = {
      id,
      waiting: new Set(),
      handedOut: undefined,
      held: new Set(),
    };
    this.#updates.set(id, added);
    const { runs } = update;
    for (let first = 0; first < runs.length;) {
      let last = first;
      while (runs[last + 1]?.client === runs[first]!.client) last++;
      const structs = new WaitingStructs(added, update.bytes, runs[first]!, runs[last]!);
      this.#start(structs);
      first = last + 1;
    }
    for (const deletes of update.deletes) this.#start(new WaitingDeletes(added, deletes));
    return added.waiting.size;
  }

  /** Lets go of an update and of everything that was filed for it. */
  remove(id: string): void {
    const update = this.#updates.get(id);
    if (!update || !this.#updates.delete(id)) return;
    for (const waiting of update.waiting) {
      this.#index.remove(waiting);
      this.#ready.delete(waiting);
    }
  }

  /** To be called with whatever the knowledge has learned. */
  advance({ runs }: ParsedUpdate): void {
    for (const { client } of runs) this.#advanced.add(client);
  }

  /**
   * The next part that is free, or nothing within the budget. The caller says with {@link keep} that
   * `knowledge` has learned it, or with {@link putBack} that it has not; until then nothing more of the
   * same update is handed out.
   */
  next(knowledge: DocumentKnowledge, budget: WorkBudget): FreedPart | undefined {
    while (!budget.isSpent) {
      const waiting = this.#nextReady(knowledge);
      if (waiting === undefined) return undefined;
      budget.spend(1);
      const update = waiting.owner;
      if (update.handedOut) update.held.add(waiting);
      else {
        const freed = this.#free(update, waiting, new WaitingPart(knowledge, budget));
        if (freed) return freed;
      }
    }
    return undefined;
  }

  /**
   * The part that was handed out of `id` is known now; {@link advance} is called with it as well. True
   * when nothing of the update waits any more, which is then gone from here.
   */
  keep(id: string): boolean {
    const update = this.#updates.get(id);
    if (update === undefined) return false;
    update.handedOut = undefined;
    this.#resume(update);
    return update.waiting.size === 0 && this.#updates.delete(id);
  }

  /** The part that was handed out of `id` is not known: it is handed out again. */
  putBack(id: string): void {
    const update = this.#updates.get(id);
    if (update?.handedOut === undefined) return;
    for (const [waiting, restore] of update.handedOut) {
      restore();
      update.waiting.add(waiting);
      this.#index.remove(waiting);
      this.#ready.add(waiting);
    }
    update.handedOut = undefined;
    this.#resume(update);
  }

  #start(waiting: Waiting): void {
    waiting.owner.waiting.add(waiting);
    this.#ready.add(waiting);
  }

  #resume({ held }: WaitingUpdate): void {
    for (const waiting of held) this.#ready.add(waiting);
    held.clear();
  }

  #nextReady(knowledge: DocumentKnowledge): Waiting | undefined {
    for (const waiting of this.#ready) {
      this.#ready.delete(waiting);
      return waiting;
    }
    for (const client of this.#advanced) {
      const due = this.#index.firstDue(client, knowledge.clockOf(client));
      if (due !== undefined) {
        this.#index.remove(due);
        return due;
      }
      this.#advanced.delete(client);
    }
    return undefined;
  }

  /** Goes on with `first` and, within the same update, with whatever that frees. */
  #free(update: WaitingUpdate, first: Waiting, part: WaitingPart): FreedPart | undefined {
    const before = new Map<Waiting, () => void>();
    const stack = [first];
    for (let waiting = stack.pop(); waiting !== undefined; waiting = stack.pop()) {
      if (!before.has(waiting)) before.set(waiting, waiting.save());
      const reached = part.clockOf(waiting.client);
      const step = waiting.step(part);
      if (step === "later") this.#ready.add(waiting);
      else if (step === "done") update.waiting.delete(waiting);
      else this.#index.add(waiting, step.client, step.clock);
      const clock = part.clockOf(waiting.client);
      if (clock > reached) this.#wake(update, waiting.client, clock, stack, part.budget);
    }
    if (!part.isEmpty) {
      update.handedOut = before;
      return { id: update.id, update: part.encode() };
    }
    if (update.waiting.size > 0) return undefined;
    this.#updates.delete(update.id);
    return { id: update.id, update: undefined };
  }

  /** Moves to `stack` what waits for `client` in the same update; others come once it is known. */
  #wake(
    update: WaitingUpdate,
    client: number,
    clock: number,
    stack: Waiting[],
    budget: WorkBudget,
  ): void {
    while (!budget.isSpent) {
      const due = this.#index.firstDue(client, clock);
      if (due === undefined) return;
      this.#index.remove(due);
      budget.spend(1);
      if (due.owner === update) stack.push(due);
      else this.#ready.add(due);
    }
  }
}
