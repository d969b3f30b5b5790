import { toHex, type Clock } from "@heddle/core";
import type { CommitRound, ReplicaTelemetry } from "@heddle/replica";
import {
  collectDefaultMetrics,
  Counter,
  Gauge,
  Histogram,
  Registry,
  type Metric,
} from "prom-client";

import { EventLoopLag } from "./event-loop-lag.ts";
import { readMetrics, type ReadMetric } from "./metric-table.ts";
import { readinessOf, type ObservedRelay, type ReadinessReport } from "./readiness.ts";

/** Seconds: from one in-memory round to a disk that hangs. */
const latencyBuckets = [
  0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10,
];

/**
 * What the relay measures about itself. Counts are read where they are kept, when somebody asks;
 * times are observed once per commit round. No metric says anything about one document or person.
 */
export class RelayMetrics implements ReplicaTelemetry, Disposable {
  readonly #registry = new Registry();
  /** The same metrics for who asks for OpenMetrics, which has exemplars. */
  readonly #openMetrics = new Registry();
  readonly #clock: Clock;
  readonly #lag = new EventLoopLag();
  readonly #accept = this.#latency("accept", "From the oldest message of a round to its seal.");
  readonly #sync = this.#latency("sync", "From the append of a round to the disk's word for it.");
  readonly #broadcast = this.#latency(
    "broadcast",
    "From the disk to the last socket of the round.",
  );
  readonly #logBytes: Counter;
  #observed: ObservedRelay | undefined;
  #isDraining = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#logBytes = new Counter({
      name: "heddle_log_bytes_total",
      help: "Bytes of updates that reached the disk.",
      registers: [this.#registry],
    });
    for (const metric of readMetrics) this.#register(metric);
    this.#registry.registerMetric(this.#readyGauge());
    this.#registry.registerMetric(lagGauge(this.#lag));
    collectDefaultMetrics({ register: this.#registry });
    this.#openMetrics.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never);
    for (const metric of this.#registry.getMetricsAsArray()) {
      this.#openMetrics.registerMetric(metric as unknown as Metric);
    }
  }

  /** Until it is called, everything reads as zero and the relay counts as starting. */
  watch(observed: ObservedRelay): void {
    this.#observed = observed;
  }

  startDraining(): void {
    this.#isDraining = true;
  }

  get readiness(): ReadinessReport {
    return readinessOf(this.#observed, this.#isDraining, this.#clock.nowMs());
  }

  /** In the Prometheus text format; in that of OpenMetrics, with exemplars, for who accepts it. */
  async page(accept = ""): Promise<{ readonly contentType: string; readonly text: string }> {
    const isOpen = accept.includes("application/openmetrics-text");
    const registry = isOpen ? this.#openMetrics : this.#registry;
    return { contentType: registry.contentType, text: await registry.metrics() };
  }

  onRound(round: CommitRound): void {
    const { receivedMs, sealedMs, syncedMs, envelopes, bytes, correlationId } = round;
    const exemplarLabels = correlationId ? { trace_id: toHex(correlationId) } : undefined;
    const observe = (histogram: Histogram, ms: number): void => {
      const value = ms / 1_000;
      histogram.observe({ labels: {}, value, ...(exemplarLabels && { exemplarLabels }) });
    };
    if (receivedMs !== undefined) observe(this.#accept, sealedMs - receivedMs);
    observe(this.#sync, syncedMs - sealedMs);
    if (envelopes === 0) return;
    this.#logBytes.inc(bytes);
    // Frames are corked for the rest of the tick; this runs after the task that lets them go.
    process.nextTick(() => {
      observe(this.#broadcast, this.#clock.monotonicMs() - syncedMs);
    });
  }

  [Symbol.dispose](): void {
    this.#lag[Symbol.dispose]();
    this.#registry.clear();
    this.#openMetrics.clear();
  }

  #latency(area: string, help: string): Histogram {
    const name = `heddle_${area}_seconds`;
    // Registered by hand: the library takes no exemplars for a registry that cannot show them.
    const enableExemplars = true;
    const histogram = new Histogram({
      name,
      help,
      buckets: latencyBuckets,
      registers: [],
      enableExemplars,
    });
    this.#registry.registerMetric(histogram);
    return histogram;
  }

  #register({ name, help, type, label, read }: ReadMetric): void {
    const values = (): ReturnType<ReadMetric["read"]> => {
      return this.#observed ? read(this.#observed, this.#clock.nowMs()) : label ? [] : 0;
    };
    const Metric = type === "counter" ? Counter : Gauge;
    const metric: Counter | Gauge = new Metric({
      name,
      help,
      labelNames: label ? [label] : [],
      registers: [],
      collect() {
        const read = values();
        metric.reset();
        if (typeof read === "number") metric.inc(read);
        else for (const [value, count] of read) metric.inc({ [label!]: value }, count);
      },
    });
    this.#registry.registerMetric(metric);
  }

  #readyGauge(): Gauge {
    const isReady = (): number => (this.readiness.ready ? 1 : 0);
    return new Gauge({
      name: "heddle_relay_ready",
      help: "1 while /readyz says yes.",
      registers: [],
      collect() {
        this.set(isReady());
      },
    });
  }
}

function lagGauge(lag: EventLoopLag): Gauge {
  return new Gauge({
    name: "heddle_event_loop_lag_seconds",
    help: "How late the process comes to its work, since the last scrape.",
    labelNames: ["statistic"],
    registers: [],
    collect() {
      for (const [statistic, seconds] of Object.entries(lag.take())) {
        this.set({ statistic }, seconds);
      }
    },
  });
}
