import type { Clock } from "@heddle/core";

import { assertState, decodeAwareness, type AwarenessItem } from "./awareness-codec.ts";
import { AwarenessStates } from "./awareness-states.ts";
import { countLimit, type RelayCounters } from "./relay-counters.ts";
import type { RelayLimits } from "./relay-limits.ts";

/** A connection that speaks for clients. */
export interface PresenceOwner {
  /** When anything was last heard of it. */
  readonly heardMs: number;
  /** Asks it for a sign of life. */
  probe(): void;
}

export interface PresenceOptions {
  readonly limits: RelayLimits;
  readonly counters: RelayCounters;
  readonly clock: Clock;
}

interface Claim {
  readonly item: AwarenessItem;
  readonly claimant: PresenceOwner;
  readonly atMs: number;
}

/** What a message led to. */
export interface PresenceOutcome {
  /** Clients that everybody should hear about, the sender included. */
  readonly changed: readonly number[];
  /** Clients that only the sender must hear about. */
  readonly returning: readonly number[];
  /** The sender may take silence for a dead connection. */
  readonly wasIgnored: boolean;
}

/**
 * Presence in one room. Who speaks for a client keeps it while alive: a second connection that brings
 * news of the same client makes the first one prove itself. One that reconnected while its old socket
 * hangs half-open is believed after seconds; one that lies, or repeats what it heard elsewhere, is not.
 */
export class Presence {
  readonly #limits: RelayLimits;
  readonly #counters: RelayCounters;
  readonly #clock: Clock;
  readonly #states: AwarenessStates;
  readonly #claims = new Map<number, Claim>();

  constructor({ limits, counters, clock }: PresenceOptions) {
    this.#limits = limits;
    this.#counters = counters;
    this.#clock = clock;
    this.#states = new AwarenessStates(limits);
  }

  get clients(): readonly number[] {
    return this.#states.clients;
  }

  encode(clients: readonly number[]): Uint8Array {
    return this.#states.encode(clients);
  }

  /** @throws HeddleError `HEDDLE_FRAME_MALFORMED`. */
  decode(bytes: Uint8Array): readonly AwarenessItem[] {
    if (bytes.length > this.#limits.awarenessBytesPerDocumentMax * 2) {
      countLimit(this.#counters, "awarenessBytesPerDocumentMax");
      return [];
    }
    const { items, skipped } = decodeAwareness(bytes, this.#limits.awarenessClientsPerDocumentMax);
    this.#counters.awarenessIgnored += skipped;
    if (skipped > 0) countLimit(this.#counters, "awarenessClientsPerDocumentMax");
    return items;
  }

  /** @throws HeddleError `HEDDLE_FRAME_MALFORMED` for a state of the sender that is no JSON. */
  receive(items: readonly AwarenessItem[], sender: PresenceOwner): PresenceOutcome {
    const change = this.#states.apply(items, sender, this.#nowMs);
    const { changed, returning, contested, ignored, limited } = change;
    this.#counters.awarenessIgnored += ignored + contested.length;
    for (const limit of limited) countLimit(this.#counters, limit);
    for (const item of contested) this.#claim(item, sender);
    return { changed, returning, wasIgnored: ignored + contested.length > 0 };
  }

  leave(owner: PresenceOwner): readonly number[] {
    const gone = this.#states.leave(owner, this.#nowMs);
    for (const [client, { claimant }] of this.#claims) {
      if (claimant === owner) this.#claims.delete(client);
    }
    // Whoever claimed one of them was right.
    return [...gone, ...this.settle()];
  }

  expire(): readonly number[] {
    return this.#states.expire(this.#nowMs);
  }

  /** Decides claims that are due; returns the clients that changed hands. */
  settle(): readonly number[] {
    const taken: number[] = [];
    for (const [client, { item, claimant, atMs }] of this.#claims) {
      const owner = this.#states.ownerOf(client) as PresenceOwner | undefined;
      const isPresent = this.#states.isPresent(client);
      const hasSpoken = owner !== undefined && owner.heardMs > atMs;
      const isDue = this.#nowMs - atMs >= this.#limits.awarenessTakeoverMs;
      if (isPresent && !hasSpoken && !isDue) continue;
      this.#claims.delete(client);
      if (isPresent && hasSpoken) continue;
      if (this.#states.take(item, claimant, this.#nowMs)) taken.push(client);
    }
    this.#counters.awarenessTakeovers += taken.length;
    return taken;
  }

  #claim(item: AwarenessItem, claimant: PresenceOwner): void {
    if (item.state === undefined || item.state.length > this.#limits.awarenessStateBytesMax) return;
    assertState(item.state);
    const earlier = this.#claims.get(item.client);
    if (earlier && earlier.claimant !== claimant) return;
    const claims = [...this.#claims.values()].filter((claim) => claim.claimant === claimant);
    const { awarenessClientsPerConnectionMax: claimsMax } = this.#limits;
    if (!earlier && claims.length >= claimsMax) {
      countLimit(this.#counters, "awarenessClientsPerConnectionMax");
      return;
    }
    this.#claims.set(item.client, { item, claimant, atMs: earlier?.atMs ?? this.#nowMs });
    if (!earlier) (this.#states.ownerOf(item.client) as PresenceOwner).probe();
  }

  get #nowMs(): number {
    return this.#clock.monotonicMs();
  }
}
