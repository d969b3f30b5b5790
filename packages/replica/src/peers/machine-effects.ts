import { isHeddleError } from "@heddle/core";
import type { Replication, SyncEffect, SyncEvent, SyncRequest } from "@heddle/sync";

import { isDamage } from "../drift/audit-journal.ts";
import type { PeerConnections } from "./peer-connections.ts";
import { answerPeerRequest, type PeerRequestTools } from "./peer-requests.ts";

export interface MachineEffectsParts extends PeerRequestTools {
  readonly connections: PeerConnections;
  /** The machine that is running; `undefined` while there is none. */
  readonly machine: () => Replication | undefined;
  readonly onEvent: (event: SyncEvent) => void;
}

/**
 * Carries out what the state machine of the wire decides, and answers what it asks. What was asked by
 * an earlier machine is not answered any more.
 */
export class MachineEffects {
  readonly #parts: MachineEffectsParts;
  #isDraining = false;

  constructor(parts: MachineEffectsParts) {
    this.#parts = parts;
  }

  /** Carries out all that the machine has decided, and what comes of that. */
  drain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    try {
      for (;;) {
        const effects = this.#parts.machine()?.takeEffects() ?? [];
        if (effects.length === 0) return;
        for (const effect of effects) this.#carryOut(effect);
      }
    } finally {
      this.#isDraining = false;
    }
  }

  #carryOut(effect: SyncEffect): void {
    const { connections, notes } = this.#parts;
    switch (effect.type) {
      case "send":
        return connections.send(effect.peer, effect.bytes);
      case "close":
        return connections.close(effect.peer, effect.code);
      case "event":
        return this.#parts.onEvent(effect.event);
      case "keepCursor":
        return notes.keepCursor(effect.store, effect.cursor);
      case "keepFork":
        return notes.keepFork(effect.document, effect.proof);
      case "keepAcks":
        return notes.keepAcks(effect.acks);
      case "keepRefusal":
        return notes.keepRefusal(effect.refusal);
      case "forgetRefusal":
        return notes.forgetRefusal(effect.refusal);
      default:
        return this.#answer(effect);
    }
  }

  #answer(request: SyncRequest): void {
    const { environment, machine } = this.#parts;
    const asking = machine();
    answerPeerRequest(this.#parts, request)
      .catch((error: unknown) => {
        if (!isHeddleError(error)) throw error;
        const fields = { request: request.type, code: error.code, error: error.message };
        environment.logger.warn("peer.request_failed", fields);
        if (isDamage(error) && "document" in request) this.#parts.drift?.suspect(request.document);
        return failedAnswers[request.type];
      })
      .then((answer) => {
        const running = machine();
        if (running === undefined || running !== asking) return;
        running.complete(request.id, answer as never, environment.clock.monotonicMs());
        this.drain();
      });
  }
}

/** What a request is answered with when the store could not be read. */
const failedAnswers: Readonly<Partial<Record<SyncRequest["type"], unknown>>> = {
  load: "unreadable",
  read: { envelopes: [], lanes: new Map() },
  changes: "unreadable",
  library: "unreadable",
  readCheckpoint: { outcome: "gone" },
  adoptCheckpoint: { outcome: "unreadable" },
};
