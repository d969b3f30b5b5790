import {
  documentIdOf,
  parseDocumentName,
  type DocumentId,
  type DocumentName,
  type Environment,
} from "@heddle/core/base";
import type { YDoc } from "@heddle/document";
import type { LiveHome } from "@heddle/replica";
import { connectPresence, LiveDocument } from "@heddle/replica/live";
import type { Awareness } from "y-protocols/awareness";

import type { EngineSide } from "./engine-view.ts";

export interface OpenedDocument {
  readonly name: string;
  readonly ydoc: YDoc;
  readonly awareness: Awareness | undefined;
  readonly origin: object;
}

/** The documents of an engine: where they live, and whom they are shown to, follows its side. */
export class EngineDocuments {
  readonly #environment: Environment;
  /** With what ends the presence of each. */
  readonly #documents = new Map<LiveDocument, () => void>();
  /** Closed, and still on their way to a relay, as far as is known. */
  readonly #leaving = new Set<LiveDocument>();

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** @throws HeddleError `HEDDLE_FRAME_MALFORMED` when the name cannot be that of a document. */
  open({ name, ydoc, awareness, origin }: OpenedDocument, side: Promise<EngineSide>): LiveDocument {
    const environment = this.#environment;
    const home = homeOf(parseDocumentName(name), side);
    const live = new LiveDocument({ home, environment, name, ydoc, awareness, origin });
    this.#documents.set(live, () => undefined);
    live.on("status", ({ state }) => {
      // Its presence ends by itself.
      if (state === "closed") this.#documents.delete(live);
    });
    side.then(
      (entered) => this.#show(live, entered),
      () => undefined, // The document itself says that its replica could not be opened.
    );
    return live;
  }

  /** Takes no part in the exchange any more once nothing of it waits to be sent. */
  letGo(live: LiveDocument): void {
    this.#leaving.add(live);
  }

  /** What waits at that side may be another. */
  review(side: EngineSide): void {
    for (const live of this.#leaving) {
      if (side.waitingOf(this.#idOf(live, side)).count > 0) continue;
      this.#leaving.delete(live);
      live.setShared(false);
    }
  }

  /** All of them go on at another side, as soon as it is there. */
  moveTo(side: Promise<EngineSide>): void {
    for (const live of this.#documents.keys()) live.moveTo(homeOf(live.name, side));
    side.then(
      (entered) => {
        for (const live of this.#documents.keys()) this.#show(live, entered);
      },
      () => undefined, // As above.
    );
  }

  #show(live: LiveDocument, side: EngineSide): void {
    const { peers } = side.replica;
    if (!peers || !this.#documents.has(live)) return;
    this.#documents.get(live)?.();
    this.#documents.set(live, connectPresence(live, this.#idOf(live, side), peers));
  }

  #idOf({ name }: LiveDocument, { replica: { replica } }: EngineSide): DocumentId {
    return documentIdOf(this.#environment.hash, replica.space, name);
  }
}

async function homeOf(name: DocumentName, side: Promise<EngineSide>): Promise<LiveHome> {
  const entered = await side;
  await entered.prepare(name);
  return entered.replica;
}
