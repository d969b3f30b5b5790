import type { DocumentId } from "@heddle/core";
import type { PeerHost, PresenceChoice, PresencePart, PresenceSource } from "@heddle/replica";

import { DocumentPresence, type PresenceContext, type PresenceWay } from "./document-presence.ts";
import { PresencePeer } from "./presence-peer.ts";

type PeersWithPresence = Pick<PeerHost, "presence">;

/**
 * Presence in all documents that somebody looks at, here or behind a peer. A table lives until nobody
 * looks and nobody was there for a while: what comes late must not bring anybody back.
 */
export class PresenceDirectory implements PresencePart, PresenceWay {
  readonly #context: PresenceContext;
  readonly #peers: PeersWithPresence | undefined;
  readonly #documents = new Map<DocumentId, DocumentPresence>();
  readonly #owners = new Map<PresenceSource, PresencePeer>();
  readonly #leave: (() => void) | undefined;

  constructor(context: PresenceContext, peers: PeersWithPresence | undefined) {
    this.#context = context;
    this.#peers = peers;
    this.#leave = peers?.presence.join(this);
  }

  /** Documents that have a table. */
  get size(): number {
    return this.#documents.size;
  }

  of(document: DocumentId): DocumentPresence {
    let presence = this.#documents.get(document);
    if (presence === undefined) {
      presence = new DocumentPresence(document, this.#context, this);
      this.#documents.set(document, presence);
    }
    return presence;
  }

  pulse(): void {
    for (const [document, presence] of this.#documents) {
      presence.pulse();
      // Without peers nobody can come late to a room that everybody has left.
      const isOver = presence.isUnused || (!this.#peers && !presence.audience);
      if (isOver) this.#documents.delete(document);
    }
  }

  stop(): void {
    this.#leave?.();
  }

  send(document: DocumentId, update: Uint8Array, to: PresenceChoice): void {
    this.#peers?.presence.send(this, document, update, to);
  }

  onPresence(document: DocumentId, update: Uint8Array, from: PresenceSource): void {
    this.of(document).receiveFromPeer(update, this.#ownerOf(from));
  }

  onPresenceDue(document: DocumentId, to: PresenceSource): void {
    this.#documents.get(document)?.tellAll(to);
  }

  onPresenceEnded(from: PresenceSource): void {
    const owner = this.#owners.get(from);
    if (owner === undefined) return;
    this.#owners.delete(from);
    for (const presence of this.#documents.values()) presence.leave(owner);
  }

  #ownerOf(source: PresenceSource): PresencePeer {
    let owner = this.#owners.get(source);
    if (owner === undefined) {
      owner = new PresencePeer(source);
      this.#owners.set(source, owner);
    }
    return owner;
  }
}
