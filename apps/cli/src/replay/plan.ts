import { HeddleError, HeddleErrorCode } from "@heddle/core";

import type { Patch, Trace, TraceTransaction } from "./trace.ts";

/** Bounds the table of causal pasts: 512 MiB of it. */
const pastCellsMax = 2 ** 27;

/** One person at one client: types the runs that {@link planReplay} deals to that client. */
export interface SeatPlan {
  readonly agent: number;
  readonly client: number;
}

/** One transaction of one agent, in the agent's order. */
export interface Turn {
  /** Index in the trace. */
  readonly index: number;
  readonly seat: number;
  readonly patches: readonly Patch[];
}

export interface Plan {
  readonly agents: number;
  /** All of agent 0, then all of agent 1, and so on. */
  readonly seats: readonly SeatPlan[];
  readonly turnsByAgent: readonly (readonly Turn[])[];
  /**
   * The causal past of transaction `index` is, of each agent, its first
   * `past[index * agents + agent]` transactions.
   */
  readonly past: Uint32Array;
}

/**
 * Deals a trace to clients.
 *
 * With no more clients than agents, agent `a` sits at client `a % clients` and agents may share one.
 * With more, agent `a` owns the clients `c` with `c % agents === a` and moves on to the next of them
 * after every `runLength` of its transactions. So one author becomes several, and each hand-over
 * has to go through the relay; the next client is another Yjs writer and waits for everything before.
 *
 * @throws HeddleError `HEDDLE_CONFIG_INVALID` when an agent does not build on its own earlier work.
 */
export function planReplay(trace: Trace, clients: number, runLength: number): Plan {
  const seats: SeatPlan[] = [];
  const seatsByAgent: number[][] = [];
  for (let agent = 0; agent < trace.agents; agent++) {
    seatsByAgent[agent] = clientsOf(agent, trace.agents, clients).map(
      (client) => seats.push({ agent, client }) - 1,
    );
  }
  const turnsByAgent: Turn[][] = seatsByAgent.map(() => []);
  for (const [index, { agent, patches }] of trace.transactions.entries()) {
    const turns = turnsByAgent[agent]!;
    const mine = seatsByAgent[agent]!;
    const seat = mine[Math.floor(turns.length / runLength) % mine.length]!;
    turns.push({ index, seat, patches });
  }
  return { agents: trace.agents, seats, turnsByAgent, past: causalPasts(trace) };
}

function clientsOf(agent: number, agents: number, clients: number): number[] {
  if (clients <= agents) return [agent % clients];
  const mine: number[] = [];
  for (let client = agent; client < clients; client += agents) mine.push(client);
  return mine;
}

function causalPasts({ agents, transactions }: Trace): Uint32Array {
  if (agents * transactions.length > pastCellsMax) {
    throw new HeddleError(HeddleErrorCode.configInvalid, "the trace has too many agents");
  }
  const past = new Uint32Array(transactions.length * agents);
  const ordinals: number[] = [];
  const counts = Array.from({ length: agents }, () => 0);
  for (const [index, transaction] of transactions.entries()) {
    const row = past.subarray(index * agents, (index + 1) * agents);
    for (const parent of transaction.parents) {
      for (let agent = 0; agent < agents; agent++) {
        row[agent] = Math.max(row[agent]!, past[parent * agents + agent]!);
      }
      // The parent itself belongs to the past too, as the latest of its agent.
      const author = transactions[parent]!.agent;
      row[author] = Math.max(row[author]!, ordinals[parent]! + 1);
    }
    requireOwnPast(index, transaction, { known: row[transaction.agent]!, own: counts });
    ordinals.push(counts[transaction.agent]!++);
  }
  return past;
}

/** A person never forgets what they typed; without this, no single Y.Doc could play the agent. */
function requireOwnPast(
  index: number,
  { agent }: TraceTransaction,
  { known, own }: { known: number; own: readonly number[] },
): void {
  if (known === own[agent]) return;
  throw new HeddleError(
    HeddleErrorCode.configInvalid,
    `the trace cannot be typed by people: transaction ${index} does not build on all earlier ones of its agent ${agent}`,
  );
}
