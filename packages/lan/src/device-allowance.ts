import type { Environment } from "@heddle/core";
import { PeerMeter, TokenBucket } from "@heddle/replica";
import type { Connection } from "@heddle/sync";

import type { LanCounters } from "./lan-counters.ts";
import { lanLimits } from "./lan-limits.ts";

/**
 * What a paired device may cost, over all of its connections. It is trusted with documents, and not with
 * this machine: it may be lost, or run what its owner did not mean.
 */
export class DeviceAllowance {
  readonly #environment: Pick<Environment, "clock" | "scheduler">;
  readonly #counters: LanCounters;
  readonly #asks: TokenBucket;
  readonly #documents: TokenBucket;

  constructor(environment: Pick<Environment, "clock" | "scheduler">, counters: LanCounters) {
    this.#environment = environment;
    this.#counters = counters;
    const { deviceAsksPerSecond, deviceAsksBurst, deviceDocumentsPerHour } = lanLimits;
    const nowMs = environment.clock.monotonicMs();
    this.#asks = new TokenBucket({ perSecond: deviceAsksPerSecond, burst: deviceAsksBurst }, nowMs);
    const documents = { perSecond: deviceDocumentsPerHour / 3_600, burst: deviceDocumentsPerHour };
    this.#documents = new TokenBucket(documents, nowMs);
  }

  /** The same connection, read no faster than the device may send. */
  meter(connection: Connection): Connection {
    const { deviceBytesPerSecond, deviceBytesBurst } = lanLimits;
    const { deviceFramesPerSecond, deviceFramesBurst } = lanLimits;
    return new PeerMeter(connection, {
      environment: this.#environment,
      rates: {
        bytes: { perSecond: deviceBytesPerSecond, burst: deviceBytesBurst },
        frames: { perSecond: deviceFramesPerSecond, burst: deviceFramesBurst },
        debtMsMax: lanLimits.deviceDebtMsMax,
      },
      asks: {
        charge: (count, nowMs) => this.#asks.take(count, nowMs),
        debtMs: (nowMs) => this.#asks.debtMs(nowMs),
      },
      onOver: (rate) => {
        if (rate === "debt") this.#counters.quotaClosed++;
        else this.#counters.readsPaused++;
      },
    });
  }

  /** Whether it may bring one more document of which nothing is here; counts it if so. */
  mayOpenNew(): boolean {
    if (this.#documents.tryTake(1, this.#environment.clock.monotonicMs())) return true;
    this.#counters.documentsPutOff++;
    return false;
  }
}
