import type { Environment } from "@heddle/core";
import {
  clocksOfPending,
  DocumentBinding,
  digestsOf,
  type AppliedUpdate,
  type ParsedUpdate,
  type SealedEdits,
  type ShownDigests,
  YDoc,
} from "@heddle/document/live";
import { Awareness } from "y-protocols/awareness";

import type { ReplicaDocument } from "../replica-document.ts";
import { rethrowLater } from "./event-listeners.ts";
import { PresenceGate } from "./presence-gate.ts";
import type { SaveProgress } from "./save-progress.ts";

export interface ShownDocumentOptions {
  readonly environment: Environment;
  /** The application's own. Without one there is a new one, destroyed at the end. */
  readonly ydoc: YDoc | undefined;
  /** The application's own, of that document; it is destroyed by whoever made it. */
  readonly awareness: Awareness | undefined;
  /** Of transactions that bring what others wrote. */
  readonly origin: object | undefined;
  readonly progress: SaveProgress;
  /** Whether somebody else would see an edit now. */
  readonly isListenedTo: () => boolean;
  readonly onCaptured: () => void;
  readonly onSealed: (edits: SealedEdits) => void;
  /** Yjs has chosen another client id by itself. */
  readonly onClientRotated: () => void;
  /** Our own presence, when what it points at is on disk. */
  readonly onPresence: (update: Uint8Array) => void;
}

/** What the application sees of a live document: its Yjs document, and who is there with it. */
export class ShownDocument {
  readonly isGiven: boolean;
  readonly #options: ShownDocumentOptions;
  #ydoc: YDoc;
  #awareness: Awareness;
  #binding: DocumentBinding;
  #presence: PresenceGate;

  constructor(options: ShownDocumentOptions) {
    this.#options = options;
    this.isGiven = options.ydoc !== undefined;
    this.#ydoc = options.ydoc ?? new YDoc();
    this.#binding = this.#bind(this.#ydoc);
    this.#awareness = options.awareness ?? new Awareness(this.#ydoc);
    this.#presence = this.#openGate();
    this.#presence.follow(this.#ydoc.clientID);
  }

  get ydoc(): YDoc {
    return this.#ydoc;
  }

  get awareness(): Awareness {
    return this.#awareness;
  }

  get binding(): DocumentBinding {
    return this.#binding;
  }

  /** Of what is shown; `undefined` while an edit is not in the log yet, which is nobody's drift. */
  digests(withContent: boolean): ShownDigests | undefined {
    const { environment, progress } = this.#options;
    if (progress.unsaved > 0) return undefined;
    return digestsOf(environment.hash, this.#ydoc, withContent);
  }

  /** Clocks of what is shown, by client, while something in it waits for what is not there. */
  get pending(): ReadonlyMap<number, number> | undefined {
    return this.#options.progress.unsaved > 0 ? undefined : clocksOfPending(this.#ydoc);
  }

  /** Takes in what a peer says about who is there. */
  applyPresence(update: Uint8Array): void {
    this.#presence.apply(update);
  }

  /** Takes in what the log brought. @throws HeddleError when the document cannot be used any more. */
  apply(update: Uint8Array, parts: readonly ParsedUpdate[]): void {
    tellObservers(this.#binding.apply(update, parts));
  }

  /** The same Yjs document goes on, with what the log has brought, and `ahead` of it. */
  continue(document: ReplicaDocument, ahead: readonly ParsedUpdate[]): void {
    this.#attach(document, ahead);
    this.#presence.follow(this.#ydoc.clientID);
  }

  /** Goes on under another client id. */
  renewClient(): void {
    this.#binding.renewClient();
    this.#presence.follow(this.#ydoc.clientID);
  }

  /** Seals what was typed last; nothing is captured, and no presence passed on, from here on. */
  end(): void {
    this.#binding.flush();
    this.#binding.destroy();
    this.#presence.stop();
  }

  /** After {@link end}: a new Yjs document with what the log holds, and `unsaved` on top. */
  renew(document: ReplicaDocument, unsaved: readonly ParsedUpdate[]): void {
    const presence = this.#awareness.getLocalState();
    this.#ydoc = new YDoc();
    this.#binding = this.#bind(this.#ydoc);
    this.#attach(document, []);
    for (const update of unsaved) this.#binding.apply(update.bytes, [update]);
    this.#awareness.destroy();
    this.#awareness = new Awareness(this.#ydoc);
    this.#awareness.setLocalState(presence);
    this.#presence = this.#openGate();
  }

  destroy(): void {
    this.#presence.stop();
    this.#binding.destroy();
    if (!this.#options.awareness) this.#awareness.destroy();
    if (!this.isGiven) this.#ydoc.destroy();
  }

  #bind(ydoc: YDoc): DocumentBinding {
    const { environment, isListenedTo, onCaptured, onSealed, onClientRotated } = this.#options;
    const { scheduler, random } = environment;
    const { origin } = this.#options;
    return new DocumentBinding(ydoc, {
      scheduler,
      random,
      ...(origin && { origin }),
      isListenedTo,
      onCaptured,
      onSealed,
      onClientRotated: () => {
        onClientRotated();
        this.#presence.follow(ydoc.clientID);
      },
    });
  }

  #openGate(): PresenceGate {
    const { progress, onPresence } = this.#options;
    return new PresenceGate(this.#awareness, progress, onPresence, this.#binding.origin);
  }

  #attach(document: ReplicaDocument, ahead: readonly ParsedUpdate[]): void {
    const state = document.encodeSince();
    const stateVector = document.encodeShownVector();
    tellObservers(this.#binding.attach({ state, stateVector, ahead }));
  }
}

/** What the application's observers threw is theirs, and nothing that the log failed on. */
function tellObservers({ observerError }: AppliedUpdate): void {
  if (observerError !== undefined) rethrowLater(observerError);
}
