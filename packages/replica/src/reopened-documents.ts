import {
  HeddleError,
  HeddleErrorCode,
  type Hlc,
  type HybridClock,
  type LaneId,
  type RecalledEnvelope,
  type SpaceId,
} from "@heddle/core";
import type { OfferedCheckpoint } from "@heddle/sync";

import type { DocumentAccess } from "./document-access.ts";
import type { DocumentHoldings } from "./document-holdings.ts";
import type { LeavingDocuments } from "./leaving-documents.ts";
import { adoptCheckpoint, type Adoption } from "./peers/adopt-checkpoint.ts";
import { recallable } from "./recallable.ts";
import { recallsInForce } from "./recalls-in-force.ts";
import type { ReplicaDocument } from "./replica-document.ts";
import type { ReplicaOptions } from "./replica-options.ts";

export interface ReopeningParts {
  readonly options: ReplicaOptions;
  readonly space: SpaceId;
  readonly clock: HybridClock;
  readonly access: DocumentAccess;
  readonly holdings: DocumentHoldings;
  readonly leaving: LeavingDocuments;
  /** The lane of this process, once there is one. */
  readonly writtenLane: () => LaneId | undefined;
  readonly observeClock: (hlc: Hlc) => void;
}

/** Changes of what is logged that those who have a document open may have to open it again for. */
export class ReopenedDocuments {
  readonly #parts: ReopeningParts;

  constructor(parts: ReopeningParts) {
    this.#parts = parts;
  }

  /** Takes in a checkpoint of a peer; see {@link adoptCheckpoint}. */
  async adopt(document: ReplicaDocument, offered: OfferedCheckpoint): Promise<Adoption> {
    const { entry, logged } = document;
    const { options, space, clock, access, writtenLane, observeClock } = this.#parts;
    const { store, environment, signer, folder } = options;
    const adopting = {
      store,
      environment,
      signer,
      folder,
      space,
      writtenLane: writtenLane(),
      tick: () => clock.tick(),
    };
    const asNew = { ...entry, history: logged.history };
    const adoption = await access.pruning(entry.id, () => {
      return adoptCheckpoint(adopting, asNew, offered);
    });
    const fields = { document: entry.id, lanes: offered.header.lanes };
    if (adoption.outcome === "refused") {
      environment.logger.warn("checkpoint.not_adopted", { ...fields, reason: adoption.why });
      return adoption;
    }
    environment.logger.info("checkpoint.adopted", fields);
    observeClock(offered.header.builtAt);
    if (!document.adopted(adoption.vector, adoption.state)) {
      this.openAnew(document, "much of the document came at once; open it again");
    }
    return adoption;
  }

  /** Envelopes that broke the document stay in the log and out of it; those who use it open it again. */
  async recall(document: ReplicaDocument, recalls: readonly RecalledEnvelope[]): Promise<void> {
    const { id } = document.entry;
    const { options, access } = this.#parts;
    const { store, environment } = options;
    const isDone = await access.reading(id, async () => {
      const left = await recallable({ store, environment }, id, recalls);
      if (left.length === 0) return false;
      await store.append({ recall: left.map((envelope) => ({ document: id, envelope })) });
      return true;
    });
    if (isDone) this.openAnew(document, "a part of the document was recalled; open it again");
    else environment.logger.warn("document.recalled_too_late", { document: id });
  }

  /** What counts may have changed: documents that show something else than they would now are opened anew. */
  review(): void {
    for (const document of this.#parts.holdings.loaded()) {
      document
        .takeTurn(() => this.#reviewOne(document))
        .catch((error: unknown) => {
          // A store that fails, or a document that is damaged, ends what was loaded of it anyway.
          const fields = { document: document.entry.id, error: String(error) };
          this.#parts.options.environment.logger.warn("members.review_failed", fields);
        });
    }
  }

  async #reviewOne(document: ReplicaDocument): Promise<void> {
    const { options, access } = this.#parts;
    const { id } = document.entry;
    const isSame = await access.reading(id, async () => {
      const recalls = await recallsInForce(options.store, id);
      return document.isLoadedUnder(new Set(recalls.map(({ id }) => id)));
    });
    if (isSame) return;
    options.environment.logger.info("document.members_changed", { document: id });
    this.openAnew(document, "what of the document counts has changed; open it again");
  }

  /** Those who use the document are told to open it again, from the disk. */
  openAnew(document: ReplicaDocument, message: string): void {
    const { holdings, leaving } = this.#parts;
    if (!holdings.drop(document)) return;
    document.reset(new HeddleError(HeddleErrorCode.documentReset, message));
    leaving.add(document);
  }
}
