import { performance } from "node:perf_hooks";
import { readCpuSeconds } from "../process-usage.ts";
import type { LibraryJob, Sample } from "./jobs.ts";
import { Signal } from "./signal.ts";
import { pasteFrame } from "./typing.ts";
import { WireClient, type WireTarget } from "./wire-client.ts";
import { prefixOf } from "./wire.ts";

/** Documents under way at a time. */
const concurrency = 50;

/** Writes, or opens, many documents one after the other; each is left before the next takes its place. */
export async function runLibrary(job: LibraryJob): Promise<Sample> {
  const cpuBefore = readCpuSeconds(job.serverPid);
  const startedAt = performance.now();
  const each = job.work === "write" ? writeDocument : openDocument;
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < job.documents) await each(job, next++);
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return {
    seconds: (performance.now() - startedAt) / 1_000,
    serverCpuSeconds: readCpuSeconds(job.serverPid) - cpuBefore,
  };
}

/** One paste, done when a second client has it. */
async function writeDocument(job: LibraryJob, index: number): Promise<void> {
  const target = targetOf(job, index);
  const reader = watched(target, job.bytes);
  const writer = watched(target, Infinity);
  await Promise.all([reader.client.whenSynced(), writer.client.whenSynced()]);
  writer.client.send(pasteFrame(index, job.bytes, prefixOf(job.wire, target.document)));
  await reader.complete;
  reader.client.close();
  writer.client.close();
}

async function openDocument(job: LibraryJob, index: number): Promise<void> {
  const { client, complete } = watched(targetOf(job, index), job.bytes);
  await complete;
  client.close();
}

/** A client, and when it has `clocks` clocks of the document's one writer. */
function watched(
  target: WireTarget,
  clocks: number,
): { client: WireClient; complete: Promise<void> } {
  const complete = new Signal<void>();
  const client = new WireClient(target, {
    onContent: (_client, _from, to) => to >= clocks && complete.resolve(),
    onClosed: (reason) => complete.reject(new Error(`${target.document}: ${reason}`)),
  });
  return { client, complete: complete.promise };
}

function targetOf({ url, wire }: LibraryJob, index: number): WireTarget {
  return { url, wire, document: `bench-library-${index}` };
}
