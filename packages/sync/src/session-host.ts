import type { DocumentEntry, DocumentId, HeddleErrorCode } from "@heddle/core";

import type { DocumentLink } from "./document-link.ts";
import type { FrameOf } from "./frame.ts";
import type { Side } from "./handshake.ts";
import type { PeerSession } from "./peer-session.ts";
import type { FeedCursor, PeerKey } from "./sync-effects.ts";

/** What a session asks of the replica around it. */
export interface SessionHost {
  /** Greeting done. */
  onLive(session: PeerSession): void;
  onClosed(session: PeerSession, code: HeddleErrorCode): void;
  /** Whether a document is exchanged when a peer opens it. */
  takes(document: DocumentId): boolean;
  /** The peer opened a document: calls `then` with the link to it, at once or when it is loaded. */
  onOpen(
    session: PeerSession,
    entry: DocumentEntry,
    then: (link: DocumentLink) => void,
    failed: () => void,
  ): void;
  /** The peer gave a document up. */
  onClose(session: PeerSession, link: DocumentLink): void;
  /** What the peer says of its library. */
  onLibrary(session: PeerSession, frame: FrameOf<"library">): void;
  /** The peer follows our feed from here. */
  onCursor(session: PeerSession, cursor: FeedCursor | undefined): void;
}

/** Which connection a session is on. */
export interface ConnectionPlace {
  readonly key: PeerKey;
  readonly connection: number;
  readonly side: Side;
}
