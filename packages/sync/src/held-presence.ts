import type { DocumentLink } from "./document-link.ts";
import type { SyncContext } from "./sync-context.ts";

interface HeldPresence {
  readonly link: DocumentLink;
  readonly payload: Uint8Array;
  /** How many runs came before it. */
  readonly runs: number;
  readonly release: () => void;
}

/**
 * Presence that peers sent of one document, held until what they sent before it is on our disk (RLY-6).
 * Where that is not foreseeable it is dropped and counted; its client renews it.
 */
export class HeldPresences {
  readonly #context: SyncContext;
  #held: HeldPresence[] = [];

  constructor(context: SyncContext) {
    this.#context = context;
  }

  /** @param runs how many runs have come so far; `release` gives its credit back. */
  hold(link: DocumentLink, payload: Uint8Array, runs: number, release: () => void): void {
    if (this.#held.length >= this.#context.limits.ephemeralsHeldMax) {
      this.#context.counters.ephemeralDropped++;
      return release();
    }
    this.#held.push({ link, payload, runs, release });
  }

  /** So many runs are stored or dropped. */
  settled(runs: number): void {
    while (this.#held.length > 0 && this.#held[0]!.runs <= runs) {
      const { link, payload, release } = this.#held.shift()!;
      release();
      if (!link.session.isLive) continue;
      const { document, session } = link;
      const event = { name: "ephemeral", peer: session.key, document, payload } as const;
      this.#context.emit({ type: "event", event });
    }
  }

  /** Something that came before these is not stored, and comes again. */
  drop(): void {
    this.#context.counters.ephemeralDropped += this.#held.length;
    for (const { release } of this.#held.splice(0)) release();
  }
}
