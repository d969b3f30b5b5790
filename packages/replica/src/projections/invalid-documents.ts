import { isHeddleError, type DocumentId, type Environment } from "@heddle/core";
import {
  definitionDigest,
  partitionOf,
  type InvalidDocument,
  type Projection,
} from "@heddle/reconcile";

/** A document that a definition failed on, and how. */
export interface LastInvalid {
  readonly document: DocumentId;
  /** Of a heddle error; a definition throws what it likes. */
  readonly code: string | undefined;
  readonly error: string;
  readonly atMs: number;
}

/** Partitions of which it is known that they were told; beyond that nothing is told, and all is counted. */
const toldMax = 256;
const errorLengthMax = 300;

/**
 * Says of a definition that it fails: once for each partition, as one that is wrong fails on every document, and each
 * time that it is looked at again.
 */
export class InvalidDocuments {
  readonly #projection: Projection<never>;
  readonly #environment: Pick<Environment, "clock" | "hash" | "logger">;
  readonly #definition: string;
  readonly #told = new Set<string>();
  #last: LastInvalid | undefined;

  constructor(
    projection: Projection<never>,
    environment: Pick<Environment, "clock" | "hash" | "logger">,
  ) {
    this.#projection = projection;
    this.#environment = environment;
    this.#definition = definitionDigest(environment.hash, projection as Projection);
  }

  get last(): LastInvalid | undefined {
    return this.#last;
  }

  note({ document, error }: InvalidDocument): void {
    const { clock, logger } = this.#environment;
    const code = isHeddleError(error) ? error.code : undefined;
    const text = String(error).slice(0, errorLengthMax);
    this.#last = { document: document.id, code, error: text, atMs: clock.nowMs() };
    const partition = this.#partitionOf(document);
    if (this.#told.has(partition) || this.#told.size >= toldMax) return;
    this.#told.add(partition);
    const { name } = this.#projection;
    const definition = this.#definition.slice(0, 16);
    const fields = { projection: name, definition, document: document.id, code, error: text };
    logger.error("projections.definition_failed", fields);
  }

  #partitionOf({ name }: InvalidDocument["document"]): string {
    if (name === undefined) return "";
    try {
      return partitionOf(this.#projection as Projection, name) ?? "";
    } catch {
      return ""; // It is this that fails.
    }
  }
}
