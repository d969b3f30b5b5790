import type { DocumentId } from "@heddle/core";
import { TokenBucket } from "@heddle/replica";

import type { RelayLimits } from "./relay-limits.ts";

/** Part of a share that the first write of a document leaves: its author opens more pages. */
const firstWriteShare = 0.5;

export type ClientSharesLimits = Pick<
  RelayLimits,
  "clientsPerAddressMax" | "clientsPerAddressPerHour" | "clientSharesMax"
>;

/**
 * How many new Yjs clients each address may still bring to each document. It outlives connections, so that
 * coming back renews nothing, and grows back with time. Full ones are forgotten.
 */
export class ClientShares {
  readonly #limits: ClientSharesLimits;
  /** By document and address, the one that was used longest ago first. */
  readonly #shares = new Map<string, TokenBucket>();

  constructor(limits: ClientSharesLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#shares.size;
  }

  hasRoom(key: string, clients: number, nowMs: number): boolean {
    const share = this.#shares.get(key);
    return share ? share.has(clients, nowMs) : clients <= this.#limits.clientsPerAddressMax;
  }

  /** Returns whether another share had to be forgotten for it. */
  take(key: string, clients: number, nowMs: number): boolean {
    const share = this.#shares.get(key) ?? this.#new(nowMs);
    share.take(clients, nowMs);
    this.#shares.delete(key);
    this.#shares.set(key, share);
    if (this.#shares.size <= this.#limits.clientSharesMax) return false;
    const [oldest = key] = this.#shares.keys();
    return this.#shares.delete(oldest);
  }

  /** The first write of a document may bring any number, and is charged no more than a part of the share. */
  takeFirst(key: string, clients: number, nowMs: number): boolean {
    const { clientsPerAddressMax } = this.#limits;
    return this.take(key, Math.min(clients, clientsPerAddressMax * firstWriteShare), nowMs);
  }

  forgetFull(nowMs: number): void {
    for (const [key, share] of this.#shares) if (share.isFull(nowMs)) this.#shares.delete(key);
  }

  #new(nowMs: number): TokenBucket {
    const { clientsPerAddressMax: burst, clientsPerAddressPerHour: perHour } = this.#limits;
    return new TokenBucket({ perSecond: perHour / 3_600, burst }, nowMs);
  }
}

export function shareKey(document: DocumentId | undefined, address: string): string {
  return `${document} ${address}`;
}
