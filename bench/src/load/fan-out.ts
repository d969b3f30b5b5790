import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { connectAll } from "./connect-all.ts";
import { LatencyHistogram } from "./histogram.ts";
import type { FanOutJob, Sample } from "./jobs.ts";
import { measureAfterWarmUp, worked } from "./measured-time.ts";
import { Signal } from "./signal.ts";
import { typeRun, writerOf, type TypedRun } from "./typing.ts";
import { WireClient } from "./wire-client.ts";
import { prefixOf } from "./wire.ts";

const documentName = "bench-fan-out";
const drainLookMs = 20;

interface Writer {
  readonly run: TypedRun;
  sent: number;
  /** Per update: when it was sent, and how many clients have yet to see it. */
  readonly sentAt: Float64Array;
  readonly missing: Uint16Array;
}

function isUnderWay({ sent, missing }: Writer): boolean {
  return sent > 0 && missing[sent - 1]! > 0;
}

/** One document with many clients, some of which write; an update counts once per other client that has it. */
export async function runFanOut(job: FanOutJob): Promise<Sample> {
  const load = new FanOutLoad(job);
  try {
    return await load.run();
  } finally {
    load.close();
  }
}

class FanOutLoad {
  readonly #job: FanOutJob;
  readonly #writers: Writer[];
  /** The next clock that client r expects of writer w, at r × writers + w. */
  readonly #expected: Uint32Array;
  readonly #latency = new LatencyHistogram();
  readonly #failed = new Signal<never>();
  readonly #exhausted = new Signal<void>();
  #clients: WireClient[] = [];
  #deliveries = 0;
  #isWindowKept = true;
  #pacer: NodeJS.Timeout | undefined;

  constructor(job: FanOutJob) {
    this.#job = job;
    this.#expected = new Uint32Array(job.clients * job.writers);
    this.#writers = Array.from({ length: job.writers }, (_, index) => ({
      run: typeRun(index, job.updatesPerWriter, prefixOf(job.wire, documentName)),
      sent: 0,
      sentAt: new Float64Array(job.updatesPerWriter),
      missing: new Uint16Array(job.updatesPerWriter).fill(job.clients - 1),
    }));
  }

  async run(): Promise<Sample> {
    const job = this.#job;
    this.#clients = await connectAll(job.clients, (index) => this.#connect(index));
    this.#fillWindow("window" in job.pace ? job.pace.window : job.warmUpWindow);
    if ("rate" in job.pace) await this.#changePace(job.pace.rate);
    const metered = await measureAfterWarmUp({
      ...job,
      serverPids: [job.serverPid],
      keepsServerBusy: "window" in job.pace,
      failed: this.#failed.promise,
      exhausted: this.#exhausted.promise,
      onMeasureStart: () => {
        this.#deliveries = 0;
        this.#latency.reset();
      },
    });
    const deliveries = this.#deliveries;
    return {
      deliveries,
      seconds: metered.seconds,
      deliveriesPerSecond: deliveries / metered.seconds,
      deliveriesPerCpuSecond: deliveries / metered.serverCpuSeconds,
      cpuSecondsPerMillion: (metered.serverCpuSeconds * 1e6) / deliveries,
      p50Ms: this.#latency.percentile(0.5),
      p99Ms: this.#latency.percentile(0.99),
      serverCpu: metered.serverCpu,
      loadCpu: metered.loadCpu,
      othersCpu: metered.othersCpu,
    };
  }

  close(): void {
    clearInterval(this.#pacer);
    for (const client of this.#clients) client.close();
  }

  #connect(receiver: number): WireClient {
    const { url, wire } = this.#job;
    return new WireClient(
      { url, wire, document: documentName },
      {
        onContent: (client, from, to, at) =>
          this.#onContent(receiver, writerOf(client), from, to, at),
        onClosed: (reason) => this.#failed.reject(new Error(`client ${receiver}: ${reason}`)),
      },
    );
  }

  #onContent(receiver: number, index: number, from: number, to: number, at: number): void {
    // Some servers send a writer its own updates back. That is their cost, and no delivery.
    if (receiver === index) return;
    const writer = this.#writers[index]!;
    const slot = receiver * this.#writers.length + index;
    const expected = this.#expected[slot]!;
    if (from > expected) throw new Error(`client ${receiver} got ${from} before ${expected}`);
    for (let clock = expected; clock < to; clock += 1) {
      this.#deliveries += 1;
      this.#latency.record(at - writer.sentAt[clock]!);
      writer.missing[clock] = writer.missing[clock]! - 1;
      if (writer.missing[clock] === 0 && this.#isWindowKept) this.#sendNext(index);
    }
    if (to > expected) this.#expected[slot] = to;
  }

  #fillWindow(window: number): void {
    for (let index = 0; index < window; index += 1) this.#sendNext(index % this.#writers.length);
  }

  /** Ends the full window, waits until it has arrived everywhere, and goes on at a rate. */
  async #changePace(rate: number): Promise<void> {
    await Promise.race([
      worked([this.#job.serverPid], this.#job.warmUpMs, true),
      this.#failed.promise,
    ]);
    this.#isWindowKept = false;
    while (this.#writers.some(isUnderWay)) {
      await Promise.race([delay(drainLookMs), this.#failed.promise]);
    }
    this.#startPacer(rate);
  }

  /** Catches up after a stall of the load; a timer of 1 ms is finer than any pace of this bench. */
  #startPacer(rate: number): void {
    const startedAt = performance.now();
    let sent = 0;
    this.#pacer = setInterval(() => {
      const due = ((performance.now() - startedAt) * rate) / 1_000;
      for (; sent < due; sent += 1) this.#sendNext(sent % this.#writers.length);
    }, 1);
  }

  #sendNext(index: number): void {
    const writer = this.#writers[index]!;
    if (writer.sent === writer.run.length) {
      this.#exhausted.resolve();
      return;
    }
    writer.sentAt[writer.sent] = performance.now();
    this.#clients[index]!.send(writer.run.frame(writer.sent));
    writer.sent += 1;
  }
}
