import * as Y from "yjs";

import type { Crew } from "./crew.ts";
import type { Plan, Turn } from "./plan.ts";
import { planReplay } from "./plan.ts";
import { Seat } from "./seat.ts";
import type { Trace } from "./trace.ts";
import type { Typing, Workload } from "./workload.ts";

/** Typed before sockets get a turn: few, so that what leaves and what comes keep interleaving. */
const turnsPerStepMax = 32;

export interface TraceDealing {
  readonly clients: number;
  readonly runLength: number;
}

/** A recorded session, dealt to clients by {@link planReplay}. */
export function traceWorkload(trace: Trace, { clients, runLength }: TraceDealing): Workload {
  const plan = planReplay(trace, clients, runLength);
  return {
    name: trace.name,
    agents: trace.agents,
    transactions: trace.transactions.length,
    begin: (crew) => new TraceTyping(plan, trace.endContent, crew),
  };
}

/**
 * Every agent types its next transaction as soon as its client holds the causal past and the
 * window allows. Each transaction is applied to the client's document on its own, so the provider
 * sends one message for each, as it does for a person.
 */
class TraceTyping implements Typing {
  readonly #plan: Plan;
  readonly #endContent: string;
  readonly #crew: Crew;
  readonly #seats: readonly Seat[];
  readonly #typed: number[];

  constructor(plan: Plan, endContent: string, crew: Crew) {
    this.#plan = plan;
    this.#endContent = endContent;
    this.#crew = crew;
    this.#seats = plan.seats.map((_, index) => new Seat(index, crew.ledger));
    this.#typed = plan.turnsByAgent.map(() => 0);
  }

  step(): "moved" | "waiting" | "done" {
    let moved = false;
    let left = false;
    for (let agent = 0; agent < this.#plan.agents; agent++) {
      let budget = turnsPerStepMax;
      while (budget > 0 && this.#typeNext(agent)) {
        moved = true;
        budget--;
      }
      left ||= this.#nextTurn(agent) !== undefined;
    }
    if (!left) return "done";
    return moved ? "moved" : "waiting";
  }

  awaited(): string {
    for (let agent = 0; agent < this.#plan.agents; agent++) {
      const turn = this.#nextTurn(agent);
      if (turn === undefined) continue;
      const { client } = this.#plan.seats[turn.seat]!;
      const why = this.#isPastHere(turn)
        ? "the others have seen what it typed (window) or its socket has drained"
        : "what it builds on has arrived through the relay";
      return `client ${client} types transaction ${turn.index} once ${why}; ${this.#crew.describe()}`;
    }
    return "nothing";
  }

  expectedContent(): string {
    return this.#endContent;
  }

  close(): void {
    for (const seat of this.#seats) seat.close();
  }

  #typeNext(agent: number): boolean {
    const turn = this.#nextTurn(agent);
    if (turn === undefined) return false;
    const { client } = this.#plan.seats[turn.seat]!;
    if (!this.#crew.mayType(client) || !this.#isPastHere(turn)) return false;

    const seat = this.#seats[turn.seat]!;
    seat.show(this.#pastOf(turn));
    const captured = seat.type(agent, turn);
    if (captured.update !== undefined) {
      Y.applyUpdate(this.#crew.members[client]!.client.doc, captured.update, seat);
    }
    this.#crew.record({ ...captured, agent, client, index: turn.index });
    this.#typed[agent]!++;
    return true;
  }

  #nextTurn(agent: number): Turn | undefined {
    return this.#plan.turnsByAgent[agent]![this.#typed[agent]!];
  }

  #isPastHere(turn: Turn): boolean {
    const { cursor } = this.#crew.members[this.#plan.seats[turn.seat]!.client]!;
    return this.#pastOf(turn).every((count, agent) => cursor.arrived(agent) >= count);
  }

  #pastOf(turn: Turn): Uint32Array {
    const { agents, past } = this.#plan;
    return past.subarray(turn.index * agents, (turn.index + 1) * agents);
  }
}
