import type { PresenceSource } from "@heddle/replica";

import type { PresenceOwner } from "./presence.ts";

/** A peer, or another part of this process, as somebody who speaks for clients. */
export class PresencePeer implements PresenceOwner {
  readonly source: PresenceSource;
  /** Clients that it brought, in all documents. */
  readonly peer = { clients: 0 };
  /** That it is alive says nothing of the client behind it; what counts is news of that. */
  readonly heardMs = -Infinity;

  constructor(source: PresenceSource) {
    this.source = source;
  }
}
