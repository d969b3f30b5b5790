import { assert, type DocumentId } from "@heddle/core/base";
import type { PeerChoice, PeerKey, SyncEvent } from "@heddle/sync";
import { wireLimits } from "@heddle/sync/connection";

/** Who told of presence: a session with a peer, or a part of this process. */
export type PresenceSource = PeerKey | PresencePart;

/** Whom presence is for; everybody but its sender when nothing is said. */
export interface PresenceChoice {
  readonly only?: PresenceSource | undefined;
  readonly except?: PresenceSource | undefined;
  /** The parts of this process have heard it from where it came. */
  readonly isForPeers?: boolean;
}

/** A part of this process that shows presence: the rooms of a relay, or a live document. */
export interface PresencePart {
  /** A y-protocols awareness update, not looked into yet. */
  onPresence(document: DocumentId, update: Uint8Array, from: PresenceSource): void;
  /** `to` does not know who is here, or not all: tell it, with `only`. */
  onPresenceDue(document: DocumentId, to: PresenceSource): void;
  /** It is gone, and all that it spoke for. */
  onPresenceEnded(from: PresenceSource): void;
}

/** An awareness update without entries asks for everybody's. */
export const presenceQuestion: Uint8Array = Uint8Array.of(0);

/** Whether it asks who is there, and says nothing of anybody. */
export function isPresenceQuestion(update: Uint8Array): boolean {
  return update.length === 1 && update[0] === 0;
}

type SendToPeers = (document: DocumentId, update: Uint8Array, to: PeerChoice) => void;

/**
 * Presence between the peers of a replica and the parts of this process. It passes on what it is given
 * and keeps nothing; whether something is news is for those who keep a table of who is here.
 */
export class PeerPresence {
  readonly #parts = new Map<PresencePart, DocumentId | undefined>();
  readonly #sendToPeers: SendToPeers;
  #refused = 0;

  constructor(sendToPeers: SendToPeers) {
    this.#sendToPeers = sendToPeers;
  }

  /** Updates that a part could not read. */
  get refused(): number {
    return this.#refused;
  }

  /** A part takes part, for one document or for all; the returned function ends that. */
  join(part: PresencePart, document?: DocumentId): () => void {
    this.#parts.set(part, document);
    if (document !== undefined) this.send(part, document, presenceQuestion);
    return () => {
      if (!this.#parts.delete(part)) return;
      for (const other of this.#parts.keys()) other.onPresenceEnded(part);
    };
  }

  /** `update` has at most `wireLimits.ephemeralBytesMax` bytes. */
  send(
    from: PresencePart,
    document: DocumentId,
    update: Uint8Array,
    to: PresenceChoice = {},
  ): void {
    assert(update.length <= wireLimits.ephemeralBytesMax, "presence keeps its cap");
    // Whoever tells of a commit is told before the peers are: a moment later they have heard.
    queueMicrotask(() => this.#deliver(from, document, update, to));
  }

  refuse(): void {
    this.#refused++;
  }

  onEvent(event: SyncEvent): void {
    switch (event.name) {
      case "ephemeral":
        for (const part of this.#partsOf(event.document)) {
          part.onPresence(event.document, event.payload, event.peer);
        }
        return;
      case "presence.due":
        for (const part of this.#partsOf(event.document)) {
          part.onPresenceDue(event.document, event.peer);
        }
        return;
      case "session.closed":
        for (const part of this.#parts.keys()) part.onPresenceEnded(event.peer);
        return;
      default:
    }
  }

  #deliver(
    from: PresencePart,
    document: DocumentId,
    update: Uint8Array,
    { only, except, isForPeers = false }: PresenceChoice,
  ): void {
    // Who has left has been told of as gone.
    const isOfHere = this.#parts.has(from) && !isForPeers;
    for (const part of isOfHere ? this.#partsOf(document) : []) {
      const isMeant = part !== from && part !== except && (only === undefined || part === only);
      if (isMeant) part.onPresence(document, update, from);
    }
    if (typeof only === "object") return;
    this.#sendToPeers(document, update, {
      only,
      except: typeof except === "number" ? except : undefined,
    });
  }

  #partsOf(document: DocumentId): PresencePart[] {
    const parts = [...this.#parts].filter(([, of]) => of === undefined || of === document);
    return parts.map(([part]) => part);
  }
}
