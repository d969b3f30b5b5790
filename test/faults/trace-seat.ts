import * as Y from "yjs";

/** A transaction of a recorded session: by whom, on top of which others, and what it did. */
export interface TraceTransaction {
  readonly agent: number;
  /** Indices of transactions before it. */
  readonly parents: readonly number[];
  readonly patches: readonly (readonly [position: number, deleted: number, inserted: string])[];
}

/** What one person types next, and how much of what each has typed they see then. */
export interface Turn {
  readonly transaction: TraceTransaction;
  readonly seen: readonly number[];
}

/** The turns of each person, in the person's order. */
export function turnsOf(
  transactions: readonly TraceTransaction[],
  agents: number,
): readonly (readonly Turn[])[] {
  const turns: Turn[][] = Array.from({ length: agents }, () => []);
  const pasts: number[][] = [];
  for (const transaction of transactions) {
    const seen = Array.from({ length: agents }, (_, agent) =>
      Math.max(0, ...transaction.parents.map((parent) => pasts[parent]![agent]!)),
    );
    const own = turns[transaction.agent]!;
    own.push({ transaction, seen });
    pasts.push(seen.map((count, agent) => (agent === transaction.agent ? own.length : count)));
  }
  return turns;
}

/** Below all ids of live documents; where two insert at one place, Yjs puts the lower one first. */
const firstClient = 2 ** 30;

/**
 * A person with a document of their own that shows exactly what the recorded person saw: that of the
 * replica may be further along, and then recorded positions point elsewhere.
 */
export class TraceSeat {
  readonly #ydoc = new Y.Doc();
  readonly #text = this.#ydoc.getText("text");
  readonly #shown: number[];

  constructor(agent: number, agents: number) {
    this.#ydoc.clientID = firstClient + agent;
    this.#shown = Array.from({ length: agents }, () => 0);
  }

  /** Shows updates of another person, up to `count` in all. */
  show(agent: number, count: number, updateAt: (index: number) => Uint8Array): void {
    for (let index = this.#shown[agent]!; index < count; index++) {
      Y.applyUpdate(this.#ydoc, updateAt(index));
    }
    this.#shown[agent] = Math.max(count, this.#shown[agent]!);
  }

  /** Types on top of what is shown. */
  type({ patches }: TraceTransaction): Uint8Array {
    let typed: Uint8Array | undefined;
    this.#ydoc.once("update", (update: Uint8Array) => (typed = update));
    this.#ydoc.transact(() => {
      for (const [position, deleted, inserted] of patches) {
        if (deleted > 0) this.#text.delete(position, deleted);
        if (inserted !== "") this.#text.insert(position, inserted);
      }
    });
    return typed ?? Y.encodeStateAsUpdate(new Y.Doc());
  }
}

/** One person of a recorded session, at a document that the others type into as well. */
export interface TracePlayer {
  readonly agent: number;
  readonly turns: readonly (readonly Turn[])[];
  /** Has the text, and beside it what each has typed. */
  readonly ydoc: Y.Doc;
  /** Somebody else may wait for what was typed here a moment ago. */
  readonly onWaiting: () => void;
  readonly beforeTurn?: () => Promise<void> | undefined;
  readonly onTyped?: (turns: number) => Promise<void> | undefined;
}

/** What that person has typed so far, of which others are shown as much as they had seen. */
export function typedBy(ydoc: Y.Doc, agent: number): Y.Array<Uint8Array> {
  return ydoc.getArray<Uint8Array>(`typed ${agent}`);
}

/** Types all turns of a person that are not typed yet, and resolves when those of all others are here, too. */
export async function playTrace(player: TracePlayer): Promise<void> {
  const { agent, turns, ydoc, onWaiting, beforeTurn, onTyped } = player;
  const typed = turns.map((_, each) => typedBy(ydoc, each));
  const own = typed[agent]!;
  const changed = (): Promise<void> =>
    new Promise((resolve) => ydoc.once("update", () => resolve()));
  const seat = new TraceSeat(agent, turns.length);
  const before = own.length;
  for (const [index, { transaction, seen }] of turns[agent]!.entries()) {
    for (const [other, count] of seen.entries()) {
      if (other === agent) continue;
      const updates = typed[other]!;
      while (updates.length < count) {
        onWaiting();
        await changed();
      }
      seat.show(other, count, (at) => updates.get(at));
    }
    await beforeTurn?.();
    const update = seat.type(transaction);
    if (index < before) continue;
    // Typed again after a kill in between, it is the same update.
    Y.applyUpdate(ydoc, update, seat);
    own.push([update]);
    await onTyped?.(own.length);
  }
  for (const [other, updates] of typed.entries()) {
    while (updates.length < turns[other]!.length) {
      onWaiting();
      await changed();
    }
  }
}
