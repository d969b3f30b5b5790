import { performance } from "node:perf_hooks";
import type { Pinning } from "../pinning.ts";
import { readAllCpuSeconds, readCoreBusySeconds } from "../process-usage.ts";

export interface Metered {
  readonly seconds: number;
  readonly serverCpuSeconds: number;
  /** Shares of one core. */
  readonly serverCpu: number;
  readonly loadCpu: number;
  /** What others took of the busier of the two cores; not known without pinning. */
  readonly othersCpu: number;
}

interface Reading {
  readonly atMs: number;
  readonly serverCpuSeconds: number;
  readonly loadCpuSeconds: number;
  readonly busySeconds: { readonly server: number; readonly load: number } | undefined;
}

/** Time and CPU between two moments: of the servers, of this process, and of whoever else used their cores. */
export class Meter {
  readonly #serverPids: readonly number[];
  readonly #pinning: Pinning | null;
  readonly #start: Reading;

  constructor(serverPids: readonly number[], pinning: Pinning | null) {
    this.#serverPids = serverPids;
    this.#pinning = pinning;
    this.#start = this.#take();
  }

  read(): Metered {
    const [start, end] = [this.#start, this.#take()];
    const seconds = (end.atMs - start.atMs) / 1_000;
    const serverCpuSeconds = end.serverCpuSeconds - start.serverCpuSeconds;
    const loadCpuSeconds = end.loadCpuSeconds - start.loadCpuSeconds;
    const metered = {
      seconds,
      serverCpuSeconds,
      serverCpu: serverCpuSeconds / seconds,
      loadCpu: loadCpuSeconds / seconds,
    };
    if (!start.busySeconds || !end.busySeconds) return { ...metered, othersCpu: 0 };
    const onServerCore = end.busySeconds.server - start.busySeconds.server - serverCpuSeconds;
    const onLoadCore = end.busySeconds.load - start.busySeconds.load - loadCpuSeconds;
    return { ...metered, othersCpu: Math.max(0, onServerCore, onLoadCore) / seconds };
  }

  #take(): Reading {
    const { user, system } = process.cpuUsage();
    return {
      atMs: performance.now(),
      serverCpuSeconds: readAllCpuSeconds(this.#serverPids),
      loadCpuSeconds: (user + system) / 1e6,
      busySeconds: this.#pinning
        ? {
            server: readCoreBusySeconds(this.#pinning.serverCore),
            load: readCoreBusySeconds(this.#pinning.loadCore),
          }
        : undefined,
    };
  }
}
