import { TokenBucket } from "@heddle/replica";

import type { RelayLimit, RelayLimits } from "./relay-limits.ts";

interface AddressRecord {
  connections: number;
  readonly upgrades: TokenBucket;
  requests: TokenBucket | undefined;
  documents: TokenBucket | undefined;
  /** Milliseconds of making catch-ups. */
  catchUps: TokenBucket | undefined;
  /** Frames of the heddle wire that ask for something. */
  asks: TokenBucket | undefined;
  /** Documents that its replicas opened and that were not here. */
  peerDocuments: TokenBucket | undefined;
}

/**
 * What each address has been doing. Knows as many addresses as are busy: one with no connection and
 * nothing used up is forgotten.
 */
export class AddressBook {
  readonly #limits: RelayLimits;
  readonly #records = new Map<string, AddressRecord>();

  constructor(limits: RelayLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#records.size;
  }

  /** Counts one more connection of `address`, or says which limit forbids it. */
  enter(address: string, nowMs: number): RelayLimit | undefined {
    const record = this.#records.get(address) ?? this.#add(address, nowMs);
    if (record === undefined) return "addressesMax";
    if (!record.upgrades.tryTake(1, nowMs)) return "upgradesPerAddressPerSecond";
    if (record.connections >= this.#limits.connectionsPerAddressMax) {
      return "connectionsPerAddressMax";
    }
    record.connections++;
    return undefined;
  }

  /** Counts one request of `address`, or says which limit forbids it. */
  ask(address: string, nowMs: number): RelayLimit | undefined {
    const record = this.#records.get(address) ?? this.#add(address, nowMs);
    if (record === undefined) return "addressesMax";
    const { requestsPerAddressPerSecond: perSecond, requestsPerAddressBurst: burst } = this.#limits;
    record.requests ??= new TokenBucket({ perSecond, burst }, nowMs);
    return record.requests.tryTake(1, nowMs) ? undefined : "requestsPerAddressPerSecond";
  }

  leave(address: string): void {
    const record = this.#records.get(address);
    if (record && record.connections > 0) record.connections--;
  }

  /** Whether `address` may create one more document. Creating it is counted on its own. */
  mayCreate(address: string, nowMs: number): boolean {
    const documents = this.#documentsOf(address, nowMs);
    return documents === undefined || documents.debtMs(nowMs) === 0;
  }

  countCreated(address: string, nowMs: number): void {
    this.#documentsOf(address, nowMs)?.take(1, nowMs);
  }

  /** A document that was counted could not be stored. */
  forgiveCreated(address: string, nowMs: number): void {
    this.#records.get(address)?.documents?.take(-1, nowMs);
  }

  /** For how long `address` should wait for the next catch-up, for what it took to make the last ones. */
  catchUpDebtMs(address: string, nowMs: number): number {
    return this.#records.get(address)?.catchUps?.debtMs(nowMs) ?? 0;
  }

  chargeCatchUp(address: string, cpuMs: number, nowMs: number): void {
    const record = this.#records.get(address);
    if (record === undefined) return;
    const { catchUpCpuMsPerSecond: perSecond, catchUpCpuMsBurst: burst } = this.#limits;
    record.catchUps ??= new TokenBucket({ perSecond, burst }, nowMs);
    record.catchUps.take(cpuMs, nowMs);
  }

  /** For how long replicas of `address` should wait with the next frame, for what they have asked. */
  asksDebtMs(address: string, nowMs: number): number {
    return this.#records.get(address)?.asks?.debtMs(nowMs) ?? 0;
  }

  chargeAsks(address: string, count: number, nowMs: number): void {
    const record = this.#records.get(address);
    if (record === undefined) return;
    const { peerAsksPerAddressPerSecond: perSecond, peerAsksPerAddressBurst: burst } = this.#limits;
    record.asks ??= new TokenBucket({ perSecond, burst }, nowMs);
    record.asks.take(count, nowMs);
  }

  /** Whether a replica of `address` may open one more document that is not here; counts it if so. */
  tryOpenNew(address: string, nowMs: number): boolean {
    const record = this.#records.get(address);
    if (record === undefined) return true;
    const burst = this.#limits.peerDocumentsPerAddressPerHour;
    record.peerDocuments ??= new TokenBucket({ perSecond: burst / 3_600, burst }, nowMs);
    return record.peerDocuments.tryTake(1, nowMs);
  }

  forgetIdle(nowMs: number): void {
    for (const [address, record] of this.#records) {
      const { connections, upgrades, requests, documents, catchUps, asks, peerDocuments } = record;
      const buckets = [upgrades, requests, documents, catchUps, asks, peerDocuments];
      const isIdle = connections === 0 && buckets.every((bucket) => bucket?.isFull(nowMs) ?? true);
      if (isIdle) this.#records.delete(address);
    }
  }

  #add(address: string, nowMs: number): AddressRecord | undefined {
    if (this.#records.size >= this.#limits.addressesMax) this.forgetIdle(nowMs);
    if (this.#records.size >= this.#limits.addressesMax) return undefined;
    const { upgradesPerAddressPerSecond: perSecond, upgradesPerAddressBurst: burst } = this.#limits;
    const upgrades = new TokenBucket({ perSecond, burst }, nowMs);
    const record: AddressRecord = {
      connections: 0,
      upgrades,
      requests: undefined,
      documents: undefined,
      catchUps: undefined,
      asks: undefined,
      peerDocuments: undefined,
    };
    this.#records.set(address, record);
    return record;
  }

  #documentsOf(address: string, nowMs: number): TokenBucket | undefined {
    const record = this.#records.get(address);
    if (record === undefined) return undefined;
    const perHour = this.#limits.documentsPerAddressPerHour;
    // One less than the hour's worth may be in the bucket: the last one makes the debt.
    const rate = { perSecond: perHour / 3_600, burst: perHour - 1 };
    return (record.documents ??= new TokenBucket(rate, nowMs));
  }
}
