import type { DocumentId } from "@heddle/core";
import {
  encodeAwarenessUpdate,
  modifyAwarenessUpdate,
  removeAwarenessStates,
} from "y-protocols/awareness";

import {
  isPresenceQuestion,
  type PeerPresence,
  type PresencePart,
  type PresenceSource,
} from "../peers/peer-presence.ts";
import type { LiveDocument } from "./live-document.ts";

/** What carries presence to others. */
export interface PresenceHost {
  readonly presence: PeerPresence;
}

interface AwarenessChange {
  readonly added: readonly number[];
  readonly updated: readonly number[];
  readonly removed: readonly number[];
}

/**
 * Shows a live document who is there at the peers of a replica, and them who is here. The returned
 * function ends that; closing the document does too, and says goodbye.
 */
export function connectPresence(
  live: LiveDocument,
  document: DocumentId,
  { presence }: PresenceHost,
): () => void {
  const part = new LivePresence(live, presence);
  const leave = presence.join(part, document);
  const stopShowing = live.on("presence", (update) => presence.send(part, document, update));
  const stopWatching = live.on("status", ({ state }) => {
    if (state !== "closed") return;
    // Still shown by the document: it lets go of its presence after this.
    live.awareness.setLocalState(null);
    end();
  });
  const end = (): void => {
    stopShowing();
    stopWatching();
    leave();
  };
  return end;
}

class LivePresence implements PresencePart {
  readonly #live: LiveDocument;
  readonly #presence: PeerPresence;
  /** Who brought the newest state of each client of others. */
  readonly #broughtBy = new Map<number, PresenceSource>();

  constructor(live: LiveDocument, presence: PeerPresence) {
    this.#live = live;
    this.#presence = presence;
  }

  onPresence(document: DocumentId, update: Uint8Array, from: PresenceSource): void {
    if (isPresenceQuestion(update)) return this.onPresenceDue(document, from);
    if (!isReadable(update)) return this.#presence.refuse();
    const { awareness } = this.#live;
    const note = ({ added, updated, removed }: AwarenessChange): void => {
      for (const client of [...added, ...updated]) {
        // Whoever listens may answer at once, with a caret or a colour of their own.
        if (client !== awareness.clientID) this.#broughtBy.set(client, from);
      }
      for (const client of removed) this.#broughtBy.delete(client);
    };
    awareness.on("update", note);
    try {
      this.#live.applyPresence(update);
    } finally {
      awareness.off("update", note);
    }
  }

  onPresenceDue(document: DocumentId, to: PresenceSource): void {
    const { awareness } = this.#live;
    if (awareness.getLocalState() === null) return;
    const update = encodeAwarenessUpdate(awareness, [awareness.clientID]);
    this.#presence.send(this, document, update, { only: to });
  }

  onPresenceEnded(from: PresenceSource): void {
    const clients = [...this.#broughtBy].filter(([, by]) => by === from).map(([client]) => client);
    for (const client of clients) this.#broughtBy.delete(client);
    const { awareness } = this.#live;
    removeAwarenessStates(awareness, clients, this.#live.origin);
    // Who is brought again is brought with the same clock, and would be taken for old news.
    for (const client of clients) awareness.meta.delete(client);
  }
}

/** Looks through all of it before a part of it is applied. */
function isReadable(update: Uint8Array): boolean {
  try {
    modifyAwarenessUpdate(update, (state: unknown) => state);
    return true;
  } catch {
    // Whatever decoder it was that stumbled: it is counted where this is asked.
    return false;
  }
}
