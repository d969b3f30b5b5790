import { randomUUID } from "node:crypto";

import type { CommandIo } from "../command-io.ts";
import { Crew } from "./crew.ts";
import { summariseLatency } from "./latency.ts";
import { startProgressLines } from "./progress-lines.ts";
import { Progress } from "./progress.ts";
import { readTraceFile } from "./read-trace-file.ts";
import type { ReplayOptions } from "./replay-options.ts";
import { replayDefaults } from "./replay-options.ts";
import type { ReplayReport } from "./replay-report.ts";
import { checkReplica } from "./replay-report.ts";
import { ReplayRun } from "./replay-run.ts";
import type { RelayTarget } from "./stock-client.ts";
import { syntheticWorkload } from "./synthetic-workload.ts";
import { traceWorkload } from "./trace-workload.ts";
import type { Workload } from "./workload.ts";

/**
 * Types a recorded or modelled session through stock clients of a relay and compares what everybody
 * ends with (APP-1). Survives the death of the relay as long as it comes back: the providers
 * reconnect and sync again on their own, nothing is sent twice from here.
 *
 * @throws HeddleError `HEDDLE_CONFIG_INVALID` for a bad trace or a document that is not new,
 *   `HEDDLE_SESSION_REFUSED` when the relay turns a client away for good.
 */
export async function replay(options: ReplayOptions, io: CommandIo): Promise<ReplayReport> {
  const workload = await workloadOf(options);
  const progress = new Progress(options.idleTimeoutMs ?? replayDefaults.idleTimeoutMs);
  const target = targetOf(options, workload.name);
  const crew = new Crew(
    {
      target,
      clients: options.clients,
      agents: workload.agents,
      window: options.window ?? replayDefaults.window,
    },
    progress,
  );
  const quiet = options.quiet ?? false;
  const stop = startProgressLines(io, { crew, transactions: workload.transactions, quiet });
  const typing = workload.begin(crew);
  try {
    const run = new ReplayRun(crew, progress, typing);
    await run.toTheEnd();
    return reportOf({ run, crew, workload, target });
  } finally {
    stop();
    typing.close();
    crew.close();
  }
}

async function workloadOf({ source, clients, runLength }: ReplayOptions): Promise<Workload> {
  if (source.kind === "synthetic") {
    return syntheticWorkload({ seed: source.seed, people: clients, edits: source.edits });
  }
  const trace = await readTraceFile(source.path);
  return traceWorkload(trace, { clients, runLength: runLength ?? replayDefaults.runLength });
}

function targetOf({ url, documentName }: ReplayOptions, name: string): RelayTarget {
  const address = new URL(url);
  const params = Object.fromEntries(address.searchParams);
  address.search = "";
  address.hash = "";
  const fresh = `replay-${name.replaceAll(/[^\w-]+/g, "-").slice(0, 40)}-${randomUUID().slice(0, 8)}`;
  return { url: address.href, params, documentName: documentName ?? fresh };
}

interface Outcome {
  readonly run: ReplayRun;
  readonly crew: Crew;
  readonly workload: Workload;
  readonly target: RelayTarget;
}

function reportOf({ run, crew, workload, target }: Outcome): ReplayReport {
  const expected = run.typing.expectedContent();
  const members = run.late === undefined ? crew.members : [...crew.members, run.late];
  const replicas = members.map(({ client }) =>
    checkReplica(client.name, client.text.toString(), expected),
  );
  const isEqual = run.late !== undefined && replicas.every(({ isEqual }) => isEqual);
  const { elapsedMs } = run;
  const transactions = crew.ledger.length;
  return {
    verdict: run.awaited !== undefined ? "timed-out" : isEqual ? "equal" : "not-equal",
    source: workload.name,
    url: target.url,
    document: target.documentName,
    clients: crew.members.length,
    agents: workload.agents,
    transactions,
    transactionsPlanned: workload.transactions,
    expectedLength: expected.length,
    elapsedMs: Math.round(elapsedMs),
    editsPerSecond: elapsedMs === 0 ? 0 : Math.round((transactions / elapsedMs) * 1000),
    latencyMs: summariseLatency(crew.latencyMs) ?? null,
    reconnects: crew.reconnects,
    replicas,
    ...(run.awaited === undefined ? {} : { awaited: run.awaited }),
  };
}
