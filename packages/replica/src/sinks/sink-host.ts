import { HeddleError, HeddleErrorCode, type Environment } from "@heddle/core";
import {
  defineSink,
  type ProjectionStore,
  type SinkDefinition,
  type SinkSource,
} from "@heddle/reconcile";

import { waitUntil, type WaitOptions } from "../wait-until.ts";
import { HostedSink } from "./hosted-sink.ts";

/** What runs, from where, and how often. */
export interface SinkHostOptions {
  readonly store: ProjectionStore;
  /** Called for each sink: a source remembers where the listing of its documents stands. */
  readonly newSource: () => SinkSource;
  readonly environment: Environment;
  readonly sinks: readonly SinkDefinition[];
  /** The feed is asked this often when nobody wakes it; default a second. */
  readonly pollMs?: number;
  /** Documents that could not be read are looked at again this often, and dead changes for their age; a minute. */
  readonly stalledMs?: number;
}

const pollMsDefault = 1_000;
const stalledMsDefault = 60_000;

/** Runs sinks over one store, each by itself. */
export class SinkHost implements AsyncDisposable {
  /** By name; live. */
  readonly sinks: ReadonlyMap<string, HostedSink>;
  readonly #waiting = new Set<() => void>();

  /** @throws HeddleError `HEDDLE_PROJECTION_INVALID` for a definition, or two of one name. */
  constructor(options: SinkHostOptions) {
    const { sinks, store, environment, newSource } = options;
    const { pollMs = pollMsDefault, stalledMs = stalledMsDefault } = options;
    const onIdle = (): void => {
      for (const look of this.#waiting) look();
    };
    const hosted = new Map<string, HostedSink>();
    for (const definition of sinks) {
      const sink = defineSink(definition);
      if (hosted.has(sink.name)) {
        const message = `there are two sinks called ${sink.name}`;
        throw new HeddleError(HeddleErrorCode.projectionInvalid, message);
      }
      const parts = { sink, store, environment, pollMs, stalledMs, onIdle, source: newSource() };
      hosted.set(sink.name, new HostedSink(parts));
    }
    this.sinks = hosted;
  }

  /** Begins to follow the feed. */
  start(): void {
    for (const sink of this.sinks.values()) sink.start();
  }

  /** Something has arrived: looks at once instead of with the next poll. */
  wake(): void {
    for (const sink of this.sinks.values()) sink.wake();
  }

  /**
   * Resolves when all sinks have handed over, or given up, what is in the log at the time of this call. Rejects with
   * the signal's reason.
   */
  async whenCaughtUp(options?: WaitOptions): Promise<void> {
    this.wake();
    await waitUntil((resolve) => {
      const look = (): void => {
        if (![...this.sinks.values()].every(({ isIdle }) => isIdle)) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      // Of no sinks at all nobody says that it is idle.
      look();
      return () => this.#waiting.delete(look);
    }, options);
  }

  /** Ends after what is written; attempts that are under way are given up. The store is left open. */
  async close(): Promise<void> {
    await Promise.all([...this.sinks.values()].map((sink) => sink.close()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
