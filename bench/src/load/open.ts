import { performance } from "node:perf_hooks";
import { readRssMegabytes } from "../process-usage.ts";
import type { OpenJob, Sample } from "./jobs.ts";
import { Signal } from "./signal.ts";
import { WireClient } from "./wire-client.ts";

/**
 * Opens documents one after the other, twice each: cold, as nobody has asked for it since the server was
 * started, and warm. Done when `structsEnd` clocks of the given client have arrived.
 */
export async function runOpen(job: OpenJob): Promise<Sample> {
  // Somebody else was here before: what is timed is the document, not the first connection of a process.
  const { url, wire } = job;
  const other = { onContent: () => {}, onClosed: () => {} };
  const before = new WireClient({ url, wire, document: "bench-somebody-else" }, other);
  await before.whenSynced();
  before.close();
  const cold: number[] = [];
  const warm: number[] = [];
  for (const document of job.documents) {
    const first = open(job, document);
    cold.push((await first.complete).took);
    const second = open(job, document);
    warm.push((await second.complete).took);
    first.client.close();
    second.client.close();
  }
  return {
    coldMs: medianOf(cold),
    warmMs: medianOf(warm),
    rssMb: readRssMegabytes(job.serverPid),
  };
}

interface Opening {
  readonly client: WireClient;
  readonly complete: Promise<{ took: number }>;
}

function open({ url, wire, client: writer, clocks }: OpenJob, document: string): Opening {
  const startedAt = performance.now();
  const done = new Signal<{ took: number }>();
  const client = new WireClient(
    { url, wire, document },
    {
      onContent: (id, _from, to, at) => {
        if (id === writer && to >= clocks) done.resolve({ took: at - startedAt });
      },
      onClosed: (reason) => done.reject(new Error(`${document}: ${reason}`)),
    },
  );
  return { client, complete: done.promise };
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
