import type { DocumentId } from "@heddle/core";
import { YDoc } from "@heddle/document";
import {
  applyAwarenessUpdate,
  Awareness,
  encodeAwarenessUpdate,
  removeAwarenessStates,
} from "y-protocols/awareness";

import {
  isPresenceQuestion,
  presenceQuestion,
  type PeerPresence,
  type PresencePart,
  type PresenceSource,
} from "./peer-presence.ts";

interface AwarenessChange {
  readonly added: readonly number[];
  readonly updated: readonly number[];
  readonly removed: readonly number[];
}

/** Who is known in one document, and who brought each. */
interface Table {
  readonly awareness: Awareness;
  readonly broughtBy: Map<number, PresenceSource>;
}

/** Documents that nobody is in any more cost an empty table each; more than these are forgotten. */
const tablesMax = 1_024;

/**
 * Passes presence on between the peers of a replica that stand around it like the tabs of one browser
 * around the one that stores: everybody is reached by one way, so nothing goes round. Who was brought by
 * a peer that is gone is gone. The returned function ends it.
 */
export function forwardPresence(presence: PeerPresence): () => void {
  const part = new PresenceForwarder(presence);
  const leave = presence.join(part);
  return () => {
    leave();
    part.end();
  };
}

class PresenceForwarder implements PresencePart {
  readonly #presence: PeerPresence;
  readonly #tables = new Map<DocumentId, Table>();

  constructor(presence: PeerPresence) {
    this.#presence = presence;
  }

  onPresence(document: DocumentId, update: Uint8Array, from: PresenceSource): void {
    // What is written in this very page goes to all peers by itself.
    if (typeof from !== "number") return;
    if (isPresenceQuestion(update)) return this.#send(document, update, from);
    const changed = this.#learn(document, update, from);
    if (changed.length === 0) return;
    this.#send(document, this.#encode(document, changed), from);
  }

  onPresenceDue(document: DocumentId, to: PresenceSource): void {
    const { awareness, broughtBy } = this.#tableOf(document);
    const known = [...awareness.getStates().keys()].filter(
      (client) => broughtBy.get(client) !== to,
    );
    if (known.length > 0 && typeof to === "number") {
      this.#presence.send(this, document, this.#encode(document, known), { only: to });
    }
    this.#send(document, presenceQuestion, to);
  }

  onPresenceEnded(from: PresenceSource): void {
    for (const [document, { awareness, broughtBy }] of this.#tables) {
      const gone = [...broughtBy].filter(([, by]) => by === from).map(([client]) => client);
      if (gone.length === 0) continue;
      removeAwarenessStates(awareness, gone, this);
      for (const client of gone) broughtBy.delete(client);
      this.#send(document, this.#encode(document, gone), from);
    }
  }

  end(): void {
    for (const table of this.#tables.values()) destroyTable(table);
    this.#tables.clear();
  }

  #send(document: DocumentId, update: Uint8Array, except: PresenceSource): void {
    this.#presence.send(this, document, update, { except, isForPeers: true });
  }

  #encode(document: DocumentId, clients: number[]): Uint8Array {
    return encodeAwarenessUpdate(this.#tableOf(document).awareness, clients);
  }

  /** The clients of whom the update brought news. */
  #learn(document: DocumentId, update: Uint8Array, from: PresenceSource): number[] {
    const { awareness, broughtBy } = this.#tableOf(document);
    const changed: number[] = [];
    const note = ({ added, updated, removed }: AwarenessChange): void => {
      for (const client of [...added, ...updated]) broughtBy.set(client, from);
      for (const client of removed) broughtBy.delete(client);
      changed.push(...added, ...updated, ...removed);
    };
    awareness.on("update", note);
    try {
      applyAwarenessUpdate(awareness, update, this);
    } catch {
      // Whatever decoder it was that stumbled; the document's own part counts it as well.
      this.#presence.refuse();
    } finally {
      awareness.off("update", note);
    }
    return changed;
  }

  #tableOf(document: DocumentId): Table {
    const known = this.#tables.get(document);
    if (known) return known;
    const awareness = new Awareness(new YDoc());
    awareness.setLocalState(null);
    const table: Table = { awareness, broughtBy: new Map() };
    this.#tables.set(document, table);
    const [oldest] = this.#tables;
    if (this.#tables.size > tablesMax && oldest) {
      destroyTable(oldest[1]);
      this.#tables.delete(oldest[0]);
    }
    return table;
  }
}

function destroyTable({ awareness }: Table): void {
  awareness.destroy();
  awareness.doc.destroy();
}
