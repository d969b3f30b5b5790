import { performance } from "node:perf_hooks";
import { readRssMegabytes } from "../process-usage.ts";
import { connectAll } from "./connect-all.ts";
import { LatencyHistogram } from "./histogram.ts";
import type { DocumentsJob, Sample } from "./jobs.ts";
import { measureAfterWarmUp } from "./measured-time.ts";
import { Signal } from "./signal.ts";
import { typeRun, type TypedRun } from "./typing.ts";
import { WireClient } from "./wire-client.ts";
import { prefixOf } from "./wire.ts";

/** One document, its writer and its reader. The writer types on as soon as the reader has the last letter. */
class WatchedDocument {
  readonly writer: WireClient;
  readonly reader: WireClient;
  readonly #run: TypedRun;
  readonly #load: DocumentsLoad;
  #sent = 0;
  #sentAt = 0;

  constructor(index: number, job: DocumentsJob, load: DocumentsLoad) {
    this.#load = load;
    const target = { url: job.url, wire: job.wire, document: `bench-doc-${index}` };
    this.#run = typeRun(index, job.updatesPerDocument, prefixOf(target.wire, target.document));
    const onClosed = (reason: string) =>
      load.failed.reject(new Error(`document ${index}: ${reason}`));
    this.writer = new WireClient(target, { onContent: () => {}, onClosed });
    const readerTarget = job.readers ? { ...target, url: job.readers.url } : target;
    this.reader = new WireClient(readerTarget, {
      onContent: (_client, _from, to, at) => this.#onContent(to, at),
      onClosed,
    });
  }

  async whenSynced(): Promise<void> {
    await Promise.all([this.writer.whenSynced(), this.reader.whenSynced()]);
  }

  sendNext(): void {
    if (this.#sent === this.#run.length) {
      this.#load.exhausted.resolve();
      return;
    }
    this.#sentAt = performance.now();
    this.writer.send(this.#run.frame(this.#sent));
    this.#sent += 1;
  }

  close(): void {
    this.writer.close();
    this.reader.close();
  }

  #onContent(to: number, at: number): void {
    if (to !== this.#sent) return; // Seen before: the reader waits for the last letter only.
    this.#load.delivered(at - this.#sentAt);
    this.sendNext();
  }
}

class DocumentsLoad {
  readonly failed = new Signal<never>();
  readonly exhausted = new Signal<void>();
  readonly latency = new LatencyHistogram();
  updates = 0;

  delivered(latencyMs: number): void {
    this.updates += 1;
    this.latency.record(latencyMs);
  }
}

/** Many documents with a writer and a reader each, one update in flight per document. */
export async function runDocuments(job: DocumentsJob): Promise<Sample> {
  const load = new DocumentsLoad();
  const rssBeforeMb = readRssMegabytes(job.serverPid);
  const connect = (index: number) => new WatchedDocument(index, job, load);
  const documents = await connectAll(job.documents, connect);
  for (const document of documents) document.sendNext();
  const metered = await measureAfterWarmUp({
    ...job,
    serverPids: job.readers ? [job.serverPid, job.readers.serverPid] : [job.serverPid],
    keepsServerBusy: true,
    failed: load.failed.promise,
    exhausted: load.exhausted.promise,
    onMeasureStart: () => {
      load.updates = 0;
      load.latency.reset();
    },
  });
  const { updates, latency } = load;
  const rssBusyMb = readRssMegabytes(job.serverPid);
  for (const document of documents) document.close();
  return {
    updates,
    seconds: metered.seconds,
    updatesPerSecond: updates / metered.seconds,
    updatesPerCpuSecond: updates / metered.serverCpuSeconds,
    p50Ms: latency.percentile(0.5),
    p99Ms: latency.percentile(0.99),
    serverCpu: metered.serverCpu,
    loadCpu: metered.loadCpu,
    othersCpu: metered.othersCpu,
    rssBeforeMb,
    rssBusyMb,
  };
}
