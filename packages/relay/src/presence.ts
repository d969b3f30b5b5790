import type { Clock } from "@heddle/core";

import { assertState, decodeAwareness, type AwarenessItem } from "./awareness-codec.ts";
import { AwarenessStates, type AwarenessOwner } from "./awareness-states.ts";
import { countLimit, type RelayCounters } from "./relay-counters.ts";
import type { RelayLimits } from "./relay-limits.ts";

/** A connection that speaks for clients, or a peer. */
export interface PresenceOwner extends AwarenessOwner {
  /** When anything was last heard of it. */
  readonly heardMs: number;
  /** Asks it for a sign of life; a peer is asked about the client itself. */
  probe?(): void;
}

/** Clients of a peer that others may claim, or it may claim of others, at a time. */
const claimsPerPeerMax = 256;

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
  /** Clients whom a peer takes for gone, and who are here by another way. */
  readonly doubted: readonly number[];
  /** News that somebody else's peer has to hear: the sender speaks for clients that it brought. */
  readonly claimed: readonly AwarenessItem[];
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

  /** Nobody is here, and nobody was lately. */
  get isEmpty(): boolean {
    return this.#states.isEmpty;
  }

  ownerOf(client: number): PresenceOwner | undefined {
    return this.#states.ownerOf(client) as PresenceOwner | undefined;
  }

  /** What makes a client speak up that hears it about itself. */
  goodbyeOf(client: number): AwarenessItem | undefined {
    const clock = this.#states.clockOf(client);
    if (clock === undefined || !this.#states.isPresent(client)) return undefined;
    return { client, clock, state: undefined };
  }

  encode(clients: readonly number[]): Uint8Array {
    return this.#states.encode(clients);
  }

  encodePieces(clients: readonly number[], bytesMax: number): Uint8Array[] {
    return this.#states.encodePieces(clients, bytesMax);
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
    const { changed, returning, contested, doubted, ignored, limited } = change;
    this.#counters.awarenessIgnored += ignored + contested.length;
    for (const limit of limited) countLimit(this.#counters, limit);
    const claimed = contested.filter((item) => this.#claim(item, sender));
    return { changed, returning, doubted, claimed, wasIgnored: ignored + contested.length > 0 };
  }

  leave(owner: PresenceOwner): readonly number[] {
    const gone = this.#states.leave(owner, this.#nowMs);
    for (const [client, { claimant }] of this.#claims) {
      if (claimant === owner) this.#claims.delete(client);
    }
    // Whoever claimed one of them was right.
    return [...gone, ...this.settle().taken];
  }

  expire(): readonly number[] {
    return this.#states.expire(this.#nowMs);
  }

  /**
   * Decides claims that are due: clients that changed hands, and those whom a peer claims to speak for
   * and who were shown to be here.
   */
  settle(): { readonly taken: readonly number[]; readonly defended: readonly number[] } {
    const taken: number[] = [];
    const defended: number[] = [];
    for (const [client, { item, claimant, atMs }] of this.#claims) {
      const owner = this.ownerOf(client);
      const isPresent = this.#states.isPresent(client);
      const heardMs = owner?.peer ? this.#states.updatedAtMs(client) : owner?.heardMs;
      const hasSpoken = heardMs !== undefined && heardMs > atMs;
      const isDue = this.#nowMs - atMs >= this.#limits.awarenessTakeoverMs;
      if (isPresent && !hasSpoken && !isDue) continue;
      this.#claims.delete(client);
      if (isPresent && hasSpoken) {
        if (claimant.peer) defended.push(client);
        continue;
      }
      if (this.#states.take(item, claimant, this.#nowMs)) taken.push(client);
    }
    this.#counters.awarenessTakeovers += taken.length;
    return { taken, defended };
  }

  /** True for a new claim. */
  #claim(item: AwarenessItem, claimant: PresenceOwner): boolean {
    const { awarenessStateBytesMax, awarenessClientsPerConnectionMax } = this.#limits;
    if (item.state === undefined || item.state.length > awarenessStateBytesMax) return false;
    assertState(item.state);
    const earlier = this.#claims.get(item.client);
    if (earlier && earlier.claimant !== claimant) return false;
    const claims = [...this.#claims.values()].filter((claim) => claim.claimant === claimant);
    const claimsMax = claimant.peer ? claimsPerPeerMax : awarenessClientsPerConnectionMax;
    if (!earlier && claims.length >= claimsMax) {
      const limit = claimant.peer
        ? "awarenessClientsPerPeerMax"
        : "awarenessClientsPerConnectionMax";
      countLimit(this.#counters, limit);
      return false;
    }
    this.#claims.set(item.client, { item, claimant, atMs: earlier?.atMs ?? this.#nowMs });
    if (!earlier) this.ownerOf(item.client)?.probe?.();
    return !earlier;
  }

  get #nowMs(): number {
    return this.#clock.monotonicMs();
  }
}
