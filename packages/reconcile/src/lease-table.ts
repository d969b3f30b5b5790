import { assert, type Clock, Turns } from "@heddle/core";
import { encodeUtf8 } from "lib0/string";

import { projectionLimits } from "./projection-limits.ts";
import type { Lease, LeaseProof } from "./projection-store.ts";

interface Held {
  readonly token: number;
  readonly holder: string;
  endsMs: number;
}

/**
 * Who holds which lease of one open store. Only the tokens are durable: an opening begins with no lease in
 * force, so that a holder from before has to ask again, and is refused until it does.
 */
export class LeaseTable {
  readonly #clock: Clock;
  readonly #nextToken: (name: string) => Promise<number>;
  readonly #held = new Map<string, Held>();
  readonly #turns = new Turns();

  /** @param nextToken the next token of a name, once it is on disk; calls are one after the other. */
  constructor(clock: Clock, nextToken: (name: string) => Promise<number>) {
    this.#clock = clock;
    this.#nextToken = nextToken;
  }

  acquire(name: string, holder: string, ttlMs: number): Promise<Lease | undefined> {
    assertName(name);
    assertName(holder);
    assertTtl(ttlMs);
    return this.#turns.run(() => this.#take(name, holder, ttlMs));
  }

  renew(lease: LeaseProof, ttlMs: number): boolean {
    assertTtl(ttlMs);
    if (!this.isInForce(lease)) return false;
    this.#held.get(lease.name)!.endsMs = this.#nowMs() + ttlMs;
    return true;
  }

  release(lease: LeaseProof): void {
    if (this.isInForce(lease)) this.#held.delete(lease.name);
  }

  /** To be asked in the turn in which a batch is written. */
  isInForce({ name, token }: LeaseProof): boolean {
    const held = this.#held.get(name);
    return held !== undefined && held.token === token && held.endsMs > this.#nowMs();
  }

  async #take(name: string, holder: string, ttlMs: number): Promise<Lease | undefined> {
    const held = this.#held.get(name);
    if (held && held.holder !== holder && held.endsMs > this.#nowMs()) return undefined;
    // While the token is on its way to the disk nobody has the lease: the one before it is refused.
    this.#held.delete(name);
    const token = await this.#nextToken(name);
    this.#held.set(name, { token, holder, endsMs: this.#nowMs() + ttlMs });
    return { name, holder, ttlMs, token };
  }

  #nowMs(): number {
    return this.#clock.monotonicMs();
  }
}

function assertName(name: string): void {
  const length = encodeUtf8(name).length;
  assert(length > 0 && length <= projectionLimits.leaseNameBytesMax, "a lease has a short name");
}

function assertTtl(ttlMs: number): void {
  const { leaseTtlMsMin, leaseTtlMsMax } = projectionLimits;
  assert(ttlMs >= leaseTtlMsMin && ttlMs <= leaseTtlMsMax, "a lease lasts as long as it may");
}
