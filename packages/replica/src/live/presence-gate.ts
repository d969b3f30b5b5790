import {
  applyAwarenessUpdate,
  type Awareness,
  encodeAwarenessUpdate,
  removeAwarenessStates,
} from "y-protocols/awareness";

import type { SaveProgress } from "./save-progress.ts";

interface AwarenessChange {
  readonly added: number[];
  readonly updated: number[];
  readonly removed: number[];
}

/**
 * Passes on who is here and where: outwards only behind the edits that were made before, so that a
 * caret never points at text that nobody else can have.
 */
export class PresenceGate {
  readonly #awareness: Awareness;
  readonly #origin: object;
  readonly #stop: () => void;
  #isApplying = false;

  /** @param origin of the changes that others brought */
  constructor(
    awareness: Awareness,
    progress: SaveProgress,
    show: (update: Uint8Array) => void,
    origin: object,
  ) {
    this.#awareness = awareness;
    this.#origin = origin;
    const onUpdate = ({ added, updated, removed }: AwarenessChange, by: unknown): void => {
      // Who listens may answer with a change of its own.
      if (this.#isApplying && by === origin) return;
      // As it is now: by the time it is shown the caret may have moved behind newer text.
      const update = encodeAwarenessUpdate(awareness, [...added, ...updated, ...removed]);
      progress.afterSaved((failure) => {
        if (failure === undefined) show(update);
      });
    };
    awareness.on("update", onUpdate);
    this.#stop = () => awareness.off("update", onUpdate);
  }

  /** Of somebody else. */
  apply(update: Uint8Array): void {
    this.#isApplying = true;
    try {
      applyAwarenessUpdate(this.#awareness, update, this.#origin);
    } finally {
      this.#isApplying = false;
    }
  }

  /** The document goes on under another client id, and so does its user. */
  follow(client: number): void {
    const awareness = this.#awareness;
    if (awareness.clientID === client) return;
    const state = awareness.getLocalState();
    removeAwarenessStates(awareness, [awareness.clientID], "client id");
    awareness.clientID = client;
    awareness.setLocalState(state);
  }

  stop(): void {
    this.#stop();
  }
}
