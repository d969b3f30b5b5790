import { performance } from "node:perf_hooks";
import { describeHost } from "./host.ts";
import type { Sample } from "./load/jobs.ts";
import type { BenchResult, RowResult, ServerOutcome } from "./result.ts";
import type { Row, RowContext } from "./rows/row.ts";
import { measureSyncCost } from "./rows/sync-cost.ts";
import type { ServerKind } from "./servers/server.ts";

interface BenchRun {
  readonly rows: readonly Row[];
  readonly servers: readonly ServerKind[];
  readonly context: RowContext;
  readonly dataRoot: string;
  progress(line: string): void;
  /** Told after every row what is there so far: a long run that is interrupted keeps its finished rows. */
  keep(result: BenchResult): void;
}

/** Row by row, round by round, server by server, so that a slow minute of the machine falls on all of them. */
export async function runBench(run: BenchRun): Promise<BenchResult> {
  const startedAt = performance.now();
  const host = describeHost(run.context.pinning, run.dataRoot);
  const syncCost: Sample[] = [];
  const rows: RowResult[] = [];
  const resultSoFar = (): BenchResult => ({
    host,
    plan: run.context.plan,
    seconds: (performance.now() - startedAt) / 1_000,
    servers: run.servers.map(({ id, durability }) => ({ id, durability })),
    syncCost,
    rows,
  });
  for (const row of run.rows) {
    const outcomes = await runRow(row, run, syncCost);
    rows.push({ id: row.id, tables: row.tables, outcomes });
    run.keep(resultSoFar());
  }
  return resultSoFar();
}

async function runRow(row: Row, run: BenchRun, syncCost: Sample[]): Promise<ServerOutcome[]> {
  const rounds = Math.min(run.context.plan.rounds, row.roundsMax ?? Infinity);
  const servers = run.servers.filter((server) => {
    return row.appliesTo(server) && (server.onlyRows?.includes(row.id) ?? true);
  });
  const outcomes = servers.map(({ id }): ServerOutcome => ({
    server: id,
    samples: [],
    problems: [],
  }));
  for (let round = 1; round <= rounds; round += 1) {
    syncCost.push(await measureSyncCost(run.context));
    for (const [index, server] of servers.entries()) {
      run.progress(`${row.id}, round ${round} of ${rounds}: ${server.id}`);
      await measureInto(outcomes[index]!, () => row.measure(server, run.context));
    }
  }
  return outcomes;
}

/** One server that cannot be measured leaves a hole with a reason, and the others their figures. */
async function measureInto(
  outcome: ServerOutcome,
  measure: () => Promise<readonly Sample[]>,
): Promise<void> {
  try {
    outcome.samples.push(...(await measure()));
  } catch (error) {
    outcome.problems.push(error instanceof Error ? error.message : String(error));
  }
}
