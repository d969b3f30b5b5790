import {
  deviceKey,
  type DeviceKey,
  type DocumentEntry,
  type DocumentId,
  type DocumentName,
  type Logger,
  type MemberRole,
  type StoreId,
} from "@heddle/core";
import { PeerRole, type GreetedPeer, type ReplicationOptions } from "@heddle/sync";

import type { SpaceMembers } from "../space/space-members.ts";

/** The other end of a session, as an application decides about it. */
export interface OfferPeer {
  /** The key of its device, which has proven that it has it. */
  readonly device: DeviceKey;
  readonly store: StoreId;
  /** By its own word. */
  readonly isRelay: boolean;
  /** What its device may do in the space; `undefined` in the open space. */
  readonly role: MemberRole | undefined;
}

/**
 * Whether a peer of another device is to have a document, and may bring work on it. Asked often, also about
 * documents that nobody has: it answers at once, by the name and by who it is. When it throws, the peer is not
 * to have it.
 */
export type MayOffer = (
  peer: OfferPeer,
  document: { readonly id: DocumentId; readonly name: DocumentName },
) => boolean;

export interface OfferedDocumentsParts {
  readonly mayOffer: MayOffer;
  readonly members: SpaceMembers | undefined;
  readonly logger: Logger;
}

/**
 * What an application lets peers have. Libraries know documents by their ids, and rules are about names: so it
 * remembers the names of all documents, as they are read and written. One whose name is not known is not offered.
 */
export class OfferedDocuments {
  readonly #parts: OfferedDocumentsParts;
  readonly #names = new Map<DocumentId, DocumentName>();

  constructor(parts: OfferedDocumentsParts) {
    this.#parts = parts;
  }

  note({ id, name }: Pick<DocumentEntry, "id" | "name">): void {
    this.#names.set(id, name);
  }

  readonly mayOffer: NonNullable<ReplicationOptions["mayOffer"]> = (peer, document) => {
    const name = "name" in document ? document.name : this.#names.get(document.id);
    if (name === undefined) return false;
    const { mayOffer, logger } = this.#parts;
    try {
      return mayOffer(this.#peerOf(peer), { id: document.id, name });
    } catch (error) {
      // Of the application: whatever it is, nobody is given what it would have kept.
      logger.error("peer.rule_failed", { document: document.id, error: String(error) });
      return false;
    }
  };

  #peerOf({ store, devicePublicKey, role }: GreetedPeer): OfferPeer {
    const device = deviceKey(devicePublicKey);
    const { members } = this.#parts;
    return {
      device,
      store,
      isRelay: role === PeerRole.relay,
      role: members?.membership.roleOf(device),
    };
  }
}
