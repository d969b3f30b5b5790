import { equalBytes, type DocumentId } from "@heddle/core";

import type { OfferedDocument } from "./document-offers.ts";
import type { FrameOf } from "./frame.ts";
import type { GreetedPeer, ReplicationOptions } from "./sync-context.ts";
import type { PeerKey } from "./sync-effects.ts";

/** A session, as far as rules are about it. */
export interface RuledSession {
  readonly key: PeerKey;
  /** Its greeting. */
  readonly peer: FrameOf<"hello">;
}

/**
 * Which documents are exchanged with which peer: what the host lets it have, without what it said that it
 * does not exchange with us. What is not is neither named nor offered nor served, nor counted with what is
 * compared, so that the two agree about the rest.
 */
export class OfferRules {
  readonly #options: ReplicationOptions;
  /** By session, what its peer refused. */
  readonly #refused = new WeakMap<RuledSession, Set<DocumentId>>();

  constructor(options: ReplicationOptions) {
    this.#options = options;
  }

  lets(session: RuledSession, document: OfferedDocument): boolean {
    const { first, mayOffer } = this.#options;
    if (document.id === first?.id) return true;
    if (this.#refused.get(session)?.has(document.id)) return false;
    if (mayOffer === undefined || this.#isSameDevice(session)) return true;
    return mayOffer(peerOf(session), document);
  }

  /** Whether there may be documents that are not exchanged with the peer. */
  areThereFor(session: RuledSession): boolean {
    const hasRule = this.#options.mayOffer !== undefined && !this.#isSameDevice(session);
    return hasRule || this.#refused.has(session);
  }

  /** The peer does not exchange it with us, for as long as the session lasts. */
  refused(session: RuledSession, document: DocumentId): void {
    const refused = this.#refused.get(session) ?? new Set();
    this.#refused.set(session, refused.add(document));
  }

  /** The peer opens it itself: whatever it said before. */
  openedBy(session: RuledSession, document: DocumentId): void {
    this.#refused.get(session)?.delete(document);
  }

  /** Another process or window of this device: it has the same disk, or the same key to it. */
  #isSameDevice({ peer }: RuledSession): boolean {
    return equalBytes(peer.devicePublicKey, this.#options.devicePublicKey);
  }
}

function peerOf({ key, peer }: RuledSession): GreetedPeer {
  const { store, devicePublicKey, role } = peer;
  return { key, store, devicePublicKey, role };
}
