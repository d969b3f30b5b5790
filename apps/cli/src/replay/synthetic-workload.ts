import * as Y from "yjs";

import type { Crew } from "./crew.ts";
import { Person } from "./person.ts";
import { personScript } from "./person-script.ts";
import { textOf } from "./stock-client.ts";
import type { Typing, Workload } from "./workload.ts";

/** Few, so that people keep getting in each other's way. */
const actionsPerStepMax = 4;

export interface SyntheticModel {
  readonly seed: string;
  readonly people: number;
  /** Of all people together. */
  readonly edits: number;
}

/**
 * People who write at the same time, one per client, straight into the client's document. The seed
 * fixes what each of them does; how their edits interleave is up to the relay.
 */
export function syntheticWorkload({ seed, people, edits }: SyntheticModel): Workload {
  const shareOf = (person: number) => Math.floor((edits + person) / people);
  return {
    name: `synthetic ${seed}`,
    agents: people,
    transactions: edits,
    begin: (crew) =>
      new SyntheticTyping(
        crew,
        crew.members.map(
          ({ client }, index) => new Person(client, personScript(seed, index, shareOf(index))),
        ),
      ),
  };
}

class SyntheticTyping implements Typing {
  readonly #crew: Crew;
  readonly #people: readonly Person[];

  constructor(crew: Crew, people: readonly Person[]) {
    this.#crew = crew;
    this.#people = people;
  }

  step(): "moved" | "waiting" | "done" {
    let moved = false;
    for (const [index, person] of this.#people.entries()) {
      let budget = actionsPerStepMax;
      while (budget > 0 && this.#mayAct(index, person)) {
        const captured = person.act();
        if (captured !== undefined) this.#record(index, captured);
        moved = true;
        budget--;
      }
    }
    if (this.#people.every(({ isDone }) => isDone)) return "done";
    return moved ? "moved" : "waiting";
  }

  awaited(): string {
    return `the others have seen what each one typed (window) or the sockets have drained; ${this.#crew.describe()}`;
  }

  /** The same text built without a relay: every author's own updates, applied to one document. */
  expectedContent(): string {
    const doc = new Y.Doc();
    for (const { update } of this.#crew.ledger.inOrder()) {
      if (update !== undefined) Y.applyUpdate(doc, update);
    }
    return textOf(doc).toString();
  }

  close(): void {}

  #mayAct(index: number, person: Person): boolean {
    return !person.isDone && !person.isResting && this.#crew.mayType(index);
  }

  #record(index: number, captured: NonNullable<ReturnType<Person["act"]>>): void {
    const { ledger } = this.#crew;
    this.#crew.record({ ...captured, agent: index, client: index, index: ledger.length });
  }
}
