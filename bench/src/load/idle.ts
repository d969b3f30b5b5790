import { setTimeout as delay } from "node:timers/promises";
import { readCpuSeconds, readRssMegabytes } from "../process-usage.ts";
import { connectAll } from "./connect-all.ts";
import type { IdleJob, Sample } from "./jobs.ts";
import { WireClient } from "./wire-client.ts";

const clientsPerDocument = 10;

/** Many clients that are there and do nothing. */
export async function runIdle(job: IdleJob): Promise<Sample> {
  const { url, wire, serverPid, clients: count } = job;
  // The first ones pay for code and pools that all others use.
  const first = await connectAll(100, (index) => connect(job, `bench-warm-${index}`));
  await delay(job.settleMs);
  const before = readRssMegabytes(serverPid);
  const clients = await connectAll(count, (index) => {
    return connect({ url, wire }, `bench-idle-${Math.floor(index / clientsPerDocument)}`);
  });
  await delay(job.settleMs);
  const rssMb = readRssMegabytes(serverPid);
  const cpuBefore = readCpuSeconds(serverPid);
  await delay(job.settleMs);
  const idleCpu = (readCpuSeconds(serverPid) - cpuBefore) / (job.settleMs / 1_000);
  for (const client of [...first, ...clients]) client.close();
  return { rssMb, kilobytesEach: ((rssMb - before) * 1_000) / count, idleCpu };
}

function connect({ url, wire }: Pick<IdleJob, "url" | "wire">, document: string): WireClient {
  const onClosed = (reason: string): void => {
    process.stderr.write(`${document}: ${reason}\n`);
    process.exit(1);
  };
  return new WireClient({ url, wire, document }, { onContent: () => {}, onClosed });
}
