import type { HeddleErrorCode } from "@heddle/core";
import {
  byeCodeOf,
  isPermanentBye,
  mayAttempt,
  nextRetryState,
  type RetryEvent,
  type RetryState,
} from "@heddle/sync";

import type { SimReplica } from "./sim-replica.ts";
import type { SimSurroundings } from "./sim-surroundings.ts";

/** Connections that a running replica makes, and when it tries again. */
export class SimDials {
  readonly #around: SimSurroundings;
  readonly #replica: SimReplica;
  readonly #states: Map<string, RetryState>;
  /** By connection. */
  readonly #targets = new Map<number, string>();

  constructor(around: SimSurroundings, replica: SimReplica, targets: readonly string[]) {
    this.#around = around;
    this.#replica = replica;
    this.#states = new Map(targets.map((name) => [name, { name: "idle" }]));
  }

  isLive(target: string): boolean {
    return this.#states.get(target)?.name === "live";
  }

  /** The network is good again: try at once. */
  reset(): void {
    for (const name of this.#states.keys()) this.#step(name, { name: "reset" });
  }

  /** Makes every attempt that is due; `connected` is called with the key of each connection. */
  tick(connected: (connection: number) => void): void {
    for (const [name, state] of this.#states) {
      if (mayAttempt(state, this.#around.time.nowMs)) this.#dial(name, connected);
    }
  }

  succeeded(connection: number): void {
    const name = this.#targets.get(connection);
    if (name !== undefined) this.#step(name, { name: "succeeded" });
  }

  ended(connection: number, code: HeddleErrorCode): void {
    const name = this.#targets.get(connection);
    if (name === undefined) return;
    this.#targets.delete(connection);
    const bye = byeCodeOf(code);
    this.#step(name, isPermanentBye(bye) ? { name: "refused", code: bye } : { name: "failed" });
  }

  #dial(name: string, connected: (connection: number) => void): void {
    this.#step(name, { name: "attempt" });
    const target = this.#around.replica(name);
    const key = target?.isUp ? this.#around.network.connect(this.#replica, target) : undefined;
    if (key === undefined || !target) return this.#step(name, { name: "failed" });
    this.#targets.set(key, name);
    connected(key);
    target.accept(key);
  }

  #step(name: string, event: RetryEvent): void {
    const context = { nowMs: this.#around.time.nowMs, random: this.#around.random };
    const state = this.#states.get(name) ?? { name: "idle" };
    this.#states.set(name, nextRetryState(state, event, context));
  }
}
