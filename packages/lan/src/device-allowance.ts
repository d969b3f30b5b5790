import type { Environment } from "@heddle/core";
import { PeerMeter, TokenBucket } from "@heddle/replica";
import type { Connection } from "@heddle/sync";

import type { LanCounters } from "./lan-counters.ts";
import { lanLimits } from "./lan-limits.ts";

/**
 * What a paired device may cost, over all of its connections, one after the other too: what it owes does not
 * end with the connection that made the debt. It is trusted with documents, and not with this machine: it
 * may be lost, or run what its owner did not mean.
 */
export class DeviceAllowance {
  readonly #environment: Pick<Environment, "clock" | "scheduler">;
  readonly #counters: LanCounters;
  readonly #bytes: TokenBucket;
  readonly #frames: TokenBucket;
  readonly #asks: TokenBucket;
  readonly #documents: TokenBucket;

  constructor(environment: Pick<Environment, "clock" | "scheduler">, counters: LanCounters) {
    this.#environment = environment;
    this.#counters = counters;
    const nowMs = environment.clock.monotonicMs();
    const newBucket = (perSecond: number, burst: number) => {
      return new TokenBucket({ perSecond, burst }, nowMs);
    };
    this.#bytes = newBucket(lanLimits.deviceBytesPerSecond, lanLimits.deviceBytesBurst);
    this.#frames = newBucket(lanLimits.deviceFramesPerSecond, lanLimits.deviceFramesBurst);
    this.#asks = newBucket(lanLimits.deviceAsksPerSecond, lanLimits.deviceAsksBurst);
    const { deviceDocumentsPerHour: perHour } = lanLimits;
    this.#documents = newBucket(perHour / 3_600, perHour);
  }

  /** The same connection, read no faster than the device may send. */
  meter(connection: Connection): Connection {
    return new PeerMeter(connection, {
      environment: this.#environment,
      rates: {
        bytes: this.#bytes,
        frames: this.#frames,
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
