import {
  decodeEnvelope,
  documentIdOf,
  toHex,
  type DocumentId,
  type DocumentName,
  type DocumentSurvey,
  type Hlc,
} from "@heddle/core";

import { EventListeners } from "../live/event-listeners.ts";
import type { SharedParts } from "../replica-parts.ts";
import { AuditJournal, isDamage } from "./audit-journal.ts";
import { reachOf } from "./degraded-documents.ts";

export interface RestoringParts extends Pick<SharedParts, "space" | "clock" | "access"> {
  readonly options: Pick<SharedParts["options"], "store" | "environment" | "signer">;
}

/** A document whose record is whole, and that fails for something else, is not surveyed for each who opens it. */
const againMs = 60_000;
const wholeMax = 1024;

/**
 * Writes the record of a document anew where it is damaged or gone, as soon as somebody says the name: the id
 * is its hash, so that whoever opens the document, or a peer that offers it, proves the name by saying it.
 * Nothing else of the record is believed of anybody. When the document was created is the reading of the
 * first envelope that is here; whether it was pruned is not known any more, so that it keeps its history.
 */
export class RestoredEntries {
  readonly #parts: RestoringParts;
  readonly #journal: AuditJournal;
  readonly #listeners = new EventListeners<{ readonly restored: DocumentId }>();
  /** Documents that had nothing to restore, and when they were looked at (ms). */
  readonly #whole = new Map<DocumentId, number>();
  /** Going on: who opens a document meanwhile waits for it. */
  readonly #restoring = new Map<DocumentId, Promise<boolean>>();

  constructor(parts: RestoringParts) {
    const { store, environment, signer } = parts.options;
    const by = toHex(signer.devicePublicKey);
    this.#parts = parts;
    this.#journal = new AuditJournal({ store, environment, by, tick: () => parts.clock.tick() });
  }

  /** Calls `listener` after each record that was written anew; the returned function stops that. */
  on(listener: (document: DocumentId) => void): () => void {
    return this.#listeners.on("restored", listener);
  }

  /**
   * Does `read`, once more after the record of the document was written anew, if that is why it failed.
   *
   * @throws what `read` throws; HeddleError `HEDDLE_STORAGE_*`.
   */
  async reading<Value>(
    id: DocumentId,
    name: DocumentName | undefined,
    read: () => Promise<Value>,
  ): Promise<Value> {
    try {
      return await read();
    } catch (error) {
      if (name === undefined || !isDamage(error) || !(await this.#restore(id, name))) throw error;
      return await read();
    }
  }

  /** @returns whether there is a record now that was not there before. */
  #restore(id: DocumentId, name: DocumentName): Promise<boolean> {
    const known = this.#restoring.get(id);
    if (known) return known;
    const restoring = this.#tryOnce(id, name).finally(() => this.#restoring.delete(id));
    this.#restoring.set(id, restoring);
    return restoring;
  }

  async #tryOnce(id: DocumentId, name: DocumentName): Promise<boolean> {
    const { options, space, access } = this.#parts;
    const { environment } = options;
    if (documentIdOf(environment.hash, space, name) !== id) return false;
    const nowMs = environment.clock.monotonicMs();
    if (nowMs - (this.#whole.get(id) ?? -Infinity) < againMs) return false;
    const isRestored = await access.pruning(id, () => this.#write(id, name));
    if (!isRestored) {
      this.#noteWhole(id, nowMs);
      return false;
    }
    environment.logger.warn("drift.entry_restored", { document: id });
    this.#listeners.emit("restored", id);
    return true;
  }

  #noteWhole(id: DocumentId, nowMs: number): void {
    this.#whole.delete(id);
    this.#whole.set(id, nowMs);
    const [oldest] = this.#whole.keys();
    if (this.#whole.size > wholeMax && oldest) this.#whole.delete(oldest);
  }

  async #write(id: DocumentId, name: DocumentName): Promise<boolean> {
    const { store } = this.#parts.options;
    const survey = await store.surveyDocument(id);
    if (survey === undefined || survey.entry) return false;
    const createdAt = await this.#firstReading(survey);
    const entry = { id, name, createdAt, history: "keep" } as const;
    await this.#journal.correct(
      { mend: [{ document: id, entry }] },
      {
        subject: { of: "document", document: id },
        cause: "damaged-store",
        action: "corrected",
        result: "applied",
        detail:
          "here: its record was damaged; the name is proven by the id. Lost are when it was created, and " +
          "whether its history is pruned: it is kept",
      },
    );
    return true;
  }

  /** Of what is whole in the log, in the order of arrival. */
  async #firstReading(survey: DocumentSurvey): Promise<Hlc> {
    const { options, clock } = this.#parts;
    const upTo = reachOf(survey, false);
    for await (const [first] of options.store.readLogByArrival(survey.document, { upTo })) {
      if (first) return decodeEnvelope(options.environment.hash, first.bytes).hlc;
    }
    return clock.tick();
  }
}
