import { documentIdOf, parseDocumentName, type DocumentName, type Environment } from "@heddle/core";
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

  #show(live: LiveDocument, { replica: { peers, replica } }: EngineSide): void {
    if (!peers || !this.#documents.has(live)) return;
    this.#documents.get(live)?.();
    const id = documentIdOf(this.#environment.hash, replica.space, live.name);
    this.#documents.set(live, connectPresence(live, id, peers));
  }
}

async function homeOf(name: DocumentName, side: Promise<EngineSide>): Promise<LiveHome> {
  const entered = await side;
  await entered.prepare(name);
  return entered.replica;
}
