import type { DocumentId, Environment } from "@heddle/core";

import type { ParkingBounds } from "./parking-bounds.ts";
import type { Parking } from "./parking.ts";
import type { ReplicaCounters } from "./replica-counters.ts";

export interface ParkingAlarmHost {
  readonly environment: Environment;
  readonly counters: ReplicaCounters;
  readonly parkingBounds: Pick<ParkingBounds, "oldMs">;
}

/** Says so when an update of a document has waited too long for what it depends on (DOC-10). */
export class ParkingAlarm {
  readonly #host: ParkingAlarmHost;
  readonly #document: DocumentId;
  readonly #parking: Parking;
  #cancel: (() => void) | undefined;

  constructor(host: ParkingAlarmHost, document: DocumentId, parking: Parking) {
    this.#host = host;
    this.#document = document;
    this.#parking = parking;
  }

  /** To be called when something was parked. */
  arm(): void {
    const { oldestAtMs } = this.#parking;
    if (this.#cancel || oldestAtMs === undefined) return;
    const { environment, parkingBounds } = this.#host;
    const ageMs = Math.max(0, environment.clock.nowMs() - oldestAtMs);
    this.#schedule(Math.max(0, parkingBounds.oldMs - ageMs));
  }

  cancel(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #schedule(delayMs: number): void {
    this.#cancel = this.#host.environment.scheduler.after(delayMs, () => this.#check());
  }

  #check(): void {
    this.#cancel = undefined;
    const { count, bytes, oldestAtMs } = this.#parking;
    if (oldestAtMs === undefined) return;
    const { environment, counters, parkingBounds } = this.#host;
    const waitedMs = environment.clock.nowMs() - oldestAtMs;
    if (waitedMs < parkingBounds.oldMs) {
      this.#schedule(parkingBounds.oldMs - waitedMs);
      return;
    }
    counters.parkingAlarms++;
    const fields = { document: this.#document, count, bytes, waitedMs };
    environment.logger.warn("parking.stalled", fields);
    this.#schedule(parkingBounds.oldMs);
  }
}
